"""A plain implementation that must pass every case: NumPy, all arithmetic in float64, one rounding at the end.

Tests of the suite override one small method at a time to make mistakes on purpose (`mistakes/`).
"""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np
from tests.support.good_shards import GoodShards

from bn_conformance.adapter import (
    CUMULATIVE,
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
    SecondOrder,
)

EVERYTHING = Capabilities(
    dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
    mixed=frozenset({("float16", "float32"), ("bfloat16", "float32"), ("float32", "float64")}),
    layouts=frozenset({"first", "last", "between"}),
    affine=frozenset({"both", "none", "gamma", "beta"}),
    cumulative=True,
    freeze=True,
    threads=True,
    masks=True,
    second_order=frozenset({"training", "inference"}),
    shards=frozenset({"equal", "unequal", "empty", "masked"}),
)

DEFAULT_EPS, DEFAULT_MOMENTUM = 1e-5, 0.1


def dtype_named(name: str) -> np.dtype[np.generic]:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


class GoodLayer(GoodShards):
    """Works on rows of shape (C, n), kept in `self.work`, the dtype of all arithmetic."""

    work: np.dtype[np.generic] = np.dtype(np.float64)
    threads = 1
    """How many threads a mistake would have; the right layer computes alike with any number."""
    initial_variance = 1.0

    def __init__(self, config: LayerConfig) -> None:
        self.config = config
        channels = config.num_channels
        self.storage, self.wide = dtype_named(config.dtype), dtype_named(config.parameter_dtype)
        self.eps = DEFAULT_EPS if config.eps is None else config.eps
        self.momentum = DEFAULT_MOMENTUM if config.momentum is None else config.momentum
        self.gamma: Array = np.ones(channels, self.wide)
        self.beta: Array = np.zeros(channels, self.wide)
        self.running_mean: Array = np.zeros(channels, self.wide)
        self.running_var: Array = np.full(channels, self.initial_variance, self.wide)
        self.steps = 0
        self.frozen = False
        self.latest: tuple[Array, Array, bool] | None = None
        self.shape: tuple[int, ...] = ()
        """Shape of the latest y."""
        self.gamma_then = self.gamma
        """gamma at the latest forward, which its backward uses."""
        self.weights: Array | None = None
        """1 where a position of the latest forward counts and 0 elsewhere; None without a mask."""

    # What a mistake overrides.

    def axis(self, x: Array) -> int:
        return self.config.channel_axis

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = rows.mean(axis=1)
        return mean, np.square(rows - mean[:, None]).mean(axis=1)

    def inverse(self, variance: Array) -> Array:
        return np.asarray(1.0 / np.sqrt(variance + self.work.type(self.eps)))

    def inverse_in_inference(self, variance: Array) -> Array:
        return self.inverse(variance)

    def scale_and_shift(self, xhat: Array) -> Array:
        return self._column(self.gamma) * xhat + self._column(self.beta)

    def weight_of_new(self) -> float:
        return 1.0 / self.steps if self.momentum == CUMULATIVE else float(self.momentum)

    def move(self, mean: Array, variance: Array, count: int) -> None:
        weight = self.weight_of_new()
        unbiased = variance * (count / (count - 1))
        self.running_mean = ((1.0 - weight) * self._wide(self.running_mean) + weight * mean).astype(self.wide)
        self.running_var = ((1.0 - weight) * self._wide(self.running_var) + weight * unbiased).astype(self.wide)

    def counted(self, mask: Array) -> Array:
        return self._rows(mask)[0]

    def masked_statistics(self, rows: Array, weights: Array) -> tuple[Array, Array]:
        return self.statistics(rows[:, weights > 0])

    def masked_dx(self, dy: Array, xhat: Array, inverse: Array, weights: Array) -> Array:
        sums = dy.sum(axis=1)[:, None] + xhat * (dy * xhat).sum(axis=1)[:, None]
        return np.asarray(self._column(self.gamma_then) * inverse[:, None] * (dy - weights * sums / weights.sum()))

    def project(self, rows: Array, xhat: Array) -> Array:
        return np.asarray(rows - rows.mean(axis=1)[:, None] - xhat * (rows * xhat).mean(axis=1)[:, None])

    def ds_dx(self, dy: Array, v: Array, v_dgamma: Array, xhat: Array, inverse: Array) -> Array:
        scale = self._column(self.gamma_then) * inverse
        along_dy, along_v = (dy * xhat).mean(axis=1)[:, None], (v * xhat).mean(axis=1)[:, None]
        own, other = self.project(dy, xhat), self.project(v, xhat)
        both = (v * own).mean(axis=1)[:, None]
        return np.asarray(inverse * ((v_dgamma - scale * along_v) * own - scale * (along_dy * other + xhat * both)))

    def ds_dgamma(self, dy: Array, v: Array, xhat: Array, inverse: Array) -> Array:
        return np.asarray((inverse * v * self.project(dy, xhat)).sum(axis=1))

    def ds_ddy(self, v: Array, v_dgamma: Array, v_dbeta: Array, xhat: Array, inverse: Array) -> Array:
        return np.asarray(self._column(self.gamma_then) * inverse * self.project(v, xhat) + v_dgamma * xhat + v_dbeta)

    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        inner = dy - dy.mean(axis=1)[:, None] - xhat * (dy * xhat).mean(axis=1)[:, None]
        return np.asarray(self._column(self.gamma_then) * inverse[:, None] * inner)

    def dx_in_inference(self, dy: Array, inverse: Array) -> Array:
        return np.asarray(self._column(self.gamma_then) * inverse[:, None] * dy)

    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        return np.asarray((dy * xhat).sum(axis=1))

    def dbeta(self, dy: Array) -> Array:
        return np.asarray(dy.sum(axis=1))

    def uses_batch(self, training: bool) -> bool:
        return training and not self.frozen

    def moves(self, training: bool) -> bool:
        return training and not self.frozen

    def check(self, x: Array) -> None:
        config = self.config
        if x.ndim != config.rank:
            raise ValueError(f"x has rank {x.ndim}; this layer was built for rank {config.rank}")
        if x.dtype != self.storage:
            raise TypeError(f"x is of {x.dtype}; this layer was built for {self.storage}")
        if x.shape[config.channel_axis] != config.num_channels:
            raise ValueError(f"x has {x.shape[config.channel_axis]} channels; this layer has {config.num_channels}")

    def check_dy(self, dy: Array) -> None:
        if dy.shape != self.shape:
            raise ValueError(f"dy has shape {dy.shape}; y had {self.shape}")

    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return self._back(rows, shape, self.storage)

    # The layer.

    def forward(self, x: Array, training: bool) -> Array:
        self.weights = None
        return self._forward(x, training)

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        self.weights = self.counted(mask)
        return self._forward(x, training)

    def _forward(self, x: Array, training: bool) -> Array:
        self.check(x)
        self.shape, self.gamma_then = x.shape, self.gamma
        rows = self._rows(x)
        count = rows.shape[1] if self.weights is None else int(self.weights.sum())
        if self.uses_batch(training):
            if count < 2:
                raise ValueError(f"training needs 2 values a channel or more; x has {count}")
            mean, variance = self._batch_statistics(rows)
            inverse = self.inverse(variance)
            if self.moves(training):
                self.steps += 1
                self.move(mean, variance, count)
        else:
            mean, inverse = self._wide(self.running_mean), self.inverse_in_inference(self._wide(self.running_var))
        xhat = (rows - mean[:, None]) * inverse[:, None]
        self.latest = rows, np.stack([mean, inverse]), self.uses_batch(training)
        return self.finish(self.scale_and_shift(xhat), x.shape)

    def _batch_statistics(self, rows: Array) -> tuple[Array, Array]:
        if self.sizes:
            return self.merged(rows)
        return self.statistics(rows) if self.weights is None else self.masked_statistics(rows, self.weights)

    def backward(self, dy: Array) -> Gradients:
        if self.latest is None:
            raise RuntimeError("backward before forward")
        rows, (mean, inverse), batch = self.latest
        self.check_dy(dy)
        grad = self._rows(dy)
        xhat = (rows - mean[:, None]) * inverse[:, None]
        if batch and self.weights is not None:
            dx = self.masked_dx(grad, xhat, inverse, self.weights)
        else:
            dx = self.dx_in_training(grad, xhat, inverse) if batch else self.dx_in_inference(grad, inverse)
        return Gradients(
            self._back(dx, dy.shape, self.storage),
            self.dgamma(grad, xhat, rows).astype(self.wide) if self.config.gamma else None,
            self.dbeta(grad).astype(self.wide) if self.config.beta else None,
        )

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        if self.latest is None:
            raise RuntimeError("double_backward before forward")
        rows, (mean, inverse), batch = self.latest
        grad, v, column = self._rows(dy), self._rows(v_dx), inverse[:, None]
        xhat = (rows - mean[:, None]) * column
        nothing = np.zeros(len(mean), self.wide)
        of_gamma, of_beta = (self._column(nothing if part is None else part) for part in (v_dgamma, v_dbeta))
        if batch:
            ds_dx, ds_dgamma = self.ds_dx(grad, v, of_gamma, xhat, column), self.ds_dgamma(grad, v, xhat, column)
            ds_ddy = self.ds_ddy(v, of_gamma, of_beta, xhat, column)
        else:
            ds_dx, ds_dgamma = of_gamma * column * grad, (column * grad * v).sum(axis=1)
            ds_ddy = self._column(self.gamma_then) * column * v + of_gamma * xhat + of_beta
        return SecondOrder(
            self._back(ds_dx, dy.shape, self.storage),
            ds_dgamma.astype(self.wide) if self.config.gamma else None,
            self._back(ds_ddy, dy.shape, self.storage),
        )

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self.running_mean.copy(), self.running_var.copy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.running_mean, self.running_var = mean.astype(self.wide), variance.astype(self.wide)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        for vector in (gamma, beta):
            if vector is not None and vector.shape != (self.config.num_channels,):
                raise ValueError(f"a vector has shape {vector.shape}; allowed is ({self.config.num_channels},)")
        self.gamma = self.gamma if gamma is None else gamma.copy()
        self.beta = self.beta if beta is None else beta.copy()

    def state(self) -> Mapping[str, Array]:
        named = {name: getattr(self, name).copy() for name in ("gamma", "beta", "running_mean", "running_var")}
        return {**named, "steps": np.array(self.steps)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        if state.keys() != self.state().keys():
            raise ValueError(f"the state has {', '.join(state)}; allowed are {', '.join(self.state())}")
        self.set_parameters(state["gamma"], state["beta"])
        self.set_running_statistics(state["running_mean"], state["running_var"])
        self.steps = int(state["steps"])

    def freeze(self) -> None:
        self.frozen = True

    def _rows(self, x: Array) -> Array:
        moved = np.moveaxis(x, self.axis(x), 0)
        count = int(np.prod(moved.shape[1:], dtype=np.int64))
        return moved.reshape(moved.shape[0], count).astype(self.work, order="C")  # in rows NumPy sums pairwise

    def _back(self, rows: Array, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        axis = self.axis(np.empty(shape, np.bool_))
        moved = (shape[axis], *shape[:axis], *shape[axis + 1 :])
        with np.errstate(over="ignore", invalid="ignore"):
            return np.moveaxis(rows.reshape(moved), 0, axis).astype(dtype, order="C")

    def _wide(self, vector: Array) -> Array:
        return vector.astype(self.work)

    def _column(self, vector: Array) -> Array:
        return vector.astype(self.work)[:, None]


class GoodNumpy(Adapter):
    """The adapter; a mistake is a subclass with another `layer`."""

    name = "good.numpy"
    convention = Convention()
    capabilities = EVERYTHING
    layer: type[GoodLayer] = GoodLayer

    def build(self, config: LayerConfig) -> Layer:
        return self.layer(config)

    def set_threads(self, count: int) -> None:
        GoodLayer.threads = count
