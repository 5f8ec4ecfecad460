"""Second order of batch normalisation in many ways: by hand in NumPy, and by the autodiff of torch and JAX.

Each takes a `SecondSample` and a NumPy dtype to compute in, and gives ds_dx, ds_dgamma and ds_ddy (rows (C, n), vectors
(C,)). Nothing here is shared with `bn_reference`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.support.samples.random_samples import random_sample
from tests.support.samples.sample import Sample

from bn_conformance.cases.recipes import RowsOfData, dtype_of
from bn_reference.arithmetic.quad import to_quad
from bn_reference.golden.expected import Expected

NAMES = ("ds_dx", "ds_dgamma", "ds_ddy")
Seconds = dict[str, Any]


@dataclass(frozen=True)
class SecondSample:
    """A batch, and what weighs its first-order gradients: v_dx rows, v_dgamma and v_dbeta vectors, all float64."""

    base: Sample
    v_dx: RowsOfData
    v_dgamma: RowsOfData
    v_dbeta: RowsOfData

    def expected(self, inference: bool = False) -> dict[str, Expected]:
        dy, v_dx, v_dgamma, v_dbeta = map(to_quad, (self.base.dy, self.v_dx, self.v_dgamma, self.v_dbeta))
        statistics = self.base.statistics if inference else None
        return self.base.golden().second_order(dy, v_dx, v_dgamma, v_dbeta, statistics)


def with_upstream(base: Sample, seed: int) -> SecondSample:
    """Upstream values at random, in the formats of what they multiply."""
    random = np.random.default_rng([13, seed])

    def drawn(shape: tuple[int, ...], dtype: str) -> RowsOfData:
        scale = random.choice([0.0, 1.0, 1.0, 8.0]) if len(shape) == 1 else random.choice([1.0, 2.0**-5, 2.0**5])
        values = scale * (random.normal(size=shape) + random.choice([0.0, 1.0]))
        return np.asarray(values.astype(dtype_of(dtype)).astype(np.float64))

    vectors = (drawn((base.channels,), base.parameter_dtype) for _ in range(2))
    return SecondSample(base, drawn(base.x.shape, base.dtype), *vectors)


def second_sample(seed: int, dtype: str = "float32", **choices: Any) -> SecondSample:
    """n from 2 to 257 and mean / sigma from 0 to 100, where not chosen."""
    random = np.random.default_rng([11, seed])
    offset = float(random.choice([0.0, 1.0, -1.0]) * 10.0 ** random.uniform(-1, 2))
    drawn = {"largest_count": 257, "offset": offset, "scale": float(2.0 ** random.uniform(-3, 3))} | choices
    return with_upstream(random_sample(seed, dtype, **drawn), seed)


@dataclass(frozen=True)
class _Arrays:
    x: RowsOfData
    dy: RowsOfData
    gamma: RowsOfData
    v_dx: RowsOfData
    v_dgamma: RowsOfData
    v_dbeta: RowsOfData
    eps: Any
    mean: RowsOfData | None
    variance: RowsOfData | None


def _arrays(sample: SecondSample, dtype: Any, inference: bool) -> _Arrays:
    base = sample.base
    rows = (base.x, base.dy, base.gamma[:, None], sample.v_dx, sample.v_dgamma[:, None], sample.v_dbeta[:, None])
    given = (base.running_mean[:, None], base.running_variance[:, None])
    x, dy, gamma, v_dx, v_dgamma, v_dbeta, mean, variance = (values.astype(dtype) for values in (*rows, *given))
    eps = np.dtype(dtype).type(base.eps)
    return _Arrays(
        x, dy, gamma, v_dx, v_dgamma, v_dbeta, eps, mean if inference else None, variance if inference else None
    )


def _mean(rows: RowsOfData) -> RowsOfData:
    return np.asarray(rows.mean(axis=1, keepdims=True, dtype=rows.dtype))


def closed_form(sample: SecondSample, dtype: Any, inference: bool = False) -> Seconds:
    """Of the projections, with the products of sums kept apart."""
    a = _arrays(sample, dtype, inference)
    mean = _mean(a.x) if a.mean is None else a.mean
    variance = _mean((a.x - mean) ** 2) if a.variance is None else a.variance
    r = 1 / np.sqrt(variance + a.eps)
    normalised, scale = (a.x - mean) * r, a.gamma * r
    if inference:
        ds_ddy = scale * a.v_dx + a.v_dgamma * normalised + a.v_dbeta
        ds_dgamma = r * (a.dy * a.v_dx).sum(axis=1, keepdims=True)
        return {"ds_dx": a.v_dgamma * a.dy * r, "ds_dgamma": ds_dgamma[:, 0], "ds_ddy": ds_ddy}
    m1, m2 = _mean(a.dy), _mean(a.dy * normalised)
    w1, w2 = _mean(a.v_dx), _mean(a.v_dx * normalised)
    both = _mean(a.dy * a.v_dx) - m1 * w1
    dx = (a.v_dgamma - scale * w2) * (a.dy - m1) - scale * m2 * (a.v_dx - w1)
    dx = dx - normalised * (a.v_dgamma * m2 + scale * (both - 3 * m2 * w2))
    return {
        "ds_dx": r * dx,
        "ds_dgamma": (r * a.x.dtype.type(a.x.shape[1]) * (both - m2 * w2))[:, 0],
        "ds_ddy": scale * (a.v_dx - w1 - normalised * w2) + a.v_dgamma * normalised + a.v_dbeta,
    }


def staged(sample: SecondSample, dtype: Any, inference: bool = False) -> Seconds:
    """Back through the paper's staged gradients, every node by itself."""
    if inference:
        return closed_form(sample, dtype, inference)
    a = _arrays(sample, dtype, False)
    count = a.x.dtype.type(a.x.shape[1])
    centred = a.x - _mean(a.x)
    r = 1 / np.sqrt(_mean(centred * centred) + a.eps)
    normalised = centred * r
    d_normalised = a.dy * a.gamma
    projection = (d_normalised * centred).sum(axis=1, keepdims=True)
    d_variance = -projection * r * r * r / 2
    # Backwards through d_centred = d_normalised r + 2 d_variance centred / n and dx = d_centred - mean(d_centred).
    b_d_centred = a.v_dx - _mean(a.v_dx)
    b_d_normalised = b_d_centred * r
    b_r = (b_d_centred * d_normalised).sum(axis=1, keepdims=True)
    b_d_variance = (b_d_centred * centred).sum(axis=1, keepdims=True) * 2 / count
    b_centred = b_d_centred * (2 * d_variance / count)
    b_projection = -b_d_variance * r * r * r / 2
    b_r = b_r - b_d_variance * projection * 3 * r * r / 2
    b_d_normalised = b_d_normalised + b_projection * centred
    b_centred = b_centred + b_projection * d_normalised + a.v_dgamma * a.dy * r
    b_r = b_r + (a.v_dgamma * a.dy * centred).sum(axis=1, keepdims=True)
    b_variance = -b_r * r * r * r / 2
    b_centred = b_centred + (2 * b_variance / count) * centred
    return {
        "ds_dx": b_centred - _mean(b_centred),
        "ds_dgamma": (b_d_normalised * a.dy).sum(axis=1),
        "ds_ddy": b_d_normalised * a.gamma + a.v_dgamma * normalised + a.v_dbeta,
    }


