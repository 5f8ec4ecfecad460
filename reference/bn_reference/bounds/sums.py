"""Sums over whole channels, of which goldens and error bounds of gradients are made (BOUNDS.md, items 6 to 8).

A batch is one block of rows, or many that are made anew for every sum, where it is too long to be spread out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bn_reference.arithmetic.quad import quietly
from bn_reference.definition.graph import Rows, Vector, sum_of
from bn_reference.specification.grades import Grade


class Block(NamedTuple):
    """The same columns of dy, of x and of the normalised values: rows of shape (C, k)."""

    dy: Rows
    x: Rows
    normalised: Rows


class Products(NamedTuple):
    """Of the terms t of a sum of products, vectors of shape (C,): the sums of t, of |t| and of t * t."""

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
        """Error of the sum by rounding each of its terms, over the roundoff: their signs are random in long sums.

        sum|t| where every error has the same sign, and 5 norm(t), larger up to n = 25, where signs are random.
        """
        return np.asarray(np.minimum(self.absolute, 5 * np.sqrt(self.squares)))


class GradientSums:
    """Sums over the values of each channel, vectors of shape (C,), each computed when it is first asked for.

    Args:
        blocks: gives the blocks of the batch, all of them each time.
        count: values of a channel.
    """

    def __init__(self, blocks: Callable[[], Iterable[Block]], count: int) -> None:
        self._blocks, self.count = blocks, count

    @classmethod
    def of_rows(cls, dy: Rows, x: Rows, normalised: Rows) -> GradientSums:
        """Those of a batch in one block."""
        block = Block(dy, x, normalised)
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
        def squares(block: Block) -> tuple[Vector, ...]:
            return (sum_of(block.dy * block.dy * (1 + block.normalised * block.normalised)),)

        return self._over(squares)[0]

    def product_size(self, total: Vector) -> Vector:
        """What total = sum(dy * xhat) is like for signs at random, with normalised values of 1 at least.

        Where the signs are not at random and the total is larger than that, it is the size itself.
        """
        return np.asarray(np.maximum(np.sqrt(self._size_squares), np.abs(total)))

    @quietly
    def _over(self, sums: Callable[[Block], tuple[Vector, ...]]) -> tuple[Vector, ...]:
        return added(sums(block) for block in self._blocks())


def added(parts: Iterable[tuple[Vector, ...]]) -> tuple[Vector, ...]:
    """The sums over some tuples, one at least, place by place."""
    totals: tuple[Vector, ...] = ()
    for part in parts:
        totals = tuple(map(np.add, totals, part)) if totals else tuple(part)
    return totals


def product_error(products: Products, count: int, grade: Grade, p: Any) -> Vector:
    """Error of a sum of `count` products whose second factors take four roundings (item 7), p being its `Precision`."""
    own = products.rounded if grade.wide_sums else products.absolute
    return np.asarray(p.adding(count) * products.absolute + 4 * p.u * own)


def folded_error(sums: GradientSums, mean: Vector, dbeta: Vector, grade: Grade, p: Any) -> Vector:
    """Error of sum(dy * x) - mean * sum(dy), the two sums computed one by one (item 7, folded)."""
    allowed = product_error(sums.folded, sums.count, grade, p) + p.adding(sums.count) * np.abs(mean) * sums.dy
    return np.asarray(allowed + 4 * p.u * (np.abs(mean * dbeta) + np.abs(sums.folded.total)))


def dbeta_error(sums: GradientSums, dbeta: Vector, p: Any) -> Vector:
    """Error of a sum of dy before it is stored (item 6); the same in training and in inference."""
    allowed = p.adding(sums.count) * sums.dy + p.u * np.abs(dbeta)
    return np.asarray(allowed + 2 * sums.count * p.eta)
