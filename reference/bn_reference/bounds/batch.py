"""Error bounds of one training batch: items 1 to 4 and 6 to 8 of BOUNDS.md, a bound for every number.

All rows have shape (C, n), all vectors (C,). Each bound says in which channels it is meaningful. In the others it is
vacuous: it judges nothing. The same lines run in binary128 and in float64 (`bn_reference.bounds.arithmetic`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.formats import Format
from bn_reference.arithmetic.quad import QUAD, Quad, quietly
from bn_reference.bounds.bound import Bound, tight_of
from bn_reference.bounds.precision import ROOT, Precision, root_error
from bn_reference.bounds.sums import GradientSums, dbeta_error, folded_error, product_error
from bn_reference.definition.graph import (
    Forward,
    Mask,
    RowGradients,
    Vector,
    column,
    counted_rows,
    mean_of,
    where_counted,
)
from bn_reference.specification.grades import TIGHT, VACUOUS, Grade, path_length


@dataclass(frozen=True)
class StatisticsErrors:
    """Allowed errors of the statistics of a batch, vectors of shape (C,).

    Attributes:
        mean: absolute error of the mean.
        variance: absolute error of the variance.
        root: relative error of the inverse root, 1 / sqrt(variance + eps).
        sums: channels where the bound of a sum is meaningful.
        meaningful: channels where a bound that uses the variance is meaningful.
    """

    mean: Quad
    variance: Quad
    root: Quad
    sums: NDArray[np.bool_]
    meaningful: NDArray[np.bool_]


@dataclass(frozen=True)
class WholeBatch:
    """What bounds of some columns need to know of the whole batch.

    Attributes:
        count: values per channel.
        magnitude: mean of |x|, a vector of shape (C,).
        spread: largest minus smallest value, a vector of shape (C,).
    """

    count: int
    magnitude: Vector
    spread: Vector


@dataclass(frozen=True, kw_only=True)
class BatchBounds:
    """Bounds of one training batch.

    Attributes:
        x: rows (C, n).
        nodes: the golden forward pass of x.
        gamma, beta: vectors; None where the layer has none.
        eps: a number of the same dtype as x.
        compute: format of the arithmetic.
        storage: format of y and dx.
        parameters: format of dgamma and dbeta.
        exact_statistics: mean and variance are exact in any order of summation, so their errors are 0.
        mask: of shape (n,), True where a position counts for the statistics; None where all do.
        whole: the batch, where x and nodes hold only some of its columns; else None.
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
    mask: Mask | None = None
    whole: WholeBatch | None = None

    @property
    def count(self) -> int:
        """Values per channel that count for the statistics."""
        if self.whole is not None:
            return self.whole.count
        return int(self.x.shape[1] if self.mask is None else self.mask.sum())

    @cached_property
    def _magnitude(self) -> Vector:
        """Mean of |x|."""
        return mean_of(np.abs(counted_rows(self.x, self.mask))) if self.whole is None else self.whole.magnitude

    @property
    def spread(self) -> Vector:
        """Largest minus smallest of the values that count."""
        if self.whole is not None:
            return self.whole.spread
        counted = counted_rows(self.x, self.mask)
        return np.asarray(counted.max(axis=1) - counted.min(axis=1))

    @property
    def work(self) -> np.dtype[Any]:
        """Dtype that the bounds are evaluated in."""
        return self.nodes.mean.dtype

    @cached_property
    def _scale(self) -> Quad:
        """|gamma| / sqrt(variance + eps)."""
        return self._gamma * self.nodes.inverse_deviation

    @cached_property
    def _gamma(self) -> Quad:
        return np.ones(self.x.shape[0], self.work) if self.gamma is None else np.abs(self.gamma)

    @cached_property
    def _beta(self) -> Quad:
        return np.zeros(self.x.shape[0], self.work) if self.beta is None else np.abs(self.beta)

    def precision(self, grade: Grade) -> Precision:
        """Roundoffs of a grade. C is 1 where the statistics are exact, since the few roundings left are counted."""
        safety = 1.0 if self.exact_statistics else None
        return Precision.of(self.compute, self.storage, grade, safety, self.work == QUAD)

    def parameter_precision(self, grade: Grade) -> Precision:
        """Roundoffs of a grade, for what is stored as gamma and beta are."""
        return Precision.of(self.compute, self.parameters, grade, wide=self.work == QUAD)

    def statistics(self, grade: Grade) -> StatisticsErrors:
        """Items 1 to 3 of BOUNDS.md: errors of mean, variance and inverse root; evaluated once for each grade."""
        if grade not in self._known:
            self._known[grade] = self._statistics(grade)
        return self._known[grade]

    @cached_property
    def _known(self) -> dict[Grade, StatisticsErrors]:
        return {}

    @cached_property
    def _moments(self) -> tuple[Vector, Vector, Vector]:
        """The root of the variance, the mean of x * x, and variance + eps: vectors."""
        sigma2, mean = self.nodes.variance, self.nodes.mean
        return np.sqrt(sigma2), sigma2 + mean * mean, sigma2 + self.eps

    @quietly
    def _statistics(self, grade: Grade) -> StatisticsErrors:
        p = self.precision(grade)
        sigma2, mean = self.nodes.variance, self.nodes.mean
        if self.exact_statistics:
            zero = np.zeros(self.x.shape[0], self.work)
            return StatisticsErrors(zero, zero, zero + ROOT * p.u, np.isfinite(mean), np.isfinite(mean))
        adding, updating = p.adding(self.count), path_length(self.count) * p.sum_u
        terms, (deviation, square, with_eps) = adding + 4 * p.u, self._moments
        mean_error = (adding + p.u) * self._magnitude + 3 * p.eta_kept
        variance_error = terms * sigma2 + (1 + terms) * mean_error * mean_error
        if grade.raw_moments:
            safety = np.float64(grade.safety).astype(self.work)
            variance_error = variance_error + 2 * terms / safety * square
        variance_error = variance_error + p.eta_kept * (3 + 2 * deviation + p.eta_kept)
        sums = np.asarray(adding <= VACUOUS) & np.isfinite(mean_error)
        meaningful = sums & (variance_error <= VACUOUS * with_eps)
        variance_error = variance_error + (updating + 4 * p.u) * deviation * np.sqrt(square)
        root = root_error(variance_error / with_eps) + ROOT * p.u
        return StatisticsErrors(mean_error, variance_error, root, sums, meaningful)

    @quietly
    def y(self, grade: Grade) -> Bound:
        """Item 4 of BOUNDS.md, training: rows. Its terms are collected by the rows that they multiply."""
        p, errors, nodes = self.precision(grade), self.statistics(grade), self.nodes
        gamma, scale = self._gamma, self._scale
        paths = p.of_paths(grade)
        of_normalised = gamma * (errors.root + (3 * p.u + paths)) + p.eta
        everywhere = scale * errors.mean + (p.u + paths) * self._beta + p.eta * (3 + gamma + scale) + p.eta_s
        if grade.folded:
            everywhere = everywhere + 2 * p.u * scale * np.abs(nodes.mean)
        allowed = p.of_y(nodes, of_normalised, everywhere)
        if grade.folded:
            allowed += column(p.u * scale) * np.abs(self.x)
        return Bound(allowed, errors.meaningful)

    @quietly
    def dbeta(self, sums: GradientSums, grads: RowGradients, grade: Grade) -> Bound:
        """Item 6 of BOUNDS.md: a vector."""
        allowed = dbeta_error(sums, grads.dbeta, self.precision(grade))
        stored = self.parameter_precision(grade)
        paths = sums.dy if grade.composite else None
        return Bound(allowed + stored.stored(grads.dbeta, paths), self.statistics(grade).sums)

    def _dgamma(self, sums: GradientSums, grads: RowGradients, grade: Grade, errors: StatisticsErrors) -> Quad:
        p = self.precision(grade)
        inverse = self.nodes.inverse_deviation
        allowed = inverse * errors.mean * np.abs(grads.dbeta) + errors.root * np.abs(grads.dgamma)
        allowed = allowed + product_error(sums.along, sums.count, grade, p)
        if grade.folded:
            allowed = allowed + inverse * folded_error(sums, self.nodes.mean, grads.dbeta, grade, p)
        underflow = 2 * sums.count + (1 + inverse) * sums.dy + sums.normalised
        return np.asarray(allowed + p.eta * underflow)

    @quietly
    def dgamma(self, sums: GradientSums, grads: RowGradients, grade: Grade) -> Bound:
        """Item 7 of BOUNDS.md, training: a vector."""
        errors = self.statistics(grade)
        paths = sums.along.rounded if grade.composite else None
        allowed = self._dgamma(sums, grads, grade, errors)
        allowed = allowed + self.parameter_precision(grade).stored(grads.dgamma, paths)
        tight = tight_of(grade, lambda best: self.dgamma(sums, grads, best))
        size = sums.product_size(grads.dgamma)
        if grade.sequential:
            size = np.where(self._zeros_are_right(sums, grads, grade), np.maximum(size, sums.dy), size)
        return Bound(allowed, errors.meaningful).below(size, tight=tight)

    def _zeros_are_right(self, sums: GradientSums, grads: RowGradients, grade: Grade) -> Any:
        """Channels where a dgamma of zero is right, as in a constant one: no bound can be too large beside it there."""
        best = self.dgamma(sums, grads, TIGHT)
        return best.meaningful & (np.abs(grads.dgamma) <= best.allowed)

    @quietly
    def dx(
        self,
        dy: Quad,
        sums: GradientSums,
        grads: RowGradients,
        grade: Grade,
        mean: Callable[[Grade], Vector] | None = None,
    ) -> Bound:
        """Item 8 of BOUNDS.md, training: rows.

        Args:
            dy: rows.
            sums: sums over the whole batch.
            grads: golden gradients.
            grade: the grade.
            mean: gives the mean of `dx_allowed` over the whole rows, where dy holds only some columns; else None.
        """
        size = self._scale * np.sqrt(sums.dy_squares / np.float64(sums.count).astype(self.work))
        tight = tight_of(grade, lambda best: self.dx(dy, sums, grads, best, mean))
        bound = Bound(self.dx_allowed(dy, sums, grads, grade), self.statistics(grade).meaningful)
        return bound.below(size, math.sqrt(VACUOUS), tight, None if mean is None else mean(grade))

    @quietly
    def dx_allowed(self, dy: Quad, sums: GradientSums, grads: RowGradients, grade: Grade) -> Quad:
        """Item 8 of BOUNDS.md, training, without the test whether it is vacuous: rows.

        Its terms are collected by the rows that they multiply. Those of the mean terms of dx count where the mask does.
        """
        p, errors, paths = self.precision(grade), self.statistics(grade), self.precision(grade).of_paths(grade)
        scale, inverse = self._scale, self.nodes.inverse_deviation
        count = np.float64(max(self.count, 1)).astype(self.work)
        m1, m2 = np.abs(grads.dbeta) / count, np.abs(grads.dgamma) / count
        mean_dy, mean_product = sums.dy / count, sums.along.absolute / count
        dgamma_error = self._dgamma(sums, grads, grade, errors) / count
        product = m2 + dgamma_error
        shift, relative = inverse * errors.mean, errors.root + 2 * p.u
        if grade.folded:
            shift = shift + 2 * p.u * inverse * np.abs(self.nodes.mean)
        of_normalised = (
            scale * (dgamma_error + 5 * p.u * m2 + relative * product) + p.eta * m2 + paths * scale * mean_product
        )
        of_counted = scale * ((p.adding(sums.count) + p.u) * mean_dy + shift * product + 4 * p.u * m1)
        of_counted = of_counted + p.eta * m1 + paths * scale * mean_dy
        everywhere = p.eta * (1 + 2 * inverse + scale * (5 + m2 * (1 + inverse))) + p.eta_s
        normalised = np.abs(self.nodes.normalised)
        common = normalised * column(of_normalised)
        common += column(of_counted)
        if grade.folded:
            common += column(scale * product * p.u * inverse) * np.abs(self.x)
        allowed = where_counted(common, self.mask)
        normalised *= column(p.eta * (scale + inverse))
        allowed += normalised
        allowed += column(everywhere)
        allowed += column(scale * (4 * p.u + paths) + p.eta) * np.abs(dy)
        allowed += column(errors.root + (4 * p.u + p.u_s)) * np.abs(grads.dx)
        return np.asarray(allowed)
