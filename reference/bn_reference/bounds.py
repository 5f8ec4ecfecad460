"""Error bounds of BOUNDS.md, evaluated in binary128 for the data of a case, a bound for every number.

All rows have shape (C, n), all vectors (C,). A bound comes with the channels it means anything for: elsewhere it is
vacuous and judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bn_reference.formats import Format
from bn_reference.grades import SAFETY, STABLE, TIGHT, VACUOUS, Grade, path_length
from bn_reference.graph import Forward, Mask, RowGradients, column, counted, mean_of, sum_of, where_counted
from bn_reference.quad import QUAD, Quad, quietly, to_quad

ROOT = 4.0
"""a of BOUNDS.md: roundings allowed to adding eps, the root and the division together."""


class Bound(NamedTuple):
    """Allowed absolute error (rows or a vector) and the channels, of shape (C,), where it is not vacuous."""

    allowed: Quad
    meaningful: NDArray[np.bool_]

    def below(self, size: Quad, share: float = VACUOUS, tight: Callable[[], Bound] | None = None) -> Bound:
        """The same bound, vacuous besides where it (or its mean over a row) exceeds a share of a size of shape (C,).

        Where `tight` is given and means something, the bound is cut down to that share instead of going: what is inside
        is explained by a sound algorithm, and zeros stay outside.
        """
        allowed = mean_of(self.allowed) if self.allowed.ndim == 2 else self.allowed
        fits = (allowed <= share * size) | (size == 0)
        if tight is None or fits.all():
            return Bound(self.allowed, self.meaningful & fits)
        best = tight()
        cut = self.meaningful & best.meaningful & ~fits
        factor = np.where(cut, share * size / allowed, to_quad(1.0))
        scaled = self.allowed * (column(factor) if self.allowed.ndim == 2 else factor)
        where = column(cut) if self.allowed.ndim == 2 else cut
        scaled = np.where(where, np.maximum(scaled, best.allowed), self.allowed)
        return Bound(scaled, self.meaningful & (fits | cut))


@dataclass(frozen=True)
class Precision:
    """Roundoffs of one computation, each a binary128 number.

    Attributes:
        u: of the arithmetic, times C.
        sum_u: of the additions in a sum, times C.
        sequential_u: of the additions in one running sum; 0 where the grade allows none.
        u_s: of storing a result; 0 where the storage format is that of the arithmetic.
        eta: error of an operation by underflow, times C: the smallest normal number, since implementations flush
            subnormals (float16 aside, whose subnormals hardware keeps). In `composite` grades results are stored, too.
        eta_s: the same for storing: half the spacing of the storage format's subnormals.
    """

    u: Any
    sum_u: Any
    sequential_u: Any
    u_s: Any
    eta: Any
    eta_s: Any

    @classmethod
    @cache
    def of(cls, compute: Format, storage: Format, grade: Grade, safety: float | None = None) -> Precision:
        """Precision of a grade that computes in one format and stores in another.

        Args:
            compute: format of sound arithmetic.
            storage: format of the result.
            grade: whose C it is, and whether arithmetic is in `storage`.
            safety: another C.
        """
        factor = grade.safety if safety is None else safety
        narrower = storage.precision < compute.precision
        arithmetic = storage if narrower and grade.storage_precision else compute
        sum_u = SAFETY * compute.unit_roundoff if grade.wide_sums else factor * arithmetic.unit_roundoff
        u_s = storage.unit_roundoff if narrower else 0.0
        eta_s = storage.smallest_normal * storage.unit_roundoff if narrower else 0.0
        eta = eta_s if arithmetic.name == "float16" else arithmetic.smallest_normal
        eta = factor * eta + (eta_s if grade.composite else 0.0)
        sequential_u = compute.unit_roundoff if grade.sequential else 0.0
        numbers = (factor * arithmetic.unit_roundoff, sum_u, sequential_u, u_s, eta, eta_s)
        return cls(*(to_quad(np.float64(number)) for number in numbers))

    def adding(self, count: int) -> Any:
        """Error of a sum of `count` terms, relative to the sum of their absolute values."""
        return np.maximum(path_length(count) * self.sum_u, count * self.sequential_u)

    def stored(self, values: Quad, paths: Quad | None) -> Quad:
        """What storing adds: once to the result, or, where `paths` (sums of absolute terms) is given, to each path."""
        rounding = self.u_s * np.abs(values) + self.eta_s
        return np.asarray(rounding if paths is None else rounding + 3 * self.u_s * paths)


@dataclass(frozen=True)
class Statistics:
    """Errors of the statistics of a batch: of mean, variance and, relative, the inverse root."""

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
        mask: of shape (n,), True where a position counts for the statistics; None where all do.
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

    @property
    def count(self) -> int:
        """Values per channel that count for the statistics."""
        return int(self.x.shape[1] if self.mask is None else self.mask.sum())

    @cached_property
    def _scale(self) -> Quad:
        """|gamma| / sqrt(variance + eps)."""
        return self._gamma * self.nodes.inverse_deviation

    @cached_property
    def _gamma(self) -> Quad:
        return np.ones(self.x.shape[0], QUAD) if self.gamma is None else np.abs(self.gamma)

    @cached_property
    def _beta(self) -> Quad:
        return np.zeros(self.x.shape[0], QUAD) if self.beta is None else np.abs(self.beta)

    def precision(self, grade: Grade) -> Precision:
        """Roundoffs of a grade. Where the statistics are exact the roundings are few and counted, and C is 1."""
        return Precision.of(self.compute, self.storage, grade, safety=1.0 if self.exact_statistics else None)

    @quietly
    def statistics(self, grade: Grade) -> Statistics:
        """Items 1 to 3 of BOUNDS.md."""
        p = self.precision(grade)
        sigma2, mean, zero = self.nodes.variance, self.nodes.mean, np.zeros(self.x.shape[0], QUAD)
        if self.exact_statistics:
            return Statistics(zero, zero, zero + ROOT * p.u, np.isfinite(mean), np.isfinite(mean))
        adding, updating = p.adding(self.count), path_length(self.count) * p.sum_u
        terms = adding + 4 * p.u
        mean_error = (adding + p.u) * mean_of(np.abs(counted(self.x, self.mask))) + 3 * p.eta
        variance_error = terms * sigma2 + (1 + terms) * mean_error * mean_error
        if grade.raw_moments:
            variance_error = variance_error + 2 * terms / to_quad(grade.safety) * (sigma2 + mean * mean)
        variance_error = variance_error + p.eta * (3 + 2 * np.sqrt(sigma2) + p.eta)
        sums = np.broadcast_to(np.asarray(adding <= VACUOUS), mean.shape) & np.isfinite(mean_error)
        meaningful = sums & (variance_error <= VACUOUS * (sigma2 + self.eps))
        variance_error = variance_error + (updating + 4 * p.u) * np.sqrt(sigma2) * np.sqrt(sigma2 + mean * mean)
        root = root_error(variance_error / (sigma2 + self.eps)) + ROOT * p.u
        return Statistics(mean_error, variance_error, root, sums, meaningful)

    @quietly
    def y(self, grade: Grade) -> Bound:
        """Item 4, training."""
        p, errors, gamma = self.precision(grade), self.statistics(grade), column(self._gamma)
        normalised, beta, y = np.abs(self.nodes.normalised), column(self._beta), self.nodes.y
        scaled = gamma * normalised
        allowed = column(self._scale * errors.mean) + scaled * column(errors.root + 3 * p.u) + p.u * (beta + np.abs(y))
        if grade.folded:
            allowed = allowed + p.u * column(self._scale) * (np.abs(self.x) + 2 * column(np.abs(self.nodes.mean)))
        underflow = 3 + gamma + normalised + np.abs(self.nodes.centred) + column(self._scale)
        return Bound(
            allowed + p.eta * underflow + p.stored(y, scaled + beta if grade.composite else None), errors.meaningful
        )

    @quietly
    def dbeta(self, dy: Quad, grads: RowGradients, grade: Grade) -> Bound:
        """Item 6."""
        allowed = dbeta_error(dy, grads, self.precision(grade))
        stored = Precision.of(self.compute, self.parameters, grade)
        paths = sum_of(np.abs(dy)) if grade.composite else None
        return Bound(allowed + stored.stored(grads.dbeta, paths), self.statistics(grade).sums)

    def _dgamma(self, dy: Quad, grads: RowGradients, grade: Grade, errors: Statistics) -> Quad:
        p = self.precision(grade)
        inverse, magnitude = self.nodes.inverse_deviation, sum_of(np.abs(dy))
        allowed = inverse * errors.mean * np.abs(grads.dbeta) + errors.root * np.abs(grads.dgamma)
        allowed = allowed + product_error(dy, self.nodes.normalised, grade, p)
        if grade.folded:
            allowed = allowed + inverse * folded_error(dy, self.x, self.nodes.mean, grads.dbeta, grade, p)
        underflow = 2 * dy.shape[1] + (1 + inverse) * magnitude + sum_of(np.abs(self.nodes.normalised))
        return np.asarray(allowed + p.eta * underflow)

    @quietly
    def dgamma(self, dy: Quad, grads: RowGradients, grade: Grade) -> Bound:
        """Item 7."""
        errors = self.statistics(grade)
        stored = Precision.of(self.compute, self.parameters, grade)
        paths = rounded_sum(dy * self.nodes.normalised) if grade.composite else None
        allowed = self._dgamma(dy, grads, grade, errors) + stored.stored(grads.dgamma, paths)
        tight = tight_of(grade, lambda best: self.dgamma(dy, grads, best))
        return Bound(allowed, errors.meaningful).below(product_size(dy, self.nodes, grads.dgamma), tight=tight)

    @quietly
    def dx(self, dy: Quad, grads: RowGradients, grade: Grade) -> Bound:
        """Item 8, training."""
        p = self.precision(grade)
        errors, scale, inverse = self.statistics(grade), column(self._scale), self.nodes.inverse_deviation
        count = to_quad(float(max(self.count, 1)))
        normalised = np.abs(self.nodes.normalised)
        m1, m2 = np.abs(grads.dbeta) / count, np.abs(grads.dgamma) / count
        mean_dy, mean_product = sum_of(np.abs(dy)) / count, sum_of(np.abs(dy * self.nodes.normalised)) / count
        normalised_error = column(inverse * errors.mean) + normalised * column(errors.root + 2 * p.u)
        if grade.folded:
            magnitudes = np.abs(self.x) + 2 * column(np.abs(self.nodes.mean))
            normalised_error = normalised_error + p.u * column(inverse) * magnitudes
        dgamma_error = self._dgamma(dy, grads, grade, errors) / count
        terms = np.abs(dy) + where_counted(column(m1) + normalised * column(m2), self.mask)
        inner = column((p.adding(dy.shape[1]) + p.u) * mean_dy) + normalised * column(dgamma_error + p.u * m2)
        inner = where_counted(inner + normalised_error * column(m2 + dgamma_error), self.mask) + 4 * p.u * terms
        allowed = scale * inner + column(errors.root + 4 * p.u) * np.abs(grads.dx)
        underflow = 1 + terms + scale * (5 + normalised + column(m2 * (1 + inverse)))
        allowed = allowed + p.eta * underflow
        common = where_counted(column(mean_dy) + normalised * column(mean_product), self.mask)
        paths = scale * (np.abs(dy) + common) if grade.composite else None
        size = self._scale * np.sqrt(mean_of(dy * dy))
        tight = tight_of(grade, lambda best: self.dx(dy, grads, best))
        return Bound(allowed + p.stored(grads.dx, paths), errors.meaningful).below(size, math.sqrt(VACUOUS), tight)


def tight_of(grade: Grade, bound: Callable[[Grade], Bound]) -> Callable[[], Bound] | None:
    """For `stable`, the same bound under `tight`, worked out when it is called; None for every other grade."""
    return (lambda: bound(replace(TIGHT, safety=grade.safety))) if grade.level == STABLE.level else None


def root_error(relative: Quad) -> Quad:
    """Relative error of 1 / sqrt(v) where v has the given relative error: (1 - relative)**(-1/2) - 1.

    No channel with a relative error above a half is judged; it is cut there, so that no bound is NaN.
    """
    relative = np.minimum(relative, to_quad(0.5))
    root = np.sqrt(1 - relative)
    return np.asarray(relative / (root * (1 + root)))


def dbeta_error(dy: Quad, grads: RowGradients, p: Precision) -> Quad:
    """Error of a sum of dy before it is stored (item 6); the same in training and in inference."""
    allowed = p.adding(dy.shape[1]) * sum_of(np.abs(dy)) + p.u * np.abs(grads.dbeta)
    return np.asarray(allowed + 2 * dy.shape[1] * p.eta)


def rounded_sum(terms: Quad) -> Quad:
    """Error of a sum by rounding each of its terms, over the roundoff: their signs are random in long sums.

    sum|t| where every error has the same sign, and 5 norm(t), which exceeds it up to n = 25, where signs are random.
    """
    return np.asarray(np.minimum(sum_of(np.abs(terms)), 5 * np.sqrt(sum_of(terms * terms))))


def product_error(dy: Quad, values: Quad, grade: Grade, p: Precision) -> Quad:
    """Error of sum(dy * values), values taking four roundings (item 7)."""
    products = dy * values
    total = sum_of(np.abs(products))
    return np.asarray(p.adding(dy.shape[1]) * total + 4 * p.u * (rounded_sum(products) if grade.wide_sums else total))


def folded_error(dy: Quad, x: Quad, mean: Quad, dbeta: Quad, grade: Grade, p: Precision) -> Quad:
    """Error of sum(dy * x) - mean * sum(dy), the two sums computed one by one (item 7, folded)."""
    allowed = product_error(dy, x, grade, p) + p.adding(dy.shape[1]) * np.abs(mean) * sum_of(np.abs(dy))
    return np.asarray(allowed + 4 * p.u * (np.abs(mean * dbeta) + np.abs(sum_of(dy * x))))


def product_size(dy: Quad, nodes: Forward, total: Quad) -> Quad:
    """What total = sum(dy * normalised) is like for signs at random, with normalised values of 1 at least.

    Where the signs are not at random and the total is larger than that, it is the size itself.
    """
    random_signs = np.sqrt(sum_of(dy * dy * (1 + nodes.normalised * nodes.normalised)))
    return np.asarray(np.maximum(random_signs, np.abs(total)))
