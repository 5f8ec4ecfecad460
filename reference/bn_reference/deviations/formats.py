"""Deviations of formats: results of another dtype or shape, and digits that are lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT16, FLOAT32, FLOAT64, through, through_bfloat16
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Results of another dtype or shape.


def _result(name: str, which: str, sentence: str, effect: str, change: Callable[[PlainLayer, Array], Array]) -> None:
    """Register a layer that gives "y" or "dx" in another format."""

    class Result(PlainLayer):
        def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
            """Change the format of one result."""
            result = super().output(rows, shape, name)
            return change(self, result) if name == which else result

    Result.__doc__ = sentence
    deviation(name, clause="DTYPE-1", effect=effect, numeric=False)(Result)


_WIDER = "the next layer gets another format than it was built for, and memory doubles"
for _which in ("y", "dx"):
    _result(
        f"{_which}-wider",
        _which,
        f"{_which} of 16-bit data is float32.",
        _WIDER,
        lambda layer, value: value.astype(FLOAT32) if value.dtype.itemsize == 2 else value,
    )
    _result(
        f"{_which}-in-float64",
        _which,
        f"{_which} is float64, whatever x is.",
        _WIDER,
        lambda layer, value: value.astype(FLOAT64),
    )
_result(
    "y-flattened",
    "y",
    "y has rank 2, a row per entry of the batch.",
    "the next layer refuses it",
    lambda layer, value: value.reshape(value.shape[0], -1) if value.size else value,
)


@deviation("parameter-gradients-in-float64", clause="DTYPE-1", effect="an optimiser refuses them", numeric=False)
class ParameterGradientsInDouble(PlainLayer):
    """dgamma and dbeta are float64."""

    def backward(self, dy: Array) -> RowGradients:
        """Convert both to float64."""
        dx, dgamma, dbeta = super().backward(dy)
        parts = (None if part is None else part.astype(FLOAT64) for part in (dgamma, dbeta))
        return RowGradients(dx, *parts)


@deviation(
    "parameter-gradients-in-storage", clause="DTYPE-1", effect="gradients of wide parameters lose digits", numeric=False
)
class ParameterGradientsInStorage(PlainLayer):
    """dgamma and dbeta have the format of x, although gamma and beta are wider."""

    def backward(self, dy: Array) -> RowGradients:
        """Convert both to the format of x."""
        dx, dgamma, dbeta = super().backward(dy)
        parts = (None if part is None else part.astype(self.storage) for part in (dgamma, dbeta))
        return RowGradients(dx, *parts)


@deviation("parameter-gradients-as-columns", clause="DTYPE-1", effect="an optimiser broadcasts them", numeric=False)
class ParameterGradientsAsColumns(PlainLayer):
    """dgamma and dbeta have shape (C, 1)."""

    def backward(self, dy: Array) -> RowGradients:
        """Give both as columns."""
        dx, dgamma, dbeta = super().backward(dy)
        parts = (None if part is None else part[:, None] for part in (dgamma, dbeta))
        return RowGradients(dx, *parts)


@deviation("statistics-as-rows", clause="DTYPE-1", effect="a saved model does not load elsewhere", numeric=False)
class StatisticsAsRows(PlainLayer):
    """Running statistics have shape (1, C)."""

    def running_statistics(self) -> tuple[Array, Array]:
        """Give both as rows."""
        mean, variance = super().running_statistics()
        return mean[None, :], variance[None, :]


@deviation(
    "statistics-in-storage",
    clause="DTYPE-4",
    effect="running statistics of 16-bit layers stop moving",
    link="https://github.com/NVIDIA/apex/pull/144",
)
class StatisticsInStorage(PlainLayer):
    """Running statistics are kept in the format of x, although the parameters are wider."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.statistics_dtype = self.storage
        self.running_mean = self.running_mean.astype(self.statistics_dtype)
        self.running_var = self.running_var.astype(self.statistics_dtype)


# Digits lost in running statistics and parameters.


def _kept(name: str, sentence: str, effect: str, change: Callable[[PlainLayer, Array], Array], clause: str) -> None:
    """Register a layer that rounds each running statistic when it moves, in an array of the right format."""

    class Kept(PlainLayer):
        def blend(self, old: Array, new: Array, weights: Any) -> Array:
            """Round the new value."""
            blended = super().blend(old, new, weights)
            return self.store(change(self, self.wide(blended)), self.statistics_dtype)

    Kept.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Kept)


_kept(
    "statistics-kept-in-float16",
    "Running statistics are rounded to float16 after each step.",
    "running statistics stop moving at small momentum, and overflow at 65504",
    lambda layer, values: through(layer, values, FLOAT16),
    "STAT-1",
)
_kept(
    "statistics-kept-in-bfloat16",
    "Running statistics are rounded to bfloat16 after each step.",
    "running statistics stop moving at small momentum",
    through_bfloat16,
    "STAT-1",
)
_kept(
    "statistics-of-float64-kept-in-float32",
    "Running statistics of a float64 layer are rounded to float32.",
    "inference of float64 layers has seven digits",
    lambda layer, values: through(layer, values, FLOAT32),
    "DTYPE-3",
)


@deviation("set-statistics-rounded", clause="DTYPE-4", effect="converted statistics lose digits")
class SetStatisticsRounded(PlainLayer):
    """Running statistics that are set are rounded to the format of x."""

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Round both to the format of x."""
        super().set_running_statistics(mean.astype(self.storage), variance.astype(self.storage))


@deviation("inference-rounds-statistics", clause="DTYPE-4", effect="the digits are there and have no effect")
class InferenceRoundsStatistics(PlainLayer):
    """Inference rounds the running statistics to the format of x before it uses them."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by rounded statistics in inference."""
        kept = self.running_mean, self.running_var
        if not self.uses_batch(training):
            self.running_mean, self.running_var = (part.astype(self.storage).astype(part.dtype) for part in kept)
        saved = super().normalisers(x, mask, training)
        if not self.uses_batch(training):
            self.running_mean, self.running_var = kept
        return saved


@deviation(
    "parameters-rounded",
    clause="DTYPE-5",
    effect="wide parameters have no more effect than narrow ones",
    link="https://github.com/apple/coreai-torch/pull/54",
)
class ParametersRounded(PlainLayer):
    """gamma and beta are rounded to the format of x before they are used."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Scale and shift with rounded parameters."""
        kept = self.gamma, self.beta
        self.gamma, self.beta = (part.astype(self.storage).astype(part.dtype) for part in kept)
        try:
            return super().scale_and_shift(normalised, mode)
        finally:
            self.gamma, self.beta = kept
