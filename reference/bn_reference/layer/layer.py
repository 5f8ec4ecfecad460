"""A whole layer in plain NumPy, under any convention, every decision a method of its own.

It is the definition as an implementer would write it: state, training and inference, gradients, save and load. The
methods are small so that a *deviation* (`bn_reference.deviations`) can override exactly one decision. It is not the
golden, which `golden.golden` computes from the graph in binary128 together with its bounds; tests hold the two
together. All arithmetic is in one working dtype, float64 or binary128, with one rounding where a result is stored.

Rows have shape (C, n), a row per channel; columns have shape (C, 1) (a deviation may make them (C, n)); vectors (C,).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.channels import channels_back, channels_first
from bn_reference.arithmetic.quad import QUAD, quietly, round_to, to_float64, to_quad
from bn_reference.definition.graph import RowGradients
from bn_reference.definition.running import Weights, eps_of, weights_of
from bn_reference.definition.state import Formats
from bn_reference.layer.second_order import DoubleBackward
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

Array = NDArray[Any]
Mode = Literal["training", "inference"]


@dataclass(frozen=True)
class Saved:
    """What a forward leaves for its backward: rows of x, the columns that normalised them, and gamma as a column."""

    rows: Array
    mean: Array
    inverse: Array
    counted: Array
    mode: Mode
    shape: tuple[int, ...]
    gamma: Array


class PlainLayer(DoubleBackward):
    """One layer.

    Args:
        config: the layer.
        convention: the choices it makes.
        dtype_of: the NumPy dtype of a format's name (bfloat16 is not NumPy's own).
        work: dtype of all arithmetic: float64, `QUAD`, or float32 to be like an implementation of it.
    """

    def __init__(
        self,
        config: LayerConfig,
        convention: Convention,
        dtype_of: Callable[[str], np.dtype[Any]] = np.dtype,
        work: np.dtype[Any] | None = None,
    ) -> None:
        self.config, self.convention = config, convention
        self.work = np.dtype(np.float64) if work is None else work
        formats = Formats.of(config, convention)
        self.storage, self.parameters = dtype_of(formats.storage.name), dtype_of(formats.parameters.name)
        self.kept = dtype_of(formats.statistics.name)
        channels = config.num_channels
        self.eps = _eps(config, convention, self.work)
        self.gamma: Array = np.ones(channels, self.parameters)
        self.beta: Array = np.zeros(channels, self.parameters)
        self.running_mean: Array = np.zeros(channels, self.kept)
        self.running_var: Array = np.full(channels, convention.initial_running_variance).astype(self.kept)
        self.updates = 0
        self.frozen = False
        self.shape: tuple[int, ...] = ()
        self.saved: Saved | None = None
        self.pending: tuple[Array, Array, int] | None = None

    # Decisions of a forward.

    def axis(self, x: Array) -> int:
        """The channel axis of x."""
        return self.config.channel_axis

    def total(self, rows: Array, purpose: str) -> Array:
        """Sum of each row as a column, for "mean", "variance", "dgamma" or "dbeta"."""
        return np.asarray(rows.sum(axis=1, keepdims=True)) if rows.size else np.zeros((rows.shape[0], 1), rows.dtype)

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Mean of the counted values of each row."""
        return np.asarray(self.total(np.where(counted, rows, self.constant(0.0)), "mean") / self.count(counted))

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Biased variance of the counted values of each row."""
        centred = np.where(counted, rows - mean, self.constant(0.0))
        return np.asarray(self.total(centred * centred, "variance") / self.count(counted))

    def count(self, counted: Array) -> Any:
        """How many values are averaged."""
        return self.constant(float(counted.sum()))

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """1 / sqrt(variance + eps)."""
        return np.asarray(1 / self.root(variance + self.eps_in(mode)))

    def root(self, values: Array) -> Array:
        """The square root."""
        return np.asarray(np.sqrt(values))

    def eps_in(self, mode: Mode) -> Any:
        """The eps that a mode adds to the variance."""
        return self.eps if mode == "training" or self.convention.eps_in_inference else self.constant(0.0)

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """gamma * normalised + beta."""
        return np.asarray(self.column(self.gamma) * normalised + self.column(self.beta))

    def uses_batch(self, training: bool) -> bool:
        """Whether the batch's statistics normalise."""
        return training and not self.frozen

    def moves(self, training: bool) -> bool:
        """Whether the running statistics move."""
        return training and not self.frozen

    # Decisions about running statistics.

    def weights(self) -> Weights:
        """Weights of the old and of the new statistic in this update."""
        return _weights(self.config, self.convention, self.updates, self.work)

    def estimate(self, variance: Array, count: int) -> Array:
        """What the running variance takes in."""
        if self.convention.running_variance == "unbiased" and count > 1:
            variance = variance * self.constant(float(count)) / self.constant(float(count - 1))
        return variance + self.eps if self.convention.eps_in_running_variance else variance

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Take vectors of batch statistics into the running ones."""
        weights = self.weights()
        self.running_mean = self.blend(self.running_mean, mean, weights)
        self.running_var = self.blend(self.running_var, self.estimate(variance, count), weights)
        self.updates += 1

    def blend(self, old: Array, new: Array, weights: Weights) -> Array:
        """The new running statistic, as it is kept."""
        return self.store(weights.old * self.wide(old) + weights.new * new, self.kept)

    def moment(self) -> str:
        """When statistics move: in forward, in backward or by an explicit update."""
        return self.convention.statistics_move

    def settle(self, moment: str) -> None:
        """Move the statistics if this is the moment."""
        if self.pending is not None and moment == self.moment():
            self.move(*self.pending)
            self.pending = None

    # Decisions of a backward.

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Sum of dy times the normalised value: a column."""
        return self.total(dy * normalised, "dgamma")

    def dbeta(self, dy: Array) -> Array:
        """Sum of dy: a column."""
        return self.total(dy, "dbeta")

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Gradient of x: through the statistics of the batch in training, past them in inference."""
        scale = self.outer_scale(saved)
        if saved.mode == "inference":
            return scale * dy
        through = self.mean_term(dy, saved) + self.variance_term(dy, normalised, saved)
        return np.asarray(scale * (dy - np.where(saved.counted, through, self.constant(0.0))))

    def outer_scale(self, saved: Saved) -> Array:
        """gamma / sqrt(variance + eps)."""
        return np.asarray(saved.gamma * saved.inverse)

    def mean_term(self, dy: Array, saved: Saved) -> Array:
        """What flows through the mean."""
        return np.asarray(self.total(dy, "dbeta") / self.count(saved.counted))

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """What flows through the variance."""
        return np.asarray(normalised * (self.total(dy * normalised, "dgamma") / self.count(saved.counted)))

    # Input and output.

    def rows_of(self, x: Array) -> Array:
        """x as rows in the working dtype."""
        return self.wide(np.ascontiguousarray(channels_first(x, self.axis(x))))

    def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
        """Rows of "y" or "dx" as an array of the format of x."""
        return np.ascontiguousarray(channels_back(self.deliver(rows, self.storage), shape, self.axis(np.empty(shape))))

    def check(self, x: Array) -> None:
        """Refuse what the layer was not built for.

        Raises:
            ValueError: x has another rank or other channels.
            TypeError: x has another dtype.
        """
        config = self.config
        if x.ndim != config.rank:
            raise ValueError(f"x has rank {x.ndim}; allowed is {config.rank}, for which the layer was built")
        if x.dtype != self.storage:
            raise TypeError(f"x is of dtype {x.dtype}; allowed is {self.storage}, for which the layer was built")
        if x.shape[config.channel_axis] != config.num_channels:
            raise ValueError(f"x has {x.shape[config.channel_axis]} channels; allowed are {config.num_channels}")

    def check_count(self, count: int) -> None:
        """Refuse training on too few values a channel.

        Raises:
            ValueError: there are fewer than two.
        """
        if count < 2 and self.config.num_channels:
            raise ValueError(f"x has {count} values a channel; training needs 2 or more")

    # The layer, as an adapter offers it.

    def forward(self, x: Array, training: bool) -> Array:
        """y of shape and dtype of x; in training the running statistics move (or wait for their moment)."""
        return self.forward_masked(x, None, training)

    @quietly
    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """As `forward`, with statistics over the positions where the mask (1 along the channel axis) is true."""
        self.check(x)
        self.shape = x.shape
        rows, saved = self.rows_of(x), self.normalisers(x, mask, training)
        self.saved = saved
        return self.output(self.scale_and_shift((rows - saved.mean) * saved.inverse, saved.mode), x.shape, "y")

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Which values count: a row of n booleans."""
        if mask is None:
            return np.ones((1, x.size // max(x.shape[self.axis(x)], 1)), np.bool_)
        return channels_first(mask, self.config.channel_axis).astype(np.bool_)

    def batch_values(self) -> float:
        """How many values a channel the latest x has."""
        axis = self.config.channel_axis
        return float(np.prod([size for place, size in enumerate(self.shape) if place != axis], dtype=np.float64))

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """What normalises x, from the batch or from the running statistics, which move if they should."""
        rows, counted = self.rows_of(x), self.counted(x, mask)
        mode: Mode = "training" if self.uses_batch(training) else "inference"
        self.pending = None
        if mode == "training":
            count = int(counted.sum())
            self.check_count(count)
            mean = self.mean_of(rows, counted)
            variance = self.variance_of(rows, mean, counted)
            if self.moves(training):
                self.pending = mean.mean(axis=1), variance.mean(axis=1), count
                self.settle("forward")
        else:
            mean, variance = self.column(self.running_mean), self.column(self.running_var)
        return Saved(rows, mean, self.normaliser(variance, mode), counted, mode, x.shape, self.column(self.gamma))

    @quietly
    def backward(self, dy: Array) -> RowGradients:
        """dx like x; dgamma and dbeta of shape (C,), each None where the layer has no such parameter.

        Raises:
            RuntimeError: no forward came before.
            ValueError: dy has another shape than y.
        """
        saved = self.saved
        if saved is None:
            raise RuntimeError("backward before forward; call forward first")
        if dy.shape != saved.shape:
            raise ValueError(f"dy has shape {dy.shape}; allowed is that of y, {saved.shape}")
        rows = self.rows_of(dy)
        normalised = (saved.rows - saved.mean) * saved.inverse
        dx = self.output(self.dx(rows, normalised, saved), dy.shape, "dx")
        dgamma = self.deliver(self.dgamma(rows, normalised)[:, 0], self.parameters) if self.config.gamma else None
        dbeta = self.deliver(self.dbeta(rows)[:, 0], self.parameters) if self.config.beta else None
        self.settle("backward")
        return RowGradients(dx, dgamma, dbeta)  # type: ignore[arg-type]

    def update_statistics(self) -> None:
        """The explicit update."""
        self.settle("explicit")

    def running_statistics(self) -> tuple[Array, Array]:
        """Running mean and variance, copied."""
        return self.running_mean.copy(), self.running_var.copy()

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set both running statistics."""
        self.running_mean, self.running_var = mean.astype(self.kept), variance.astype(self.kept)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Set gamma and beta; None leaves one as it is."""
        self.gamma = self.gamma if gamma is None else gamma.astype(self.parameters)
        self.beta = self.beta if beta is None else beta.astype(self.parameters)

    def state(self) -> Mapping[str, Array]:
        """What a saved model holds; being frozen is no part of it."""
        named = {name: getattr(self, name).copy() for name in ("gamma", "beta", "running_mean", "running_var")}
        return {**named, "updates": np.array(self.updates)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load what `state` gave."""
        self.set_parameters(state["gamma"], state["beta"])
        self.set_running_statistics(state["running_mean"], state["running_var"])
        self.updates = int(state["updates"])

    def freeze(self) -> None:
        """Use the running statistics from now on, and never move them."""
        self.frozen = True

    # Dtypes.

    def constant(self, value: Any) -> Any:
        """A number in the working dtype."""
        return _constant(value, self.work)

    def wide(self, values: Array) -> Array:
        """An array in the working dtype."""
        return to_quad(values) if self.work == QUAD else values.astype(self.work)

    def store(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """An array rounded to a format."""
        if self.work == QUAD:
            return round_to(np.ascontiguousarray(values), dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            return values.astype(dtype)

    def deliver(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """A result (y or a gradient) as it is handed out: rounded to its format."""
        return self.store(values, dtype)

    def column(self, vector: Array) -> Array:
        """A vector as a column in the working dtype."""
        return self.wide(vector)[:, None]


def _constant(value: Any, work: np.dtype[Any]) -> Any:
    if work == QUAD:
        return to_quad(value)
    double = np.float64(value) if isinstance(value, int | float) else to_float64(to_quad(value))[()]
    return double.astype(work)


@lru_cache(maxsize=4096)
def _eps(config: LayerConfig, convention: Convention, work: np.dtype[Any]) -> Any:
    """Kept, because rounding it out of binary128 costs more than the rest of building a layer."""
    return _constant(eps_of(config, convention), work)


@lru_cache(maxsize=4096)
def _weights(config: LayerConfig, convention: Convention, updates: int, work: np.dtype[Any]) -> Weights:
    """Kept, because making them in binary128 costs more than a small layer's whole step."""
    exact = weights_of(config, convention, updates)
    return Weights(_constant(exact.old, work), _constant(exact.new, work))
