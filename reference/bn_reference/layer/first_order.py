"""The state and the decisions of the plain layer: each step of a forward and of a backward is a small method.

A *deviation* (`bn_reference.deviations`) overrides one of these methods. Rows have shape (C, n), a row per channel;
vectors have shape (C,); columns have shape (C, 1), which a deviation may widen to (C, n).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.channels import channels_back, channels_first
from bn_reference.arithmetic.quad import QUAD, round_to, to_float64, to_quad
from bn_reference.definition.running import Weights, eps_of, weights_of
from bn_reference.definition.state import LayerFormats
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

Array = NDArray[Any]
Mode = Literal["training", "inference"]


@dataclass(frozen=True)
class Saved:
    """What a forward saves for its backward.

    Attributes:
        rows: x as rows.
        mean, inverse: the columns that normalised x: mean and 1 / sqrt(variance + eps).
        counted: a row of n booleans, True where a position counts.
        mode: whether the statistics were of the batch ("training") or running ones ("inference").
        shape: of x.
        gamma: a column.
    """

    rows: Array
    mean: Array
    inverse: Array
    counted: Array
    mode: Mode
    shape: tuple[int, ...]
    gamma: Array


class FirstOrder:
    """The state of a layer, and each decision of a forward and of a backward as a method.

    Args:
        config: the layer.
        convention: the choices that it makes.
        dtype_of: gives the NumPy dtype of a format's name (NumPy itself has no bfloat16).
        work: dtype of all arithmetic: float64 (the default), `QUAD` or float32.
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
        formats = LayerFormats.of(config, convention)
        self.storage, self.parameters = dtype_of(formats.storage.name), dtype_of(formats.parameters.name)
        self.statistics_dtype = dtype_of(formats.statistics.name)
        channels = config.num_channels
        self.eps = _eps(config, convention, self.work)
        self.gamma: Array = np.ones(channels, self.parameters)
        self.beta: Array = np.zeros(channels, self.parameters)
        self.running_mean: Array = np.zeros(channels, self.statistics_dtype)
        self.running_var: Array = np.full(channels, convention.initial_running_variance).astype(self.statistics_dtype)
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

    def kept(self, saved: Saved) -> Saved:
        """What a forward keeps for its backward, and shows as its saved statistics."""
        return saved

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
        """The variance of a batch that enters the running variance."""
        if self.convention.running_variance == "unbiased" and count > 1:
            variance = variance * self.constant(float(count)) / self.constant(float(count - 1))
        return variance + self.eps if self.convention.eps_in_running_variance else variance

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Average the statistics of a batch, vectors of shape (C,), into the running statistics."""
        weights = self.weights()
        self.running_mean = self.blend(self.running_mean, mean, weights)
        self.running_var = self.blend(self.running_var, self.estimate(variance, count), weights)
        self.updates += 1

    def blend(self, old: Array, new: Array, weights: Weights) -> Array:
        """The new running statistic, as it is kept."""
        return self.store(weights.old * self.wide(old) + weights.new * new, self.statistics_dtype)

    def moment(self) -> str:
        """When running statistics move: in "forward", in "backward" or by an "explicit" update."""
        return self.convention.statistics_move

    def settle(self, moment: str) -> None:
        """Move the running statistics if a batch is pending and this is the moment."""
        if self.pending is not None and moment == self.moment():
            self.move(*self.pending)
            self.pending = None

    # Decisions of a backward.

    def taken(self, saved: Saved) -> Saved:
        """What the forward kept, as the backward takes it."""
        return saved

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Sum of dy times the normalised value: a column."""
        return self.total(dy * normalised, "dgamma")

    def dbeta(self, dy: Array) -> Array:
        """Sum of dy: a column."""
        return self.total(dy, "dbeta")

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Gradient of x: rows. In training it flows through the statistics of the batch too."""
        scale = self.outer_scale(saved)
        if saved.mode == "inference":
            return scale * dy
        through = self.mean_term(dy, saved) + self.variance_term(dy, normalised, saved)
        return np.asarray(scale * (dy - np.where(saved.counted, through, self.constant(0.0))))

    def outer_scale(self, saved: Saved) -> Array:
        """gamma / sqrt(variance + eps)."""
        return np.asarray(saved.gamma * saved.inverse)

    def mean_term(self, dy: Array, saved: Saved) -> Array:
        """The part of the gradient that flows through the mean: a column."""
        return np.asarray(self.total(dy, "dbeta") / self.count(saved.counted))

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """The part of the gradient that flows through the variance: rows."""
        return np.asarray(normalised * (self.total(dy * normalised, "dgamma") / self.count(saved.counted)))

    # Input and output.

    def rows_of(self, x: Array) -> Array:
        """x as rows in the working dtype."""
        return self.wide(np.ascontiguousarray(channels_first(x, self.axis(x))))

    def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
        """Rows of "y" or "dx" as an array of the format of x."""
        return np.ascontiguousarray(channels_back(self.deliver(rows, self.storage), shape, self.axis(np.empty(shape))))

    def check(self, x: Array) -> None:
        """Refuse an x that the layer was not built for.

        Raises:
            ValueError: x has another rank or another number of channels.
            TypeError: x has another dtype.
        """
        config = self.config
        if x.ndim != config.rank:
            raise ValueError(f"x has rank {x.ndim}; allowed is {config.rank}, for which the layer was built")
        if x.dtype != self.storage:
            raise TypeError(f"x is of dtype {x.dtype}; allowed is {self.storage}, for which the layer was built")
        if x.shape[config.channel_axis] != config.num_channels:
            channels = x.shape[config.channel_axis]
            raise ValueError(f"x has {channels} channel{'s' * (channels != 1)}; allowed are {config.num_channels}")

    def check_count(self, count: int) -> None:
        """Refuse training on too few values per channel.

        Raises:
            ValueError: there are fewer than two.
        """
        if count < 2 and self.config.num_channels:
            raise ValueError(f"x has {count} values a channel; training needs 2 or more")

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
        """A result (y or a gradient) as the caller gets it: rounded to its format."""
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
    """The layer's eps; cached, because rounding it from binary128 costs more than the rest of building a layer."""
    return _constant(eps_of(config, convention), work)


@lru_cache(maxsize=4096)
def _weights(config: LayerConfig, convention: Convention, updates: int, work: np.dtype[Any]) -> Weights:
    """The weights of an update; cached, because binary128 would cost more than the whole step of a small layer."""
    exact = weights_of(config, convention, updates)
    return Weights(_constant(exact.old, work), _constant(exact.new, work))
