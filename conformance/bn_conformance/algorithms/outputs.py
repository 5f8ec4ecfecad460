"""What an algorithm makes of a batch: every output of a layer, in the formats that a layer gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.algorithms.algorithm import Algorithm
from bn_conformance.algorithms.gradients import Backward, Gradients, Pass, folded_derivative
from bn_conformance.algorithms.stochastic import rounding_at_random
from bn_conformance.algorithms.sums import Rows, Vector, fused
from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.formats import format_of

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class GivenBatch:
    """One batch, and a state to update or to infer from.

    Attributes:
        dtype, parameter_dtype: names of formats.
        eps: of the layer.
        x, dy: rows (C, n) of float64 that hold values of `dtype`.
        gamma, beta, running_mean, running_variance: vectors (C,) of float64 that hold values of `parameter_dtype`.
    """

    dtype: str
    parameter_dtype: str
    eps: float
    x: Rows
    dy: Rows
    gamma: Rows
    beta: Rows
    running_mean: Rows
    running_variance: Rows

    @property
    def channels(self) -> int:
        """How many rows x has."""
        return int(self.x.shape[0])

    @property
    def count(self) -> int:
        """How many values a row has."""
        return int(self.x.shape[1])


class Flushing(np.ndarray):
    """An array whose every operation takes and gives zero for subnormal numbers, as with FTZ and DAZ set."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [_flushed(np.asarray(value)) if isinstance(value, np.ndarray) else value for value in inputs]
        kwargs.pop("out", None)
        result = getattr(ufunc, method)(*plain, **kwargs)
        return _flushed(result).view(Flushing) if isinstance(result, np.ndarray) else result


