"""Ranges: where results lie whatever their condition, for numbers whose bound is vacuous (item 11 of BOUNDS.md).

A vacuous bound says nothing of the digits of a result. But a computed variance is not negative, and a computed mean is
as close as its bound says. So every algorithm of a grade stays in a range that follows from the data, and gives no NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from bn_reference.arithmetic.quad import Quad, quietly
from bn_reference.bounds.batch import BatchBounds
from bn_reference.bounds.inference import InferenceBounds, RunningBounds
from bn_reference.bounds.precision import ROOT, Precision
from bn_reference.bounds.sums import GradientSums
from bn_reference.definition.graph import Rows, Vector, column
from bn_reference.specification.grades import Grade


class Range(NamedTuple):
    """Where each number lies: rows (C, n) or vectors (C,). An end is infinite where nothing follows from the data."""

    low: Quad
    high: Quad


def around(middle: Quad | float, radius: Quad) -> Range:
    """The range of what is at most `radius` from `middle`."""
    return Range(middle - radius, middle + radius)


@dataclass(frozen=True)
class Normalising:
    """What a grade may make of the numbers that normalise a batch.

    Attributes:
        bounds: those of the batch.
        grade: the grade.
        precision: its roundoffs.
        adding: error of a sum, relative to the sum of magnitudes.
        mean_error: of the mean that is subtracted, a vector.
        inverse: the largest inverse root, a vector; infinite where the computed variance plus eps may be 0, or where
            squares may overflow in the format of the arithmetic.
    """

    bounds: BatchBounds | InferenceBounds
    grade: Grade
    precision: Precision
    adding: Any
    mean_error: Vector
    inverse: Vector

    @property
    def gamma(self) -> Vector:
        """|gamma|."""
        bounds = self.bounds
        return np.ones(bounds.x.shape[0], bounds.work) if bounds.gamma is None else np.abs(bounds.gamma)

    @property
    def beta(self) -> Vector:
        """beta."""
        bounds = self.bounds
        return np.zeros(bounds.x.shape[0], bounds.work) if bounds.beta is None else bounds.beta

    @property
    def folded_mean(self) -> Vector:
        """The largest magnitude of the computed mean."""
        return np.asarray(np.abs(self.bounds.nodes.mean) + self.mean_error)

    def normalised(self) -> Rows:
        """The largest magnitude of a normalised value: rows."""
        p = self.precision
        apart = np.abs(self.bounds.nodes.centred) + column(self.mean_error)
        if self.grade.folded:
            apart = apart + p.u * (np.abs(self.bounds.x) + 2 * column(self.folded_mean))
        return np.asarray(column(self.inverse) * apart * (1 + 4 * p.u))

    def products(self, sums: GradientSums) -> Vector:
        """The largest magnitude of sum(dy * xhat), before it is stored."""
        p, nodes = self.precision, self.bounds.nodes
        centred = sums.along.absolute * nodes.standard_deviation + self.mean_error * sums.dy
        allowed = centred * (1 + self.adding + 4 * p.u)
        if self.grade.folded:
            allowed = allowed + (self.adding + 8 * p.u) * (sums.folded.absolute + self.folded_mean * sums.dy)
        allowed = self.inverse * allowed
        return np.asarray(allowed + p.eta * (2 * sums.count + (1 + self.inverse) * sums.dy + sums.normalised))

    @quietly
    def y(self) -> Range:
        """Of y: rows."""
        p, normalised = self.precision, self.normalised()
        scaled, beta = column(self.gamma) * normalised, np.abs(self.beta)[:, None]
        radius = scaled + p.u * (2 * beta + scaled)
        radius = radius + p.eta * (3 + column(self.gamma * (1 + self.inverse)) + normalised)
        paths = scaled + beta if self.grade.composite else None
        return around(column(self.beta), radius + p.stored(beta + radius, paths))

    @quietly
    def dgamma(self, sums: GradientSums, stored: Precision) -> Range:
        """Of dgamma: a vector."""
        radius = self.products(sums)
        return around(0.0, radius + stored.stored(radius, radius if self.grade.composite else None))


@dataclass(frozen=True)
class BatchRanges:
    """Ranges of one training batch.

    Attributes:
        bounds: those of the batch.
    """

    bounds: BatchBounds
    _known: dict[Grade, Normalising] = field(default_factory=dict)

    @property
    def _count(self) -> Any:
        return np.float64(max(self.bounds.count, 1)).astype(self.bounds.work)

    def normalising(self, grade: Grade) -> Normalising:
        """What a grade may make of mean and inverse root; worked out once."""
        if grade not in self._known:
            self._known[grade] = self._normalising(grade)
        return self._known[grade]

    @quietly
    def _normalising(self, grade: Grade) -> Normalising:
        bounds, p, errors = self.bounds, self.bounds.precision(grade), self.bounds.statistics(grade)
        variance = bounds.nodes.variance
        widest = np.sqrt(self._count * variance) + errors.mean
        inverse = inverse_root(variance - errors.variance, bounds.eps, p)
        fits = self._count * widest * widest < np.float64(bounds.compute.largest).astype(bounds.work)
        inverse = np.where(fits, inverse, np.asarray(np.inf, inverse.dtype))
        return Normalising(bounds, grade, p, p.adding(bounds.count), errors.mean, inverse)

    def y(self, grade: Grade) -> Range:
        """Of y in training: rows."""
        return self.normalising(grade).y()

    def dgamma(self, sums: GradientSums, grade: Grade) -> Range:
        """Of dgamma in training: a vector."""
        return self.normalising(grade).dgamma(sums, self.bounds.parameter_precision(grade))

    @quietly
    def dx(self, dy: Rows, sums: GradientSums, grade: Grade) -> Range:
        """Of dx in training: rows."""
        found, bounds = self.normalising(grade), self.bounds
        p, inverse, adding = found.precision, found.inverse, found.adding
        m1, m2 = sums.dy / self._count * (1 + adding), found.products(sums) / self._count
        deviation = bounds.nodes.standard_deviation
        # A derivative that is staged takes in the mean of the centred values, which is 0 only on paper.
        rest = inverse * (found.mean_error + adding * (deviation + found.mean_error))
        inner = np.abs(dy) + column(m1 + rest * m2) + found.normalised() * column(m2)
        scale = column(found.gamma * inverse)
        radius = scale * inner * (1 + 16 * p.u)
        underflow = 1 + inner + column(inverse) * (2 + found.normalised())
        radius = radius + p.eta * (underflow + scale * (5 + found.normalised() + column(m2 * (1 + inverse))))
        staged = found.gamma * inverse**3 * sums.dy * (np.sqrt(self._count) * deviation + found.mean_error)
        fits = staged < np.float64(bounds.compute.largest).astype(bounds.work)
        radius = np.where(column(fits), radius, np.asarray(np.inf, radius.dtype))
        return around(0.0, radius + p.stored(radius, radius if grade.composite else None))


@dataclass(frozen=True)
class InferenceRanges:
    """Ranges of one batch in inference, from statistics with the errors that the bounds give them.

    Attributes:
        bounds: those of the batch.
    """

    bounds: InferenceBounds

    @quietly
    def _normalising(self, grade: Grade) -> Normalising:
        bounds, p = self.bounds, self.bounds.precision(grade)
        inverse = inverse_root(bounds.nodes.variance - bounds.variance_error, bounds.eps, p)
        return Normalising(bounds, grade, p, p.adding(bounds.x.shape[1]), bounds.mean_error, inverse)

    def y(self, grade: Grade) -> Range:
        """Of y in inference: rows."""
        return self._normalising(grade).y()

    def dgamma(self, sums: GradientSums, grade: Grade) -> Range:
        """Of dgamma in inference: a vector."""
        return self._normalising(grade).dgamma(sums, self.bounds.parameter_precision(grade))

    @quietly
    def dx(self, dy: Rows, sums: GradientSums, grade: Grade) -> Range:
        """Of dx in inference: rows."""
        found = self._normalising(grade)
        p, scale = found.precision, column(found.gamma * found.inverse)
        radius = scale * np.abs(dy) * (1 + 4 * p.u)
        radius = radius + p.eta * (1 + np.abs(dy) * (1 + column(found.inverse)) + scale + column(found.inverse))
        return around(0.0, radius + p.stored(radius, radius if grade.composite else None))


@dataclass(frozen=True)
class RunningRanges:
    """Ranges of the running variance after one update.

    Attributes:
        bounds: those of the update.
        batch: bounds of the batch, which gives the range of its values.
    """

    bounds: RunningBounds
    batch: BatchBounds

    @quietly
    def running_variance(self, grade: Grade) -> Range:
        """Of the running variance: a vector.

        The variance of a batch is from 0 to a quarter of the square of its range, and its error on top (Popoviciu).
        """
        bounds = self.bounds
        p = bounds.precision(grade)
        spread = self.batch.spread
        most = spread * spread / 4 + self.batch.statistics(grade).variance
        bessel = np.float64(bounds.bessel).astype(bounds.mean.dtype)
        step = np.abs(bounds.batch_variance) + bessel * np.abs(most - self.batch.nodes.variance)
        kept, new = bounds.weights.old * bounds.old_variance, np.abs(bounds.weights.new)
        own = bounds.own_error(grade, bounds.old_variance, step, np.abs(kept) + new * step, np.zeros_like(step))
        carried = np.abs(bounds.weights.old) * bounds.old_variance_error
        return Range(kept - own - carried, kept + new * step * (1 + 4 * p.u) + own + carried)


def inverse_root(variance: Vector, eps: Any, p: Precision) -> Vector:
    """The largest 1 / sqrt(variance + eps) of a computed variance, given its smallest value; not below 0."""
    least = np.maximum(variance, np.zeros((), variance.dtype)) + eps - 2 * p.eta_kept
    least = np.maximum(least, np.zeros((), variance.dtype))
    return np.asarray((1 + ROOT * p.u) / np.sqrt(least))
