"""Steps of batch normalisation as people record them: computed in float64, stored in float32, right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]

EPS, WEIGHT = 1e-3, 0.01


def step(shape: tuple[int, ...] = (6, 4, 3, 5), axis: int = 1, seed: int = 0, backward: bool = True) -> Arrays:
    """A right training step with all that can be recorded, under the names of the suite."""
    rng = np.random.default_rng(seed)
    channels = shape[axis]
    own = [1] * len(shape)
    own[axis] = channels
    spread = np.linspace(0.1, 3.0, channels).reshape(own)
    x = (rng.normal(size=shape) * spread + np.linspace(-2, 5, channels).reshape(own)).astype(np.float32)
    gamma, beta = (rng.uniform(0.5, 2, channels).astype(np.float32) for _ in range(2))
    mean, var = (rng.uniform(0.5, 2, channels).astype(np.float32) for _ in range(2))
    arrays: Arrays = {"x": x, "gamma": gamma, "beta": beta, "running_mean": mean, "running_var": var}
    wide = wide_step(arrays, axis, rng.normal(size=shape).astype(np.float32))
    arrays |= wide if backward else {name: wide[name] for name in ("y", "running_mean_after", "running_var_after")}
    return arrays


def wide_step(arrays: Arrays, axis: int, dy: Any, weight: float = WEIGHT, bessel: bool = True) -> Arrays:
    """What a training step gives, by the textbook's formulas in float64."""
    axes = tuple(place for place in range(arrays["x"].ndim) if place != axis)
    own = [1] * arrays["x"].ndim
    own[axis] = -1
    x, grad = arrays["x"].astype(np.float64), dy.astype(np.float64)
    gamma, beta = (arrays[name].astype(np.float64).reshape(own) for name in ("gamma", "beta"))
    count = x.size // x.shape[axis]
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    root = np.sqrt(var + EPS)
    xhat = (x - mean) / root
    dgamma, dbeta = (grad * xhat).sum(axes, keepdims=True), grad.sum(axes, keepdims=True)
    factor = count / (count - 1) if bessel else 1.0
    wide = {
        "y": gamma * xhat + beta,
        "dy": dy,
        "dx": gamma / root * (grad - dbeta / count - xhat * dgamma / count),
        "dgamma": dgamma.reshape(-1),
        "dbeta": dbeta.reshape(-1),
        "running_mean_after": (1 - weight) * arrays["running_mean"] + weight * mean.reshape(-1),
        "running_var_after": (1 - weight) * arrays["running_var"] + weight * factor * var.reshape(-1),
    }
    return {name: array.astype(np.float32) for name, array in wide.items()}


def inference(shape: tuple[int, ...] = (6, 4, 3), seed: int = 0) -> Arrays:
    """A right step of inference."""
    known = step(shape, seed=seed)
    own = (1, -1, *[1] * (len(shape) - 2))
    mean, var, gamma, beta = (
        known[name].astype(np.float64).reshape(own) for name in ("running_mean", "running_var", "gamma", "beta")
    )
    y = gamma * (known["x"] - mean) / np.sqrt(var + EPS) + beta
    kept = {name: known[name] for name in ("x", "gamma", "beta", "running_mean", "running_var")}
    return kept | {"y": y.astype(np.float32)}


def save(path: Path, arrays: Arrays) -> Path:
    """Write arrays as an `.npz` file."""
    np.savez(path, **arrays)
    return path


def eps_outside_root(arrays: Arrays) -> Arrays:
    """The same step with y divided by sqrt(variance) + eps."""
    x = arrays["x"].astype(np.float64)
    own = (1, -1, *[1] * (x.ndim - 2))
    axes = (0, *range(2, x.ndim))
    xhat = (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + EPS)
    y = xhat * arrays["gamma"].astype(np.float64).reshape(own) + arrays["beta"].astype(np.float64).reshape(own)
    return arrays | {"y": y.astype(np.float32)}
