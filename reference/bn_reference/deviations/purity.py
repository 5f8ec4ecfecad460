"""Deviations of purity: inputs that are changed, memory that is shared, and results that depend on other calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.layer import Array, Mode, PlainLayer, Saved

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
        """And overwrite x."""
        y = super().forward_masked(x, mask, training)
        if x.flags.writeable and x.dtype == y.dtype:
            x[...] = y
        return y


@deviation("y-shares-memory-with-x", clause="PURE-1", effect="changing y changes x", numeric=False)
class YSharesMemory(PlainLayer):
    """y is x's own memory."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """In the memory of x."""
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
        """And overwrite dy."""
        gradients = super().backward(dy)
        if dy.flags.writeable:
            dy[...] = 0
        return gradients


@deviation("dx-written-into-dy", clause="PURE-1", effect="a second use of dy, as in a residual branch, is wrong",
           numeric=False)  # fmt: skip
class DxWrittenIntoDy(PlainLayer):
    """Backward writes dx into dy."""

    def backward(self, dy: Array) -> RowGradients:
        """Into dy."""
        gradients = super().backward(dy)
        if dy.flags.writeable and dy.dtype == gradients.dx.dtype and dy.shape == gradients.dx.shape:
            dy[...] = gradients.dx
        return gradients


@deviation("x-overwritten-in-backward", clause="PURE-1", effect="x is not what it was, where a later layer uses it too",
           numeric=False)  # fmt: skip
class XOverwrittenInBackward(PlainLayer):
    """Backward writes dx into the x of its forward."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Remember x."""
        self.given = x
        return super().forward_masked(x, mask, training)

    def backward(self, dy: Array) -> RowGradients:
        """Into x."""
        gradients = super().backward(dy)
        if self.given.flags.writeable:
            self.given[...] = gradients.dx
        return gradients


def _reused(name: str, sentence: str, effect: str, which: str, by_class: bool) -> None:
    """Enter a layer whose y or dx lies in a buffer that later calls of the same shape reuse."""

    class Reused(PlainLayer):
        def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
            """In the buffer."""
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


_reused("y-overwritten-by-next-call", "y lies in a buffer of the layer, which its next call overwrites.",
        "outputs that are kept change later", "y", False)  # fmt: skip
_reused("dx-overwritten-by-next-call", "dx lies in a buffer of the layer, which its next call overwrites.",
        "gradients that are kept change later", "dx", False)  # fmt: skip
_reused("y-buffer-shared-by-layers", "y lies in a buffer of all layers of that shape, which the next one overwrites.",
        "networks of equal layers give the outputs of the last", "y", True)  # fmt: skip


def _referring(name: str, call: str, sentence: str, effect: str) -> None:
    """Enter a layer that keeps the caller's arrays instead of copies."""

    class Referring(PlainLayer):
        def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
            """The caller's own."""
            super().set_parameters(gamma, beta)
            if call == "parameters":
                self.gamma = self.gamma if gamma is None else gamma
                self.beta = self.beta if beta is None else beta

        def set_running_statistics(self, mean: Array, variance: Array) -> None:
            """The caller's own."""
            super().set_running_statistics(mean, variance)
            if call == "statistics" and mean.dtype == self.kept:
                self.running_mean, self.running_var = mean, variance

    Referring.__doc__ = sentence
    deviation(name, clause="PURE-7", effect=effect, numeric=False)(Referring)


_referring("parameters-kept-by-reference", "parameters", "gamma and beta that are set remain the caller's arrays.",
           "a buffer that is used again changes the layer")  # fmt: skip
_referring("statistics-kept-by-reference", "statistics", "running statistics that are set remain the caller's arrays.",
           "a buffer that is used again changes the layer")  # fmt: skip


@deviation("saved-y-by-reference", clause="PURE-7", effect="a ReLU in place spoils gradients",
           numeric=False)  # fmt: skip
class SavedYByReference(PlainLayer):
    """Backward reads the normalised values from y as the caller left it."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Remember y, and what it was."""
        y = super().forward_masked(x, mask, training)
        self.given_y, self.own_y = y, y.copy()
        return y

    def backward(self, dy: Array) -> RowGradients:
        """Shifted by what the caller changed."""
        saved = self.saved
        if saved is not None and not np.array_equal(self.given_y, self.own_y, equal_nan=True):
            changed = self.rows_of(self.given_y) - self.rows_of(self.own_y)
            self.saved = replace(saved, rows=saved.rows + changed)
        return super().backward(dy)


# Other calls.


