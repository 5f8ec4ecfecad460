"""Deviations in which what was called before changes what a call gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Other calls.


def _earlier(name: str, sentence: str, effect: str, first: bool, clause: str = "GRAD-1") -> None:
    """Register a layer whose backward belongs to an earlier forward of the same shape: the first, or the one before."""

    class Earlier(PlainLayer):
        earlier: Saved | None = None

        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            """Remember what the earlier forward saved."""
            if self.earlier is None or not first:
                self.earlier = self.saved
            return super().forward_masked(x, mask, training)

        def backward(self, dy: Array) -> RowGradients:
            """Use what the earlier forward saved."""
            if self.earlier is not None and self.saved is not None and self.earlier.shape == self.saved.shape:
                self.saved = self.earlier
            return super().backward(dy)

    Earlier.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Earlier)


_SLOW = "training with gradient accumulation or shared layers converges worse"
_earlier("gradient-of-first-forward", "Backward belongs to the first forward of that shape.", _SLOW, True)
_earlier("gradient-of-previous-forward", "Backward belongs to the forward before the latest.", _SLOW, False)


def _statistics_of(name: str, sentence: str, effect: str, key: Callable[[Array], Any], renew: bool) -> None:
    """Register a layer that uses statistics which an earlier training batch left under a key."""

    class StatisticsOf(PlainLayer):
        def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
            """Normalise by the statistics under the key, in training."""
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


_statistics_of(
    "statistics-cached-by-shape",
    "Batches are normalised by the statistics of the first of their shape.",
    "only the first batch is right",
    lambda x: x.shape,
    False,
)
_statistics_of(
    "statistics-of-previous-batch",
    "A training batch is normalised by the statistics of the one before.",
    "the first batch is right, and each other one is a step behind",
    lambda x: None,
    True,
)


def _accumulating(name: str, sentence: str, effect: str, part: str, clause: str) -> None:
    """Register a layer that adds the gradients of a parameter up over its calls."""

    class Accumulating(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """Add the gradient to those of the calls before."""
            gradients = super().backward(dy)
            new = getattr(gradients, part)
            if new is None:
                return gradients
            sums = vars(self).setdefault("sums", {})
            sums[part] = (new + sums.get(part, np.zeros_like(new))).astype(new.dtype)
            return gradients._replace(**{part: sums[part].copy()})

    Accumulating.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Accumulating)


_accumulating(
    "dgamma-accumulates",
    "dgamma is added to that of the calls before.",
    "gamma learns faster and faster",
    "dgamma",
    "GRAD-2",
)
_accumulating(
    "dbeta-accumulates",
    "dbeta is added to that of the calls before.",
    "beta learns faster and faster",
    "dbeta",
    "GRAD-3",
)


@deviation("scratch-not-cleared", clause="STATE-5", effect="only the first call of a layer is right")
class ScratchNotCleared(PlainLayer):
    """The sums of the mean start from those of the call before."""

    scratch: Array | None = None

    def total(self, rows: Array, purpose: str) -> Array:
        """Add the sum of the mean to those of the calls before."""
        total = super().total(rows, purpose)
        if purpose != "mean":
            return total
        self.scratch = total if self.scratch is None else self.scratch + total
        return self.scratch


@deviation("first-call-without-eps", clause="PURE-2", effect="only the first call is wrong, as where a kernel warms up")
class FirstCallWithoutEps(PlainLayer):
    """The first forward of a layer adds no eps."""

    calls = 0

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Count the calls."""
        self.calls += 1
        return super().forward_masked(x, mask, training)

    def eps_in(self, mode: Mode) -> Any:
        """Give zero in the first call."""
        return self.constant(0.0) if self.calls <= 1 else super().eps_in(mode)


def _noisy(name: str, sentence: str, size: float) -> None:
    """Register a layer whose every second call, whichever layer makes it, differs a little.

    Calls are counted from when layers are combined: what was judged before says nothing of what is judged next.
    """

    class Noisy(PlainLayer):
        calls_of_all = 0

        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Scale y a little in one call of two."""
            y = super().scale_and_shift(normalised, mode)
            type(self).calls_of_all += 1
            return np.asarray(y * self.constant(1.0 + (self.calls_of_all % 2) * size))

    Noisy.__doc__ = sentence
    deviation(name, clause="PURE-2", effect="no run can be repeated bit by bit")(Noisy)


_noisy("not-the-same-twice", "Every second call differs by 2^-22, as where sums run in another order.", 2.0**-22)
