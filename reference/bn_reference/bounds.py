"""Error bounds of BOUNDS.md, evaluated in binary128 for the data of a case, a bound for every number.

All rows have shape (C, n), all vectors (C,). A bound comes with the channels it means anything for: elsewhere it is
vacuous and judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bn_reference.formats import Format
from bn_reference.graph import Forward, RowGradients, column, mean_of, sum_of
from bn_reference.grades import SAFETY, VACUOUS, Grade, path_length
from bn_reference.quad import QUAD, Quad, to_quad

ROOT = 4.0
"""a of BOUNDS.md: roundings allowed to adding eps, the root and the division together."""


class Bound(NamedTuple):
    """Allowed absolute error (rows or a vector) and the channels, of shape (C,), where it is not vacuous."""

    allowed: Quad
    meaningful: NDArray[np.bool_]


@dataclass(frozen=True)
class Precision:
    """Roundoffs of one computation: `u` of the arithmetic (times SAFETY), `u_s` of storing a result, and underflow.

    `eta` is the smallest normal number of the arithmetic, since implementations flush subnormals; `eta_s` is half the
    spacing of the storage format's subnormals where that is another format.
    """

    u: Any
    u_s: Any
    eta: Any
    eta_s: Any

    @classmethod
    def of(cls, compute: Format, storage: Format, grade: Grade) -> Precision:
        """Precision of a grade that computes in one format and stores in another."""
        narrower = storage.precision < compute.precision
        arithmetic = storage if narrower and grade.storage_precision else compute
        u_s = storage.unit_roundoff if narrower else 0.0
        eta_s = storage.smallest_normal * storage.unit_roundoff if narrower else 0.0
        numbers = (SAFETY * arithmetic.unit_roundoff, u_s, arithmetic.smallest_normal, eta_s)
        return cls(*(to_quad(np.float64(number)) for number in numbers))

    def stored(self, values: Quad, paths: Quad | None) -> Quad:
        """What storing adds: once to the result, or, where `paths` (sums of absolute terms) is given, to each path."""
        rounding = self.u_s * np.abs(values) + self.eta_s
        return rounding if paths is None else rounding + 3 * self.u_s * paths


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Errors of the statistics of a batch (or of given ones): of mean, variance and, relative, the inverse root."""

    mean: Quad
    variance: Quad
    root: Quad
    sums: NDArray[np.bool_]
    """Channels where a bound on a sum means anything."""
    meaningful: NDArray[np.bool_]
    """Channels where a bound that uses the variance means anything."""