def torch_autograd(sample: SecondSample, dtype: Any, inference: bool = False) -> Seconds:
    """`create_graph=True` through `torch.nn.functional.batch_norm`."""
    import torch

    torch.set_num_threads(1)
    base = sample.base
    rows = (base.x, base.dy, base.gamma, base.beta, sample.v_dx, sample.v_dgamma, sample.v_dbeta)
    leaves = [torch.tensor(np.ascontiguousarray(v.T if v.ndim == 2 else v).astype(dtype)) for v in rows]
    x, dy, gamma, beta, v_dx, v_dgamma, v_dbeta = leaves
    for leaf in (x, dy, gamma, beta):
        leaf.requires_grad_(True)
    given = [torch.tensor(v.astype(dtype)) for v in (base.running_mean, base.running_variance)]
    y = torch.nn.functional.batch_norm(x, *given, gamma, beta, training=not inference, momentum=0.0, eps=base.eps)
    dx, dgamma, dbeta = torch.autograd.grad(y, (x, gamma, beta), dy, create_graph=True)
    s = (dx * v_dx).sum() + (dgamma * v_dgamma).sum() + (dbeta * v_dbeta).sum()
    ds = torch.autograd.grad(s, (x, gamma, dy))
    return {name: value.detach().numpy().T for name, value in zip(NAMES, ds, strict=True)}


