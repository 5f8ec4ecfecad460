"""Deviations that modify inputs or share memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

# Inputs and memory.


@deviation(
    "x-normalised-in-place",
    clause="PURE-1",
    effect="a second use of x, as in a residual branch, is wrong",
    numeric=False,
)
class XNormalisedInPlace(PlainLayer):
    """Forward writes y into x."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Write y into x, where x can be written to."""
        y = super().forward_masked(x, mask, training)
        if x.flags.writeable and x.dtype == y.dtype:
            x[...] = y
        return y


@deviation("y-shares-memory-with-x", clause="PURE-1", effect="changing y changes x", numeric=False)
class YSharesMemory(PlainLayer):
    """y is x's own memory."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Give y in the memory of x."""
        y = super().forward_masked(x, mask, training)
        if not x.flags.writeable or x.dtype != y.dtype:
            return y
        x[...] = y
        return x[:]


@deviation(
    "dy-overwritten", clause="PURE-1", effect="a second use of dy, as in a residual branch, is wrong", numeric=False
)
class DyOverwritten(PlainLayer):
    """Backward leaves zeros in dy."""

    def backward(self, dy: Array) -> RowGradients:
        """Give the gradients, then overwrite dy with zeros."""
        gradients = super().backward(dy)
        if dy.flags.writeable:
            dy[...] = 0
        return gradients


@deviation(
    "dx-written-into-dy", clause="PURE-1", effect="a second use of dy, as in a residual branch, is wrong", numeric=False
)
class DxWrittenIntoDy(PlainLayer):
    """Backward writes dx into dy."""

    def backward(self, dy: Array) -> RowGradients:
        """Give the gradients, then write dx into dy."""
        gradients = super().backward(dy)
        if dy.flags.writeable and dy.dtype == gradients.dx.dtype and dy.shape == gradients.dx.shape:
            dy[...] = gradients.dx
        return gradients


@deviation(
    "x-overwritten-in-backward",
    clause="PURE-1",
    effect="x is not what it was, where a later layer uses it too",
    numeric=False,
)
class XOverwrittenInBackward(PlainLayer):
    """Backward writes dx into the x of its forward."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Remember the caller's x."""
        self.callers_x = x
        return super().forward_masked(x, mask, training)

    def backward(self, dy: Array) -> RowGradients:
        """Give the gradients, then write dx into that x."""
        gradients = super().backward(dy)
        if self.callers_x.flags.writeable:
            self.callers_x[...] = gradients.dx
        return gradients


def _reused(name: str, sentence: str, effect: str, which: str, by_class: bool) -> None:
    """Register a layer whose y or dx lies in a buffer that later calls of the same shape reuse."""

    class Reused(PlainLayer):
        def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
            """Give the result in the buffer."""
            result = super().output(rows, shape, name)
            if name != which:
                return result
            owner: Any = type(self) if by_class else self
            buffers = vars(owner).get("buffers")
            if buffers is None:
                buffers = {}
                owner.buffers = buffers
            buffer = buffers.setdefault((name, shape, result.dtype), result)
            buffer[...] = result
            return np.asarray(buffer)

    Reused.__doc__ = sentence
    deviation(name, clause="PURE-4", effect=effect, numeric=False)(Reused)


_reused(
    "y-overwritten-by-next-call",
    "y lies in a buffer of the layer, which its next call overwrites.",
    "outputs that are kept change later",
    "y",
    False,
)
_reused(
    "dx-overwritten-by-next-call",
    "dx lies in a buffer of the layer, which its next call overwrites.",
    "gradients that are kept change later",
    "dx",
    False,
)
_reused(
    "y-buffer-shared-by-layers",
    "y lies in a buffer of all layers of that shape, which the next one overwrites.",
    "networks of equal layers give the outputs of the last",
    "y",
    True,
)


def _referring(name: str, call: str, sentence: str, effect: str) -> None:
    """Register a layer that keeps the caller's arrays instead of copies."""

    class Referring(PlainLayer):
        def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
            """Keep the caller's gamma and beta."""
            super().set_parameters(gamma, beta)
            if call == "parameters":
                self.gamma = self.gamma if gamma is None else gamma
                self.beta = self.beta if beta is None else beta

        def set_running_statistics(self, mean: Array, variance: Array) -> None:
            """Keep the caller's running statistics."""
            super().set_running_statistics(mean, variance)
            if call == "statistics" and mean.dtype == self.statistics_dtype:
                self.running_mean, self.running_var = mean, variance

    Referring.__doc__ = sentence
    deviation(name, clause="PURE-7", effect=effect, numeric=False)(Referring)


_referring(
    "parameters-kept-by-reference",
    "parameters",
    "gamma and beta that are set remain the caller's arrays.",
    "a buffer that is used again changes the layer",
)
_referring(
    "statistics-kept-by-reference",
    "statistics",
    "running statistics that are set remain the caller's arrays.",
    "a buffer that is used again changes the layer",
)


@deviation("saved-y-by-reference", clause="PURE-7", effect="a ReLU in place spoils gradients", numeric=False)
class SavedYByReference(PlainLayer):
    """Backward reads the normalised values from y as the caller left it."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Remember the y that the caller gets, and a copy of it."""
        y = super().forward_masked(x, mask, training)
        self.callers_y, self.copied_y = y, y.copy()
        return y

    def backward(self, dy: Array) -> RowGradients:
        """Shift the normalised values by what the caller changed in y."""
        saved = self.saved
        if saved is not None and not np.array_equal(self.callers_y, self.copied_y, equal_nan=True):
            changed = self.rows_of(self.callers_y) - self.rows_of(self.copied_y)
            self.saved = replace(saved, rows=saved.rows + changed)
        return super().backward(dy)