def _earlier(name: str, sentence: str, effect: str, first: bool, clause: str = "GRAD-1") -> None:
    """Enter a layer whose backward belongs to an earlier forward of the same shape: the first, or the one before."""

    class Earlier(PlainLayer):
        earlier: Saved | None = None

        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            """Remember what was saved."""
            if self.earlier is None or not first:
                self.earlier = self.saved
            return super().forward_masked(x, mask, training)

        def backward(self, dy: Array) -> RowGradients:
            """By what was remembered."""
            if self.earlier is not None and self.saved is not None and self.earlier.shape == self.saved.shape:
                self.saved = self.earlier
            return super().backward(dy)

    Earlier.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Earlier)


_SLOW = "training with gradient accumulation or shared layers converges worse"
_earlier("gradient-of-first-forward", "Backward belongs to the first forward of that shape.", _SLOW, True)
_earlier("gradient-of-previous-forward", "Backward belongs to the forward before the latest.", _SLOW, False)


def _statistics_of(name: str, sentence: str, effect: str, key: Callable[[Array], Any], renew: bool) -> None:
    """Enter a layer that takes statistics which an earlier training batch left under a key."""

    class StatisticsOf(PlainLayer):
        def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
            """By what was left."""
            saved = super().normalisers(x, mask, training)
            if saved.mode == "inference":
                return saved
            cache = vars(self).setdefault("cache", {})
            kept = cache.get(key(x), saved)
            if renew or key(x) not in cache:
                cache[key(x)] = saved
            return replace(saved, mean=kept.mean, inverse=kept.inverse)

    StatisticsOf.__doc__ = sentence
    deviation(name, clause="STATE-5", effect=effect)(StatisticsOf)


_statistics_of("statistics-cached-by-shape", "Batches are normalised by the statistics of the first of their shape.",
               "only the first batch is right", lambda x: x.shape, False)  # fmt: skip
_statistics_of("statistics-of-previous-batch", "A training batch is normalised by the statistics of the one before.",
               "the first batch is right, and each other one is a step behind", lambda x: None, True)  # fmt: skip


def _accumulating(name: str, sentence: str, effect: str, part: str, clause: str) -> None:
    """Enter a layer that adds a gradient of a parameter to that of the calls before."""

    class Accumulating(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """With those before."""
            gradients = super().backward(dy)
            new = getattr(gradients, part)
            if new is None:
                return gradients
            sums = vars(self).setdefault("sums", {})
            sums[part] = (new + sums.get(part, np.zeros_like(new))).astype(new.dtype)
            return gradients._replace(**{part: sums[part].copy()})

    Accumulating.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Accumulating)


_accumulating("dgamma-accumulates", "dgamma is added to that of the calls before.", "gamma learns faster and faster",
              "dgamma", "GRAD-2")  # fmt: skip
_accumulating("dbeta-accumulates", "dbeta is added to that of the calls before.", "beta learns faster and faster",
              "dbeta", "GRAD-3")  # fmt: skip


@deviation("scratch-not-cleared", clause="STATE-5", effect="only the first call of a layer is right")
class ScratchNotCleared(PlainLayer):
    """The sums of the mean start from those of the call before."""

    scratch: Array | None = None

    def total(self, rows: Array, purpose: str) -> Array:
        """On top of what is there."""
        total = super().total(rows, purpose)
        if purpose != "mean":
            return total
        self.scratch = total if self.scratch is None else self.scratch + total
        return self.scratch


@deviation("first-call-without-eps", clause="PURE-2", effect="only the first call is wrong, as where a kernel warms up")
class FirstCallWithoutEps(PlainLayer):
    """The first forward of a layer runs before eps is there."""

    calls = 0

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Count calls."""
        self.calls += 1
        return super().forward_masked(x, mask, training)

    def eps_in(self, mode: Mode) -> Any:
        """Nothing in the first."""
        return self.constant(0.0) if self.calls <= 1 else super().eps_in(mode)


def _noisy(name: str, sentence: str, size: float) -> None:
    """Enter a layer whose every second call, whichever layer makes it, differs a little.

    Calls are counted from when layers are combined: what was judged before says nothing of what is judged next.
    """

    class Noisy(PlainLayer):
        calls_of_all = 0

        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Off by one call in two."""
            y = super().scale_and_shift(normalised, mode)
            type(self).calls_of_all += 1
            return np.asarray(y * self.constant(1.0 + (self.calls_of_all % 2) * size))

    Noisy.__doc__ = sentence
    deviation(name, clause="PURE-2", effect="no run can be repeated bit by bit")(Noisy)


_noisy("not-the-same-twice", "Every second call differs by 2^-22, as where sums run in another order.", 2.0**-22)
