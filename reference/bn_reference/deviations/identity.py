"""Deviations of identity: an array is known by what it is instead of what it holds, and layers share a few places."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# The same array again.

_REUSED = "a program that fills one buffer again and again gets the results of its first batch"


@deviation("x-known-by-array", clause="PURE-9", effect=_REUSED, numeric=False)
class XKnownByArray(PlainLayer):
    """An x in the array of the call before is not read again."""

    known: tuple[Array, Array] | None = None

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run the forward on the copy of this array, where there is one."""
        if self.known is None or self.known[0] is not x:
            self.known = x, x.copy()
        return super().forward_masked(self.known[1], mask, training)


@deviation("statistics-known-by-array", clause="PURE-9", effect=_REUSED, numeric=False)
class StatisticsKnownByArray(PlainLayer):
    """A batch in the array of the batch before is normalised by the statistics of that one."""

    known: tuple[Array, Saved] | None = None

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by the statistics of this array, where they are known."""
        saved = super().normalisers(x, mask, training)
        if saved.mode == "inference":
            return saved
        if self.known is None or self.known[0] is not x:
            self.known = x, saved
        return replace(saved, mean=self.known[1].mean, inverse=self.known[1].inverse)


@deviation("dy-known-by-array", clause="PURE-9", effect="gradients stay those of the first batch", numeric=False)
class DyKnownByArray(PlainLayer):
    """A dy in the array of the backward before is not read again."""

    known: tuple[Array, Array] | None = None

    def backward(self, dy: Array) -> RowGradients:
        """Run the backward on the copy of this array, where there is one."""
        if self.known is None or self.known[0] is not dy:
            self.known = dy, dy.copy()
        return super().backward(self.known[1])


@deviation(
    "parameters-known-by-array",
    clause="PURE-9",
    effect="an optimiser that works in place changes nothing",
    numeric=False,
)
class ParametersKnownByArray(PlainLayer):
    """gamma and beta that are set from the arrays of the last time are taken for the same."""

    known: tuple[Array | None, Array | None] = (None, None)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Set those that lie in other arrays than the last time."""
        new = [None if vector is own else vector for vector, own in zip((gamma, beta), self.known, strict=True)]
        self.known = gamma, beta
        super().set_parameters(*new)


@deviation(
    "set-statistics-known-by-array",
    clause="PURE-9",
    effect="statistics that are set again have no effect",
    numeric=False,
)
class SetStatisticsKnownByArray(PlainLayer):
    """Running statistics that are set from the array of the last time are taken for the same."""

    known: Array | None = None

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set them where the mean lies in another array than the last time."""
        if mean is not self.known:
            super().set_running_statistics(mean, variance)
        self.known = mean


# Several layers.


@deviation(
    "saved-for-two-layers", clause="PURE-3", effect="networks of three layers and more do not learn", numeric=False
)
class SavedForTwoLayers(PlainLayer):
    """What backward needs is kept for two layers, those that ran last; any other one finds that of the latest."""

    last_two: ClassVar[OrderedDict[int, Saved]]

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Keep what backward needs, and drop what the third layer from the end kept."""
        y = super().forward_masked(x, mask, training)
        kept = _of_class(type(self), "last_two", OrderedDict)
        kept[id(self)] = self.saved
        kept.move_to_end(id(self))
        if len(kept) > 2:
            kept.popitem(last=False)
        return y

    def taken(self, saved: Saved) -> Saved:
        """Take what was kept for this layer, or for the latest of the same shape."""
        kept = _of_class(type(self), "last_two", OrderedDict)
        latest: Saved | None = next(reversed(kept.values()), None)
        if id(self) in kept or latest is None or latest.shape != saved.shape:
            return saved
        return latest


@deviation(
    "fifth-layer-shares-statistics",
    clause="PURE-3",
    effect="the deepest layers of a network infer wrongly",
    numeric=False,
)
class FifthLayerSharesStatistics(PlainLayer):
    """Running statistics lie in four places: of five layers the fifth infers by those of the first."""

    places: ClassVar[WeakKeyDictionary[PlainLayer, None]]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        _of_class(type(self), "places", WeakKeyDictionary)[self] = None

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Infer by the statistics of the layer whose place this is."""
        alive = list(_of_class(type(self), "places", WeakKeyDictionary))
        number = next(place for place, layer in enumerate(alive) if layer is self)
        if number < 4 or self.uses_batch(training):
            return super().normalisers(x, mask, training)
        own, first = (self.running_mean, self.running_var), alive[number % 4]
        self.running_mean, self.running_var = first.running_mean, first.running_var
        try:
            return super().normalisers(x, mask, training)
        finally:
            self.running_mean, self.running_var = own


def _of_class(owner: Any, name: str, make: Callable[[], Any]) -> Any:
    """What layers of a class have in common under a name, made when the first asks for it."""
    if name not in vars(owner):
        setattr(owner, name, make())
    return vars(owner)[name]