def _flushed(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind != "f":
        return values
    return np.where(np.abs(values) < np.finfo(values.dtype).tiny, values.dtype.type(0), values)


def ties_away(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers rounded to a narrower format, half away from zero, as `roundf` and some converters do."""
    known = format_of(dtype)
    if values.dtype.itemsize <= dtype.itemsize:
        return values.astype(dtype)
    exponent = np.maximum(np.frexp(values)[1], known.min_exponent + 1) - known.precision
    scaled = np.ldexp(np.abs(values.astype(np.float64)), -exponent)
    with np.errstate(all="ignore"):
        return np.asarray(np.copysign(np.ldexp(np.floor(scaled + 0.5), exponent), values).astype(dtype))


def outputs(algorithm: Algorithm, sample: GivenBatch, momentum: float = 0.25, unbiased: bool = True) -> Outputs:
    """Training (y, dx, dgamma, dbeta, running_mean, running_var) and inference (`inference_y` and so on)."""
    with np.errstate(all="ignore"):
        return _Layer(algorithm, sample).outputs(momentum, unbiased)


def batch_statistics(algorithm: Algorithm, sample: GivenBatch) -> Outputs:
    """Mean and biased variance of the batch (`mean` and `var`), in the format that the algorithm computes in."""
    with np.errstate(all="ignore"):
        layer = _Layer(algorithm, sample)
        mean, variance = algorithm.moments(layer.x, algorithm.add)
    return {"mean": np.asarray(mean), "var": np.asarray(variance)}


class _Layer:
    def __init__(self, algorithm: Algorithm, sample: GivenBatch) -> None:
        self.algorithm, self.sample = algorithm, sample
        self.storage, self.parameters = dtype_of(sample.dtype), dtype_of(sample.parameter_dtype)
        if algorithm.rounds == "everything":
            self.compute = self.storage
        else:
            wide = algorithm.wide or "float64" in (sample.dtype, sample.parameter_dtype)
            self.compute = np.dtype(np.float64 if wide else np.float32)
        self.arrays: type[np.ndarray] | None = Flushing if algorithm.flush else None
        if algorithm.stochastic is not None:
            self.arrays = rounding_at_random(algorithm.stochastic)
        self.x, self.dy = self._in(sample.x), self._in(sample.dy)
        self.gamma, self.beta = self._in(sample.gamma), self._in(sample.beta)
        self.eps = self.compute.type(sample.eps)

    def _in(self, values: Rows) -> Rows:
        kept = values.astype(self.compute)
        return kept if self.arrays is None else kept.view(self.arrays)

    def _round(self, values: Rows, vector: bool = False) -> Rows:
        """A path: rounded to what it is stored in where the algorithm rounds paths (parameters can be wider than x)."""
        kept = self.parameters if vector else self.storage
        return values.astype(kept).astype(self.compute) if self.algorithm.rounds == "paths" else values

    def _store(self, **values: Rows) -> Outputs:
        kept = {name: self.storage if name.endswith(("y", "dx")) else self.parameters for name in values}
        rounded = ties_away if self.algorithm.ties_away else np.ndarray.astype
        return {name: np.asarray(rounded(np.asarray(value), kept[name])) for name, value in values.items()}

    def outputs(self, momentum: float, unbiased: bool) -> Outputs:
        mean, variance = self.algorithm.moments(self.x, self.algorithm.add)
        nodes = self._pass(mean, variance)
        dx, dgamma, dbeta = self._backward(nodes)
        results = self._store(y=self._y(nodes, self.algorithm.folded), dx=dx, dgamma=dgamma, dbeta=dbeta)
        count = self.sample.count
        batch = variance
        if unbiased and count > 1:
            batch = variance * self.compute.type(count) / self.compute.type(count - 1)
        old = self._in(self.sample.running_mean), self._in(self.sample.running_variance)
        results |= self._store(
            running_mean=self._moved(old[0], mean, momentum), running_var=self._moved(old[1], batch, momentum)
        )
        given = self._pass(*old)
        dx, dgamma, dbeta = self._inference_backward(given)
        y = self._y(given, self.algorithm.folded or self.algorithm.folded_inference)
        results |= self._store(inference_y=y, inference_dx=dx, inference_dgamma=dgamma, inference_dbeta=dbeta)
        return results

    def _pass(self, mean: Vector, variance: Vector) -> Pass:
        inverse = self.compute.type(1) / np.sqrt(variance + self.eps)
        if self.algorithm.root_roundings:
            off = self.algorithm.root_roundings * format_of(self.compute).unit_roundoff
            inverse = inverse * self.compute.type(1 + off)
        return Pass(self.x, mean, inverse, self.gamma, self.beta, self.algorithm.add)

    def _y(self, nodes: Pass, folded: bool) -> Rows:
        if folded:
            a = nodes.gamma * nodes.inverse
            return np.asarray(self._round(self.x * a[:, None]) + self._round(nodes.beta - nodes.mean * a)[:, None])
        if self.algorithm.fused:
            return fused(nodes.gamma[:, None], nodes.normalised, nodes.beta[:, None])
        scaled = self._round(nodes.gamma[:, None] * self._round(nodes.normalised))
        return np.asarray(scaled + nodes.beta[:, None])

    def _backward(self, nodes: Pass) -> Gradients:
        backward: Backward = self.algorithm.backward
        if self.algorithm.rounds != "paths":
            return backward(self.dy, nodes)
        normalised = self._round(nodes.normalised)
        d_normalised = self._round(self.dy * nodes.gamma[:, None])
        dbeta = nodes.add(self.dy)
        dgamma = nodes.add(self._round(self.dy * self._round(nodes.normalised, vector=True), vector=True))
        m1, m2 = nodes.add(d_normalised) / nodes.count, nodes.add(self._round(d_normalised * normalised)) / nodes.count
        first = self._round(d_normalised * nodes.inverse[:, None])
        second = self._round(m1 * nodes.inverse)[:, None]
        third = self._round(normalised * self._round(m2 * nodes.inverse)[:, None])
        return self._round(first - second) - third, dgamma, dbeta

    def _inference_backward(self, nodes: Pass) -> Gradients:
        dbeta = nodes.add(self.dy)
        if self.algorithm.backward is folded_derivative:
            dgamma = (nodes.add(self.dy * self.x) - nodes.mean * dbeta) * nodes.inverse
        else:
            dgamma = nodes.add(self._round(self.dy * self._round(nodes.normalised, vector=True), vector=True))
        return self.dy * (nodes.gamma * nodes.inverse)[:, None], dgamma, dbeta

    def _moved(self, old: Vector, batch: Vector, momentum: float) -> Vector:
        new: Any = self.compute.type(momentum)
        if self.algorithm.incremental:
            return np.asarray(old - new * (old - batch))
        kept = self._round((self.compute.type(1) - new) * old, vector=True)
        return np.asarray(kept + self._round(new * batch, vector=True))
