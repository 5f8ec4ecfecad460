"""Sums over whole channels, for goldens and error bounds of gradients (items 6 to 8 of BOUNDS.md).

A batch is usually one block of rows. A batch that is too long to be held in binary128 is many blocks, and every sum
makes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bn_reference.arithmetic.quad import quietly
from bn_reference.definition.graph import Rows, Vector, sum_of
from bn_reference.specification.grades import Grade


class GradientRows(NamedTuple):
    """A block of a batch: the same k columns of dy, of x and of the normalised values, each of shape (C, k)."""

    dy: Rows
    x: Rows
    normalised: Rows


class Products(NamedTuple):
    """Sums over the terms t of a sum of products: of t, of |t| and of t * t, vectors of shape (C,)."""

    total: Vector
    absolute: Vector
    squares: Vector

    @classmethod
    def of(cls, a: Rows, b: Rows) -> Products:
        """The sums over the terms a * b."""
        terms = a * b
        return cls(sum_of(terms), sum_of(np.abs(terms)), sum_of(terms * terms))

    @property
    def rounded(self) -> Vector:
        """Error of the sum where each of its terms is rounded, divided by the roundoff.

        It is at most sum|t|, which is reached where every error has the same sign. In long sums signs are random, and
        5 norm(t) is enough. The smaller of both counts: 5 norm(t) is at least sum|t| up to n = 25.
        """
        return np.asarray(np.minimum(self.absolute, 5 * np.sqrt(self.squares)))


class GradientSums:
    """Sums over the values of each channel: vectors of shape (C,), each computed when it is first needed.

    Args:
        blocks: gives all blocks of the batch, each time that it is called.
        count: values per channel.
    """

    def __init__(self, blocks: Callable[[], Iterable[GradientRows]], count: int) -> None:
        self._blocks, self.count = blocks, count

    @classmethod
    def of_rows(cls, dy: Rows, x: Rows, normalised: Rows) -> GradientSums:
        """The sums of a batch in one block."""
        block = GradientRows(dy, x, normalised)
        return cls(lambda: (block,), dy.shape[1])

    @cached_property
    def dy(self) -> Vector:
        """Sum of |dy|."""
        return self._over(lambda block: (sum_of(np.abs(block.dy)),))[0]

    @cached_property
    def dy_squares(self) -> Vector:
        """Sum of dy * dy."""
        return self._over(lambda block: (sum_of(block.dy * block.dy),))[0]

    @cached_property
    def normalised(self) -> Vector:
        """Sum of |xhat|."""
        return self._over(lambda block: (sum_of(np.abs(block.normalised)),))[0]

    @cached_property
    def along(self) -> Products:
        """Sums over dy * xhat."""
        return Products(*self._over(lambda block: Products.of(block.dy, block.normalised)))

    @cached_property
    def folded(self) -> Products:
        """Sums over dy * x."""
        return Products(*self._over(lambda block: Products.of(block.dy, block.x)))

    @cached_property
    def _size_squares(self) -> Vector:
        def squares(block: GradientRows) -> tuple[Vector, ...]:
            return (sum_of(block.dy * block.dy * (1 + block.normalised * block.normalised)),)

        return self._over(squares)[0]

    def product_size(self, total: Vector) -> Vector:
        """How large a sum of dy * xhat typically is: a vector.

        It is norm(dy * sqrt(1 + xhat**2)), the size of a sum whose terms have random signs; or |total|, where that is
        larger.

        Args:
            total: the sum itself.
        """
        return np.asarray(np.maximum(np.sqrt(self._size_squares), np.abs(total)))

    @quietly
    def _over(self, sums: Callable[[GradientRows], tuple[Vector, ...]]) -> tuple[Vector, ...]:
        return added(sums(block) for block in self._blocks())


def added(parts: Iterable[tuple[Vector, ...]]) -> tuple[Vector, ...]:
    """Sums of tuples of vectors, place by place; empty for no tuple."""
    totals: tuple[Vector, ...] = ()
    for part in parts:
        totals = tuple(map(np.add, totals, part)) if totals else tuple(part)
    return totals


def product_error(products: Products, count: int, grade: Grade, p: Any) -> Vector:
    """Error of a sum of products whose second factors take four roundings (item 7 of BOUNDS.md): a vector.

    Args:
        products: sums over the products.
        count: how many products there are.
        grade: the grade.
        p: its `Precision`.
    """
    own = products.rounded if grade.wide_sums else products.absolute
    return np.asarray(p.adding(count) * products.absolute + 4 * p.u * own)


def folded_error(sums: GradientSums, mean: Vector, dbeta: Vector, grade: Grade, p: Any) -> Vector:
    """Error of sum(dy * x) - mean * sum(dy), where each sum is computed by itself (item 7 of BOUNDS.md, folded)."""
    allowed = product_error(sums.folded, sums.count, grade, p) + p.adding(sums.count) * np.abs(mean) * sums.dy
    return np.asarray(allowed + 4 * p.u * (np.abs(mean * dbeta) + np.abs(sums.folded.total)))


def dbeta_error(sums: GradientSums, dbeta: Vector, p: Any) -> Vector:
    """Error of a sum of dy before it is stored, in training and in inference (item 6 of BOUNDS.md)."""
    allowed = p.adding(sums.count) * sums.dy + p.u * np.abs(dbeta)
    return np.asarray(allowed + 2 * sums.count * p.eta)