@dataclass(frozen=True, kw_only=True)
class BatchBounds:
    """Bounds of one training batch.

    Attributes:
        x: rows (C, n).
        nodes: the golden forward pass of x.
        gamma, beta: vectors or None.
        eps: in binary128.
        compute: format of the arithmetic.
        storage: format of y and dx.
        parameters: format of dgamma and dbeta.
        exact_statistics: mean and variance are exact in any order of summation, so their errors are 0.
    """

    x: Quad
    nodes: Forward
    gamma: Quad | None
    beta: Quad | None
    eps: Any
    compute: Format
    storage: Format
    parameters: Format
    exact_statistics: bool = False

    @property
    def count(self) -> int:
        """Values per channel."""
        return int(self.x.shape[1])

    @cached_property
    def _scale(self) -> Quad:
        """|gamma| / sqrt(variance + eps)."""
        inverse = self.nodes.inverse_deviation
        return inverse if self.gamma is None else np.abs(self.gamma) * inverse

    @cached_property
    def _beta(self) -> Quad:
        return np.zeros(self.x.shape[0], QUAD) if self.beta is None else np.abs(self.beta)

    def statistics(self, grade: Grade) -> Statistics:
        """Items 1 to 3 of BOUNDS.md."""
        precision = Precision.of(self.compute, self.storage, grade)
        u, eta = precision.u, precision.eta
        h = path_length(self.count, grade.sequential)
        sigma2, mean = self.nodes.variance, self.nodes.mean
        if self.exact_statistics:
            mean_error = variance_error = np.zeros(self.x.shape[0], QUAD)
        else:
            mean_error = (h + 1) * u * mean_of(np.abs(self.x)) + eta
            kappa = np.sqrt(1 + mean * mean / np.where(sigma2 > 0, sigma2, to_quad(1.0)))
            variance_error = (h + 4) * u * sigma2 * (1 + kappa) + (1 + (h + 4) * u) * mean_error * mean_error
            if grade.raw_moments:
                variance_error = variance_error + 3 * (h + 4) * u * (sigma2 + mean * mean)
            variance_error = variance_error + eta * (1 + 2 * np.sqrt(sigma2) + eta)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = variance_error / (sigma2 + self.eps)
        sums = np.broadcast_to(np.asarray(h * float(u) <= VACUOUS), mean.shape) & np.isfinite(mean_error)
        return Statistics(
            mean=mean_error,
            variance=variance_error,
            root=relative / 2 * (1 + relative) + ROOT * u,
            sums=sums,
            meaningful=sums & (relative <= VACUOUS),
        )

    def y(self, grade: Grade) -> Bound:
        """Item 4, training."""
        p = Precision.of(self.compute, self.storage, grade)
        errors = self.statistics(grade)
        scaled = np.abs(self.nodes.normalised) if self.gamma is None else np.abs(
            column(self.gamma) * self.nodes.normalised
        )
        beta, y = column(self._beta), self.nodes.y
        centring = column(errors.mean + 3 * p.u * np.abs(self.nodes.mean)) + 2 * p.u * np.abs(self.x)
        allowed = column(self._scale) * centring + scaled * column(errors.root + 3 * p.u) + p.u * (beta + np.abs(y))
        allowed = allowed + p.eta * (1 + np.abs(self.nodes.centred) + column(self._scale))
        allowed = allowed + p.stored(y, scaled + beta if grade.composite else None)
        return Bound(allowed, errors.meaningful)

    def dbeta(self, dy: Quad, grads: RowGradients, grade: Grade) -> Bound:
        """Item 6."""
        p, h = Precision.of(self.compute, self.parameters, grade), path_length(self.count, grade.sequential)
        magnitude = sum_of(np.abs(dy))
        allowed = h * p.u * magnitude + self.count * p.eta
        allowed = allowed + p.stored(grads.dbeta, magnitude if grade.composite else None)
        return Bound(allowed, self.statistics(grade).sums)

    def _dgamma(self, dy: Quad, grads: RowGradients, grade: Grade, errors: Statistics, u: Any, eta: Any) -> Quad:
        h = path_length(self.count, grade.sequential)
        inverse = self.nodes.inverse_deviation
        allowed = inverse * errors.mean * np.abs(grads.dbeta) + errors.root * np.abs(grads.dgamma)
        allowed = allowed + (h + 4) * u * sum_of(np.abs(dy * self.nodes.normalised))
        if grade.folded:
            magnitudes = sum_of(np.abs(dy * self.x)) + np.abs(self.nodes.mean) * sum_of(np.abs(dy))
            allowed = allowed + inverse * (h + 4) * u * magnitudes
        return allowed + eta * (self.count + inverse * sum_of(np.abs(dy)))

    def dgamma(self, dy: Quad, grads: RowGradients, grade: Grade) -> Bound:
        """Item 7."""
        p = Precision.of(self.compute, self.parameters, grade)
        arithmetic = Precision.of(self.compute, self.storage, grade)
        errors = self.statistics(grade)
        allowed = self._dgamma(dy, grads, grade, errors, arithmetic.u, arithmetic.eta)
        paths = sum_of(np.abs(dy * self.nodes.normalised)) if grade.composite else None
        return Bound(allowed + p.stored(grads.dgamma, paths), errors.meaningful)

    def dx(self, dy: Quad, grads: RowGradients, grade: Grade) -> Bound:
        """Item 8, training."""
        p, h = Precision.of(self.compute, self.storage, grade), path_length(self.count, grade.sequential)
        errors = self.statistics(grade)
        count = to_quad(float(max(self.count, 1)))
        normalised = np.abs(self.nodes.normalised)
        mean_dy, mean_product = np.abs(grads.dbeta) / count, np.abs(grads.dgamma) / count
        normalised_error = column(self.nodes.inverse_deviation * errors.mean) + normalised * column(errors.root + 2 * p.u)
        dgamma_error = self._dgamma(dy, grads, grade, errors, p.u, p.eta) / count
        terms = np.abs(dy) + column(mean_dy) + normalised * column(mean_product)
        inner = column((h + 1) * p.u * mean_of(np.abs(dy))) + normalised * column(dgamma_error + p.u * mean_product)
        inner = inner + column(mean_product) * normalised_error + 4 * p.u * terms
        allowed = column(self._scale) * inner + column(errors.root + 4 * p.u) * np.abs(grads.dx)
        allowed = allowed + p.eta * (1 + 4 * column(self._scale) + np.abs(dy))
        paths = column(self._scale) * terms if grade.composite else None
        return Bound(allowed + p.stored(grads.dx, paths), errors.meaningful)
