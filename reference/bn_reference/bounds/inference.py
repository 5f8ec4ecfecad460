"""Error bounds of BOUNDS.md for inference and for running statistics (items 4, 5, 7 and 8)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bn_reference.arithmetic.formats import Format
from bn_reference.arithmetic.quad import QUAD, Quad, quietly
from bn_reference.bounds.batch import StatisticsErrors
from bn_reference.bounds.bound import Bound, tight_of
from bn_reference.bounds.precision import ROOT, Precision, root_error
from bn_reference.bounds.sums import GradientSums, dbeta_error, folded_error, product_error
from bn_reference.definition.graph import Forward, RowGradients, column, sum_of
from bn_reference.definition.running import Weights
from bn_reference.specification.grades import VACUOUS, Grade


@dataclass(frozen=True, kw_only=True)
class InferenceBounds:
    """Bounds of one batch in inference.

    Attributes:
        x: rows (C, n).
        nodes: the golden inference pass of x.
        gamma, beta: vectors; None where the layer has none.
        eps: what inference adds to the variance, a number of the same dtype as x.
        mean_error, variance_error: errors that the running statistics themselves may have, vectors; 0 where they were
            set, or read from the implementation.
        compute, storage, parameters: formats of the arithmetic, of y and dx, and of dgamma and dbeta.
        exact_statistics: x - mean is exact, so that the few roundings left are counted.
    """

    x: Quad
    nodes: Forward
    gamma: Quad | None
    beta: Quad | None
    eps: Any
    mean_error: Quad
    variance_error: Quad
    compute: Format
    storage: Format
    parameters: Format
    exact_statistics: bool = False

    @property
    def work(self) -> np.dtype[Any]:
        """Dtype that the bounds are evaluated in."""
        return self.nodes.mean.dtype

    @cached_property
    def _gamma(self) -> Quad:
        return np.ones(self.x.shape[0], self.work) if self.gamma is None else np.abs(self.gamma)

    @cached_property
    def _scale(self) -> Quad:
        return self._gamma * np.abs(self.nodes.inverse_deviation)

    @quietly
    def _relative(self, grade: Grade) -> Quad:
        """Relative error of variance + eps: the error of the variance, and that of flushing subnormals."""
        error = self.variance_error + 2 * self.precision(grade).eta_kept
        return np.asarray(error / (self.nodes.variance + self.eps))

    def root_error(self, grade: Grade) -> Quad:
        """Relative error of the inverse root that the error of variance + eps makes."""
        return root_error(self._relative(grade))

    @quietly
    def meaningful(self, grade: Grade) -> Any:
        """Channels where a bound that uses the variance is meaningful."""
        return self._relative(grade) <= VACUOUS

    def precision(self, grade: Grade) -> Precision:
        """Roundoffs of a grade. C is 1 where x - mean is exact, since the few roundings left are counted."""
        safety = 1.0 if self.exact_statistics else None
        return Precision.of(self.compute, self.storage, grade, safety, self.work == QUAD)

    def parameter_precision(self, grade: Grade) -> Precision:
        """Roundoffs of a grade, for what is stored as gamma and beta are."""
        return Precision.of(self.compute, self.parameters, grade, wide=self.work == QUAD)

    @quietly
    def y(self, grade: Grade) -> Bound:
        """Item 4 of BOUNDS.md, inference: rows; with the terms of folding where allowed, cut to the share."""
        bound = self.uncut_y(grade)
        return bound.below(self._y_size, math.sqrt(VACUOUS), tight_of(grade, self.y), _mean_of_finite(bound.allowed))

    @quietly
    def uncut_y(self, grade: Grade) -> Bound:
        """The bound of y as item 4 derives it, however large it is beside y: rows.

        Its terms are collected by the rows that they multiply.
        """
        p, nodes, gamma, scale = self.precision(grade), self.nodes, self._gamma, self._scale
        paths = p.of_paths(grade)
        of_normalised = gamma * (self.root_error(grade) + ((ROOT + 3) * p.u + paths)) + p.eta
        everywhere = scale * self.mean_error + p.eta * (3 + gamma + 2 * scale) + p.eta_s
        if self.beta is not None:
            everywhere = everywhere + ((3 if grade.folded else 1) * p.u + paths) * np.abs(self.beta)
        if grade.folded:
            everywhere = everywhere + 2 * p.u * scale * np.abs(nodes.mean)
        allowed = p.of_y(nodes, of_normalised, everywhere)
        if grade.folded:
            allowed += column(2 * p.u * scale) * np.abs(self.x)
        return Bound(allowed, self.meaningful(grade))

    @cached_property
    def _y_size(self) -> Quad:
        """How large y typically is: the root of the mean of (y - beta)^2, plus |beta|."""
        scaled = column(self._gamma) * self.nodes.normalised
        size = np.sqrt(_mean_of_finite(scaled * scaled))
        return np.asarray(size if self.beta is None else size + np.abs(self.beta))

    @quietly
    def dx(self, dy: Quad, sums: GradientSums, grads: RowGradients, grade: Grade) -> Bound:
        """Item 8 of BOUNDS.md, inference: rows."""
        p, size = self.precision(grade), np.abs(grads.dx)
        allowed = size * ((ROOT + 3) * p.u + column(self.root_error(grade)))
        allowed = allowed + p.eta * (1 + np.abs(dy) * (1 + column(self._inverse)) + column(self._scale + self._inverse))
        return Bound(allowed + p.stored(grads.dx, size if grade.composite else None), self.meaningful(grade))

    @quietly
    def dgamma(self, sums: GradientSums, grads: RowGradients, grade: Grade) -> Bound:
        """Item 7 of BOUNDS.md, inference: a vector; with the terms of folding where the grade allows it."""
        p, inverse = self.precision(grade), self._inverse
        stored = self.parameter_precision(grade)
        allowed = (self.root_error(grade) + ROOT * p.u) * np.abs(grads.dgamma)
        allowed = allowed + product_error(sums.along, sums.count, grade, p)
        allowed = allowed + inverse * self.mean_error * np.abs(grads.dbeta)
        if grade.folded:
            allowed = allowed + inverse * folded_error(sums, self.nodes.mean, grads.dbeta, grade, p)
        paths = sums.along.rounded if grade.composite else None
        underflow = 2 * sums.count + (1 + 2 * inverse) * sums.dy + sums.normalised
        allowed = allowed + p.eta * underflow + stored.stored(grads.dgamma, paths)
        size = sums.product_size(grads.dgamma)
        tight = tight_of(grade, lambda best: self.dgamma(sums, grads, best))
        return Bound(allowed, self.meaningful(grade) & self.sums(grade)).below(size, tight=tight)

    @quietly
    def dbeta(self, sums: GradientSums, grads: RowGradients, grade: Grade) -> Bound:
        """Item 6 of BOUNDS.md: a vector."""
        allowed = dbeta_error(sums, grads.dbeta, self.precision(grade))
        stored = self.parameter_precision(grade)
        paths = sums.dy if grade.composite else None
        return Bound(allowed + stored.stored(grads.dbeta, paths), self.sums(grade))

    @property
    def _inverse(self) -> Quad:
        return np.abs(self.nodes.inverse_deviation)

    def sums(self, grade: Grade) -> Any:
        """Channels where the bound of a sum is meaningful."""
        adding = self.precision(grade).adding(self.x.shape[1])
        return np.broadcast_to(np.asarray(adding <= VACUOUS), (self.x.shape[0],))


def _mean_of_finite(rows: Quad) -> Quad:
    """The mean of the finite numbers of each row, 0 where there is none: one NaN in x says nothing of the rest."""
    finite = np.isfinite(rows)
    if finite.all():
        return np.asarray(sum_of(rows) / np.float64(max(rows.shape[1], 1)).astype(rows.dtype))
    count = np.maximum(finite.sum(axis=1), 1).astype(np.float64).astype(rows.dtype)
    return np.asarray(np.where(finite, rows, np.zeros((), rows.dtype)).sum(axis=1) / count)


@dataclass(frozen=True, kw_only=True)
class RunningBounds:
    """Bounds of one update of the running statistics.

    Attributes:
        old_mean, old_variance: running statistics before the update.
        batch_mean, batch_variance: statistics of the batch; the variance is that of the convention's estimator.
        mean, variance: golden running statistics after the update.
        weights: of the old and the new statistic.
        batch: gives the errors of the batch statistics under a grade.
        bessel: factor of the estimator, n / (n - 1) or 1.
        old_mean_error, old_variance_error: errors that the running statistics before the update may have.
        compute, storage: formats of the arithmetic and of the running statistics.
    """

    old_mean: Quad
    old_variance: Quad
    batch_mean: Quad
    batch_variance: Quad
    mean: Quad
    variance: Quad
    weights: Weights
    batch: Callable[[Grade], StatisticsErrors]
    bessel: float
    old_mean_error: Quad
    old_variance_error: Quad
    compute: Format
    storage: Format

    @quietly
    def running_mean(self, grade: Grade) -> Bound:
        """Item 5 of BOUNDS.md, E_m: a vector."""
        errors = self.batch(grade)
        allowed = np.abs(self.weights.old) * self.old_mean_error + self.own_error(
            grade, self.old_mean, self.batch_mean, self.mean, errors.mean
        )
        return Bound(allowed, errors.sums & np.isfinite(allowed))

    @quietly
    def running_variance(self, grade: Grade) -> Bound:
        """Item 5 of BOUNDS.md, E_v: a vector."""
        p = self.precision(grade)
        errors = self.batch(grade)
        batch = np.float64(self.bessel).astype(self.mean.dtype) * errors.variance + 2 * p.u * self.batch_variance
        allowed = np.abs(self.weights.old) * self.old_variance_error + self.own_error(
            grade, self.old_variance, self.batch_variance, self.variance, batch
        )
        return Bound(allowed, errors.meaningful & np.isfinite(allowed))

    def own_error(self, grade: Grade, old: Quad, batch: Quad, result: Quad, batch_error: Quad) -> Quad:
        """Error of one update of a statistic, given the error of the batch's: a vector."""
        p = self.precision(grade)
        new_weight = np.abs(self.weights.new)
        size, step = np.abs(old), np.abs(batch)
        both = step + size
        paths = size + new_weight * both
        allowed = new_weight * batch_error + 4 * p.u * paths + p.u * both
        allowed = allowed + p.u * (self.weights.old_roundoffs * size + self.weights.new_roundoffs * step)
        return np.asarray(allowed + p.eta + p.stored(result, paths if grade.composite else None))

    def precision(self, grade: Grade) -> Precision:
        """Roundoffs of a grade, with running statistics as results."""
        return Precision.of(self.compute, self.storage, grade, wide=self.mean.dtype == QUAD)
