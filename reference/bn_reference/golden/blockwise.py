"""Goldens of a training batch that is too long to be held in binary128: block by block, in a few passes.

Mean, variance, dgamma, dbeta and every value of y and dx are computed in binary128, as in any golden. The bounds, and
the sums that go into them, are evaluated in float64 where the data are of float32 or narrower. That is exact enough:
squares and cubes of such data are far from overflow, nothing cancels in a bound, and 2**-50 of a bound decides nothing.
For float64 data the bounds are evaluated in binary128 too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.formats import FORMATS
from bn_reference.arithmetic.quad import QUAD, Quad, quietly, to_quad
from bn_reference.bounds.batch import BatchBounds, WholeBatch
from bn_reference.bounds.bound import Bound
from bn_reference.bounds.ranges import BatchRanges, Range
from bn_reference.bounds.sums import GradientRows, GradientSums, added
from bn_reference.definition import graph
from bn_reference.definition.graph import Forward, RowGradients, Rows, Vector, column, sum_of
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import Grade

Vectors = tuple[Vector, Vector, Vector | None, Vector | None, Any]
"""Mean, variance, gamma, beta and eps."""

VALUES = 1 << 15
"""Values in a block. Their arrays in binary128 fit a processor's cache."""


@dataclass(frozen=True)
class Tensor:
    """A tensor that is read as rows, block by block. A block holds some entries of the batch (indices of axis 0).

    Attributes:
        values: the tensor, in the format of the layer.
        channel_axis: axis of its channels, not 0.
        block: how many values a block should have; it has at least one entry of the batch.
    """

    values: NDArray[Any]
    channel_axis: int
    block: int = VALUES

    @property
    def channels(self) -> int:
        """Size of the channel axis."""
        return int(self.values.shape[self.channel_axis])

    @property
    def width(self) -> int:
        """Values per channel in one entry of the batch."""
        return prod(map(int, self.values.shape[1:])) // self.channels

    @property
    def count(self) -> int:
        """Values per channel."""
        return int(self.values.shape[0]) * self.width

    def blocks(self) -> Iterator[slice]:
        """The entries of each block."""
        step = max(1, self.block // (self.width * self.channels))
        return (slice(start, start + step) for start in range(0, self.values.shape[0], step))

    def rows(self, entries: slice, dtype: Any) -> Rows:
        """The rows of some entries, in a dtype: shape (C, entries * width)."""
        rows = np.ascontiguousarray(channels_first(self.values[entries], self.channel_axis))
        return to_quad(rows) if dtype == QUAD else rows.astype(dtype)


class LongExpected(Expected):
    """A golden that holds no rows itself: only its parts do, and each is made when it is needed.

    Args:
        channels: how many rows there are.
        part: makes the golden of some entries of the batch.
        blocks: gives the entries of each part.
    """

    whole = False

    def __init__(self, channels: int, part: Callable[[slice], Expected], blocks: Callable[[], Iterable[slice]]) -> None:
        nothing = np.zeros((channels, 0), QUAD)
        super().__init__(nothing, lambda _: Bound(nothing, np.zeros(channels, np.bool_)))
        self._part, self._blocks = part, blocks

    def parts(self) -> Iterable[Expected]:
        """The golden, block by block."""
        return map(self._part, self._blocks())


class LongGolden(Golden):
    """Goldens of one long batch in training.

    Args:
        config: the layer.
        convention: the choices that it is judged under.
        batch: x, with at least one value per channel.
        parameters: gamma and beta.
        exact_statistics: mean and variance of x are exact in any order of summation.
    """

    def __init__(
        self,
        config: LayerConfig,
        convention: Convention,
        batch: Tensor,
        parameters: GammaBeta,
        exact_statistics: bool = False,
    ) -> None:
        super().__init__(config, convention, np.zeros((batch.channels, 0), QUAD), parameters, exact_statistics)
        self.batch = batch
        self.work = np.dtype(np.float64) if self.formats.compute == FORMATS["float32"] else QUAD

    def _batch(self) -> tuple[Forward, BatchBounds]:
        """The forward pass with its vectors and empty rows, and the bounds that follow from the vectors."""
        if self._training is None:
            empty = self.nodes_of(self.x, self.vectors_in(QUAD))
            vectors = self.vectors_in(self.work)
            self._training = empty, self.bounds_of(self.x.astype(self.work), vectors)
        return self._training

    def vector_bounds(self) -> BatchBounds:
        """Bounds of empty rows: enough for what has one number a channel."""
        return self._batch()[1]

    @cached_property
    @quietly
    def _moments(self) -> tuple[Vector, Vector, Vector, Vector]:
        """Mean and variance in binary128, and the mean of |x| and the range of x, in two passes over the blocks."""
        count = np.float64(self.batch.count)
        ends: list[Vector] = []

        def first(entries: slice) -> tuple[Vector, ...]:
            x = self.batch.rows(entries, self.work)
            ends.extend((x.max(axis=1), x.min(axis=1)))
            return sum_of(self.batch.rows(entries, QUAD)), sum_of(np.abs(x))

        def second(entries: slice) -> tuple[Vector, ...]:
            centred = self.batch.rows(entries, QUAD) - column(mean)
            return (sum_of(centred * centred),)

        total, magnitude = added(map(first, self.batch.blocks()))
        mean = total / count.astype(QUAD)
        (squares,) = added(map(second, self.batch.blocks()))
        spread = np.max(ends, axis=0) - np.min(ends, axis=0)
        return mean, squares / count.astype(QUAD), magnitude / count.astype(self.work), spread

    def vectors_in(self, dtype: Any) -> Vectors:
        """Mean, variance, gamma, beta and eps in a dtype."""
        mean, variance, *_ = self._moments
        parameters = (self.parameters.gamma, self.parameters.beta)
        gamma, beta = (None if vector is None else vector.astype(dtype) for vector in parameters)
        return mean.astype(dtype), variance.astype(dtype), gamma, beta, np.asarray(self.eps).astype(dtype)

    def nodes_of(self, x: Rows, vectors: Vectors) -> Forward:
        """The forward pass of some columns, with the statistics of the whole batch."""
        return graph.inference(x, *vectors)

    def bounds_of(self, x: Rows, vectors: Vectors) -> BatchBounds:
        """The bounds of some columns, with the statistics of the whole batch."""
        return BatchBounds(
            x=x,
            nodes=self.nodes_of(x, vectors),
            gamma=vectors[2],
            beta=vectors[3],
            eps=vectors[4],
            compute=self.formats.compute,
            storage=self.formats.storage,
            parameters=self.formats.parameters,
            exact_statistics=self.exact_statistics,
            whole=WholeBatch(self.batch.count, *self._moments[2:]),
        )

    def training(self, dy: Quad | Tensor | None) -> dict[str, Expected]:
        """y, and with dy the gradients dx, dgamma and dbeta.

        Raises:
            TypeError: dy is an array of rows and no `Tensor`.
        """
        if dy is not None and not isinstance(dy, Tensor):
            raise TypeError("dy is an array of rows; give a Tensor, which is read by blocks as x is")
        wide, narrow = self.vectors_in(QUAD), self.vectors_in(self.work)

        def y(entries: slice) -> Expected:
            values = self.nodes_of(self.batch.rows(entries, QUAD), wide).y
            bounds = self.bounds_of(self.batch.rows(entries, self.work), narrow)
            return Expected(values, bounds.y, entries, entries.start * self.batch.width, BatchRanges(bounds).y)

        expected: dict[str, Expected] = {"y": LongExpected(self.batch.channels, y, self.batch.blocks)}
        return expected if dy is None else expected | _Backward(self, dy).expected()

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Inference is not judged by blocks.

        Raises:
            TypeError: always; use `Golden`, which holds the whole batch in binary128.
        """
        raise TypeError("a long batch is judged only in training; use Golden for inference")


class _Backward:
    """The backward pass of a long batch: dgamma and dbeta in one pass, dx by blocks."""

    def __init__(self, golden: LongGolden, dy: Tensor) -> None:
        self._golden, self._dy = golden, dy
        self._batch, self._work = golden.batch, golden.work
        self._wide, self._narrow = golden.vectors_in(QUAD), golden.vectors_in(golden.work)
        self._gamma = self._wide[2]
        self._wide = (*self._wide[:2], None, None, self._wide[4])  # without gamma and beta no time goes into y
        self._sums = GradientSums(self._blocks, golden.batch.count)
        self._dgamma, self._dbeta = added(map(self._totals, golden.batch.blocks()))
        self._mean = cache(self._mean_allowed)

    @quietly
    def _totals(self, entries: slice) -> tuple[Vector, ...]:
        dy = self._dy.rows(entries, QUAD)
        normalised = self._golden.nodes_of(self._batch.rows(entries, QUAD), self._wide).normalised
        return sum_of(dy * normalised), sum_of(dy)

    def _blocks(self) -> Iterator[GradientRows]:
        for entries in self._batch.blocks():
            x = self._batch.rows(entries, self._work)
            yield GradientRows(self._dy.rows(entries, self._work), x, self._golden.nodes_of(x, self._narrow).normalised)

    def _gradients(self, dy: Rows, nodes: Forward, gamma: Vector | None) -> RowGradients:
        count = np.float64(self._batch.count).astype(dy.dtype)
        dgamma, dbeta = (part.astype(dy.dtype) for part in (self._dgamma, self._dbeta))
        return graph.of_sums(dy, nodes, gamma, dgamma, dbeta, count)

    def _at(self, entries: slice) -> tuple[Rows, BatchBounds, RowGradients]:
        """dy, the bounds and the gradients of some entries, in the arithmetic of bounds."""
        bounds = self._golden.bounds_of(self._batch.rows(entries, self._work), self._narrow)
        dy = self._dy.rows(entries, self._work)
        return dy, bounds, self._gradients(dy, bounds.nodes, bounds.gamma)

    def _mean_allowed(self, grade: Grade) -> Vector:
        """The mean of the allowed error of dx over each whole row, under a grade: one more pass."""

        @quietly
        def total(entries: slice) -> tuple[Vector, ...]:
            dy, bounds, grads = self._at(entries)
            return (sum_of(bounds.dx_allowed(dy, self._sums, grads, grade)),)

        (totals,) = added(map(total, self._batch.blocks()))
        return np.asarray(totals / np.float64(self._batch.count).astype(self._work))

    def _dx(self, entries: slice) -> Expected:
        wide = self._golden.nodes_of(self._batch.rows(entries, QUAD), self._wide)
        values = self._gradients(self._dy.rows(entries, QUAD), wide, self._gamma).dx
        at = cache(lambda: self._at(entries))

        def bound(grade: Grade) -> Bound:
            dy, bounds, grads = at()
            return bounds.dx(dy, self._sums, grads, grade, self._mean)

        def range_(grade: Grade) -> Range:
            dy, bounds, _ = at()
            return BatchRanges(bounds).dx(dy, self._sums, grade)

        return Expected(values, bound, entries, entries.start * self._batch.width, range_)

    def expected(self) -> dict[str, Expected]:
        """dx, dgamma and dbeta."""
        bounds = self._golden.vector_bounds()
        ranges = BatchRanges(bounds)
        nothing = self._gradients(bounds.x, bounds.nodes, bounds.gamma)
        return {
            "dx": LongExpected(self._batch.channels, self._dx, self._batch.blocks),
            "dgamma": Expected(
                self._dgamma,
                lambda grade: bounds.dgamma(self._sums, nothing, grade),
                range_=lambda grade: ranges.dgamma(self._sums, grade),
            ),
            "dbeta": Expected(self._dbeta, lambda grade: bounds.dbeta(self._sums, nothing, grade)),
        }