def jax_autodiff(sample: SecondSample, dtype: Any, inference: bool = False) -> Seconds:
    """`jax.grad` of what `jax.vjp` gives of the definition in `jax.numpy`."""
    import jax

    a = _arrays(sample, dtype, inference)
    found = _jax_second(inference)(a.x, a.gamma, a.dy, a.v_dx, a.v_dgamma, a.v_dbeta, a.eps, a.mean, a.variance)
    assert jax.dtypes.result_type(found[0]) == np.dtype(dtype)
    values = (np.asarray(found[0]), np.asarray(found[1])[:, 0], np.asarray(found[2]))
    return dict(zip(NAMES, values, strict=True))


def _jax_second(inference: bool) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    def layer(x: Any, gamma: Any, beta: Any, eps: Any, mean: Any, variance: Any) -> Any:
        if not inference:
            mean = jnp.mean(x, axis=1, keepdims=True)
            variance = jnp.mean((x - mean) ** 2, axis=1, keepdims=True)
        return gamma * (x - mean) / jnp.sqrt(variance + eps) + beta

    def scalar(x: Any, gamma: Any, dy: Any, v: Any, v_dgamma: Any, v_dbeta: Any, *rest: Any) -> Any:
        beta = jnp.zeros_like(gamma)
        _, back = jax.vjp(lambda x, gamma, beta: layer(x, gamma, beta, *rest), x, gamma, beta)
        dx, dgamma, dbeta = back(dy)
        return (dx * v).sum() + (dgamma * v_dgamma).sum() + (dbeta * v_dbeta).sum()

    gradient: Callable[..., Any] = jax.grad(scalar, argnums=(0, 1, 2))
    return gradient


def torch_composite(sample: SecondSample, dtype: Any, inference: bool = False) -> Seconds:
    """`create_graph=True` through y = a x + b with a = gamma / deviation, b = beta - mean a."""
    import torch

    torch.set_num_threads(1)
    a = _arrays(sample, dtype, inference)
    leaves = [torch.tensor(values) for values in (a.x, a.gamma, a.dy)]
    x, gamma, dy = (leaf.requires_grad_(True) for leaf in leaves)
    beta = torch.zeros_like(gamma, requires_grad=True)
    mean = x.mean(1, keepdim=True) if a.mean is None else torch.tensor(a.mean)
    variance = ((x - mean) ** 2).mean(1, keepdim=True) if a.variance is None else torch.tensor(a.variance)
    slope = gamma / torch.sqrt(variance + float(a.eps))
    y = slope * x + (beta - mean * slope)
    dx, dgamma, dbeta = torch.autograd.grad(y, (x, gamma, beta), dy, create_graph=True)
    weighed = zip((dx, dgamma, dbeta), (a.v_dx, a.v_dgamma, a.v_dbeta), strict=True)
    s = sum((value * torch.tensor(weight)).sum() for value, weight in weighed)
    ds_dx, ds_dgamma, ds_ddy = torch.autograd.grad(s, (x, gamma, dy))
    return {"ds_dx": ds_dx.numpy(), "ds_dgamma": ds_dgamma.numpy()[:, 0], "ds_ddy": ds_ddy.numpy()}
