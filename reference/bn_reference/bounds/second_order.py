"""Error bounds of gradients of gradients (item 9 of BOUNDS.md): a running error analysis of their closed form.

Every term counts with its absolute value. So the bounds hold for the form in stages, for the multiplied-out form, and
for automatic differentiation of any sound forward pass. Rows have shape (C, n), vectors (C,). The same lines run in
binary128 and in float64 (`bn_reference.bounds.arithmetic`); what cancels comes from `projections`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bn_reference.arithmetic.quad import Quad, quietly
from bn_reference.bounds.batch import BatchBounds
from bn_reference.bounds.bound import Bound
from bn_reference.bounds.inference import InferenceBounds
from bn_reference.bounds.precision import ROOT, Precision
from bn_reference.bounds.projections import Projection, Projections
from bn_reference.bounds.sums import GradientSums, Products, folded_error, product_error
from bn_reference.definition.graph import column, mean_of, sum_of
from bn_reference.definition.second_order import RowSecondOrder, Upstream
from bn_reference.specification.grades import VACUOUS, Grade

ROUNDINGS = 8.0
"""Roundings of the longest chain of products of one element, without those of sums."""

STORED_PATHS = 2.0
"""Paths that a composite implementation rounds in the second order, for each that it rounds in the first order."""


def _root_mean_square(rows: Quad) -> Quad:
    return np.asarray(np.sqrt(mean_of(rows * rows)))


@dataclass(frozen=True)
class _Projected:
    """A projection P(a): the absolute values of its parts, and their allowed errors.

    Attributes:
        mean: |mean(a)|.
        along: |mean(a * normalised)|.
        mean_error, along_error: allowed errors of these two.
        value: |P(a)|.
        terms: the sum of the absolute terms of P(a).
        error: allowed error of P(a).
    """

    mean: Quad
    along: Quad
    mean_error: Quad
    along_error: Quad
    value: Quad
    terms: Quad
    error: Quad


@dataclass(frozen=True)
class _Pieces:
    """What the three bounds of one grade share.

    Attributes:
        p: roundoffs of the grade.
        normalised_error: allowed error of the normalised values: rows.
        dy, v: P(dy) and P(v_dx).
        both: |mean(v_dx * P(dy))|, a vector.
        both_terms: the sum of its absolute terms.
        both_error: its allowed error.
    """

    p: Precision
    normalised_error: Quad
    dy: _Projected
    v: _Projected
    both: Quad
    both_terms: Quad
    both_error: Quad


@dataclass(frozen=True)
class TrainingSecondBounds:
    """Bounds of the second order in training.

    Attributes:
        batch: bounds of the batch; what follows is in their arithmetic.
        projections: of dy and v_dx.
        upstream: the weights of the first-order gradients.
        golden: golden gradients of the second order.
    """

    batch: BatchBounds
    projections: Projections
    upstream: Upstream
    golden: RowSecondOrder

    @cached_property
    def _count(self) -> Any:
        """Values per channel, as a number."""
        return np.float64(self._dy.shape[1]).astype(self.batch.work)

    @property
    def _dy(self) -> Quad:
        return self.projections.dy.rows

    @cached_property
    def _pieces_of(self) -> dict[Grade, _Pieces]:
        return {}

    @property
    def _inverse(self) -> Quad:
        return self.batch.nodes.inverse_deviation

    @cached_property
    def _factor(self) -> Quad:
        gamma = self.batch.gamma
        return self._inverse if gamma is None else np.abs(gamma) * self._inverse

    @cached_property
    def _normalised(self) -> Quad:
        return np.asarray(np.abs(self.batch.nodes.normalised))

    @cached_property
    def _sums(self) -> tuple[GradientSums, GradientSums]:
        """Sums over dy and over v_dx."""
        x, normalised = self.batch.x, self.batch.nodes.normalised
        dy, v = (GradientSums.of_rows(part.rows, x, normalised) for part in (self.projections.dy, self.projections.v))
        return dy, v

    def _projected(
        self, of: Projection, sums: GradientSums, grade: Grade, p: Precision, normalised_error: Quad
    ) -> _Projected:
        errors, inverse, nodes = self.batch.statistics(grade), self._inverse, self.batch.nodes
        rows, count, magnitude = of.rows, self._count, sums.dy / self._count
        mean, along = np.abs(of.mean), np.abs(of.along)
        mean_error = p.adding(sums.count) * magnitude + p.u * mean + 2 * p.eta
        along_error = product_error(sums.along, sums.count, grade, p) / count + (errors.root + p.u) * along
        along_error = along_error + inverse * errors.mean * mean
        if grade.folded:
            along_error = along_error + inverse / count * folded_error(sums, nodes.mean, of.mean * count, grade, p)
        along_error = along_error + p.eta * (2 + (1 + inverse) * magnitude + sums.normalised / count)
        terms = np.abs(rows) + column(mean) + self._normalised * column(along)
        error = column(mean_error) + self._normalised * column(along_error)
        error = error + normalised_error * column(along + along_error) + 4 * p.u * terms
        return _Projected(mean, along, mean_error, along_error, of.value, terms, error)

    def _pieces(self, grade: Grade) -> _Pieces:
        if grade not in self._pieces_of:
            self._pieces_of[grade] = self._computed(grade)
        return self._pieces_of[grade]

    def _computed(self, grade: Grade) -> _Pieces:
        batch, errors, inverse = self.batch, self.batch.statistics(grade), column(self._inverse)
        p, v = batch.precision(grade), self.upstream.v_dx
        shift = inverse * column(errors.mean)
        normalised_error = shift + self._normalised * column(errors.root + 2 * p.u)
        if grade.folded:
            normalised_error = normalised_error + p.u * inverse * (
                np.abs(batch.x) + 2 * column(np.abs(batch.nodes.mean))
            )
        of_dy = self._projected(self.projections.dy, self._sums[0], grade, p, normalised_error)
        of_v = self._projected(self.projections.v, self._sums[1], grade, p, normalised_error)
        n, count = self._dy.shape[1], self._count
        crossed = Products.of(v, of_dy.terms), Products.of(self._dy, of_v.terms)
        both_error = (
            of_v.mean * of_dy.mean_error
            + of_dy.mean * of_v.mean_error
            + of_dy.mean_error * of_v.mean_error
            + of_v.along * of_dy.along_error
            + of_dy.along * of_v.along_error
            + of_dy.along_error * of_v.along_error
            + (product_error(crossed[0], n, grade, p) + product_error(crossed[1], n, grade, p)) / count
            + p.eta * (4 + mean_of(of_dy.terms + of_v.terms))
        )
        both_terms = mean_of(np.abs(v * self._dy)) + of_dy.mean * of_v.mean + of_dy.along * of_v.along
        return _Pieces(p, normalised_error, of_dy, of_v, self.projections.both, both_terms, both_error)

    @quietly
    def ds_dx(self, grade: Grade) -> Bound:
        """Item 9, gradient with respect to x."""
        s, errors = self._pieces(grade), self.batch.statistics(grade)
        p, dy, v, normalised = s.p, s.dy, s.v, self._normalised
        inverse, factor, weight = column(self._inverse), column(self._factor), np.abs(self.upstream.v_dgamma)
        coefficient = column(weight + self._factor * v.along)
        terms = coefficient * dy.terms
        terms = terms + factor * (column(dy.along) * v.terms + normalised * column(s.both_terms))
        inner = coefficient * dy.error + factor * column(v.along_error) * (dy.value + dy.error)
        inner = inner + factor * (column(dy.along) * v.error + column(dy.along_error) * (v.value + v.error))
        inner = inner + factor * (
            normalised * column(s.both_error) + s.normalised_error * column(s.both + s.both_error)
        )
        mean_terms = column(mean_of(terms))
        inner = inner + ROUNDINGS * p.u * terms + p.adding(self._dy.shape[1]) * mean_terms
        curvature = np.abs(self.golden.ds_dx) + inverse * column(weight) * dy.value
        allowed = inverse * inner + column(errors.root) * (np.abs(self.golden.ds_dx) + curvature)
        underflow = 1 + inverse * (1 + factor + coefficient) * (4 + dy.terms + v.terms + normalised)
        paths = STORED_PATHS * inverse * (terms + mean_terms) if grade.composite else None
        allowed = allowed + p.eta * underflow + p.stored(self.golden.ds_dx, paths)
        spread = coefficient * dy.value + factor * column(dy.along) * v.value
        spread = spread + factor * normalised * column(_root_mean_square(self.upstream.v_dx * self._dy))
        return Bound(allowed, errors.meaningful).below(self._inverse * _root_mean_square(spread), math.sqrt(VACUOUS))

    @quietly
    def ds_dgamma(self, grade: Grade) -> Bound:
        """Item 9, gradient with respect to gamma."""
        s, errors, count = self._pieces(grade), self.batch.statistics(grade), self._count
        stored = self.batch.parameter_precision(grade)
        size, v = np.abs(self.golden.ds_dgamma), self.upstream.v_dx
        allowed = self._inverse * count * s.both_error + (errors.root + 4 * s.p.u) * size
        paths = STORED_PATHS * self._inverse * Products.of(np.abs(v), s.dy.terms).rounded if grade.composite else None
        allowed = allowed + s.p.eta * (2 + count * self._inverse) + stored.stored(size, paths)
        spread = self._inverse * np.sqrt(sum_of((v * self._dy) ** 2))
        return Bound(allowed, errors.meaningful).below(np.maximum(spread, np.abs(self.golden.ds_dgamma)))

    @quietly
    def ds_ddy(self, grade: Grade) -> Bound:
        """Item 9, gradient with respect to dy."""
        s, errors, normalised = self._pieces(grade), self.batch.statistics(grade), self._normalised
        factor, weight = column(self._factor), column(np.abs(self.upstream.v_dgamma))
        shift, p = column(np.abs(self.upstream.v_dbeta)), s.p
        terms = factor * s.v.terms + weight * normalised + shift
        allowed = factor * (s.v.error + column(errors.root) * s.v.value) + weight * s.normalised_error
        mean_terms = column(mean_of(factor * s.v.terms))
        allowed = allowed + 4 * p.u * terms + p.adding(self._dy.shape[1]) * mean_terms
        underflow = 2 + factor + weight + s.v.terms * (1 + factor)
        paths = STORED_PATHS * (terms + mean_terms) if grade.composite else None
        allowed = allowed + p.eta * underflow + p.stored(self.golden.ds_ddy, paths)
        size = self._factor * _root_mean_square(self.upstream.v_dx) + np.abs(self.upstream.v_dbeta)
        size = size + np.abs(self.upstream.v_dgamma) * _root_mean_square(normalised)
        return Bound(allowed, errors.meaningful).below(size, math.sqrt(VACUOUS))


@dataclass(frozen=True)
class InferenceSecondBounds:
    """Bounds of the second order in inference.

    Attributes:
        batch: bounds of the batch; what follows is in their arithmetic.
        dy: rows.
        upstream: the weights of the first-order gradients.
        golden: golden gradients of the second order.
    """

    batch: InferenceBounds
    dy: Quad
    upstream: Upstream
    golden: RowSecondOrder

    @property
    def _inverse(self) -> Quad:
        return np.asarray(np.abs(self.batch.nodes.inverse_deviation))

    def _relative(self, grade: Grade) -> Any:
        """Relative error of a product with the inverse root."""
        return (ROOT + 3) * self.batch.precision(grade).u + self.batch.root_error(grade)

    @quietly
    def ds_dx(self, grade: Grade) -> Bound:
        """Item 9, gradient with respect to x."""
        p, size, weight = self.batch.precision(grade), np.abs(self.golden.ds_dx), np.abs(self.upstream.v_dgamma)
        allowed = size * column(self._relative(grade))
        allowed = allowed + p.eta * (1 + np.abs(self.dy) * column(1 + self._inverse) + column(weight * self._inverse))
        return Bound(allowed + p.stored(size, size if grade.composite else None), self.batch.meaningful(grade))

    @quietly
    def ds_dgamma(self, grade: Grade) -> Bound:
        """Item 9, gradient with respect to gamma."""
        p, size, v = self.batch.precision(grade), np.abs(self.golden.ds_dgamma), self.upstream.v_dx
        stored = self.batch.parameter_precision(grade)
        products = Products.of(self.dy, v)
        allowed = self._relative(grade) * size + self._inverse * product_error(products, v.shape[1], grade, p)
        paths = self._inverse * products.rounded if grade.composite else None
        underflow = (1 + self._inverse) * (2 * self.dy.shape[1] + sum_of(np.abs(self.dy) + np.abs(v)))
        meaningful = self.batch.meaningful(grade) & self.batch.sums(grade)
        bound = Bound(allowed + p.eta * underflow + stored.stored(size, paths), meaningful)
        return bound.below(np.maximum(self._inverse * np.sqrt(sum_of((v * self.dy) ** 2)), size))

    @quietly
    def ds_ddy(self, grade: Grade) -> Bound:
        """Item 9, gradient with respect to dy."""
        batch, p, inverse = self.batch, self.batch.precision(grade), column(self._inverse)
        gamma = 1 if batch.gamma is None else column(np.abs(batch.gamma))
        weight, shift = column(np.abs(self.upstream.v_dgamma)), column(np.abs(self.upstream.v_dbeta))
        normalised, v = np.abs(batch.nodes.normalised), np.abs(self.upstream.v_dx)
        products = gamma * inverse * v + weight * normalised
        allowed = products * column(self._relative(grade)) + weight * inverse * column(batch.mean_error)
        allowed = allowed + 2 * p.u * (products + shift)
        if grade.folded:
            allowed = allowed + 2 * p.u * weight * inverse * (np.abs(batch.x) + column(np.abs(batch.nodes.mean)))
        underflow = 3 + v * (1 + gamma + inverse) + weight * (1 + inverse + np.abs(batch.nodes.centred)) + inverse
        paths = products + shift if grade.composite else None
        allowed = allowed + p.eta * underflow + p.stored(self.golden.ds_ddy, paths)
        return Bound(allowed, batch.meaningful(grade))
