"""Conditional mutants: a deviation of the catalogue that acts only where a condition holds.

The mutant is a deviation itself, so that all that judges deviations judges it. Where the condition does not hold, each
method of the plain layer is the plain layer's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bn_conformance.adapter import Array, Convention
from bn_conformance.mutation.conditions import Where
from bn_conformance.mutation.equivalent import names_changed
from bn_conformance.mutation.occasions import Occasion
from bn_reference.definition.graph import RowGradients
from bn_reference.definition.second_order import RowSecondOrder
from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer

CALLS = frozenset({"forward_masked", "backward", "double_backward"})
"""The calls with an array, in each of which the condition is asked again."""


def acts_when_built(deviation: Deviation) -> bool:
    """Whether a deviation acts when a layer is built, so that its condition must be known then."""
    return bool(deviation.convention) or any(name.startswith("__") for name in names_changed(deviation))


def conditional(deviation: Deviation, where: Where, declared: Convention) -> Deviation:
    """The deviation, acting only where the condition holds.

    Args:
        deviation: of the catalogue.
        where: the condition; one that is known when a layer is built, where the deviation acts then.
        declared: the convention that the mutant declares, and keeps where the condition does not hold.
    """
    make = _chosen_when_built if where.of_layer else _chosen_in_calls
    name, sentence = f"{deviation.name} where {where.text}", f"{deviation.sentence} Only where {where.text}."
    return replace(deviation, name=name, sentence=sentence, layer=make(deviation, where, declared))


def _chosen_when_built(deviation: Deviation, where: Where, declared: Convention) -> type[PlainLayer]:
    """A class that builds the deviant layer or the plain one, by the configuration."""

    class ChosenWhenBuilt(deviation.layer):  # type: ignore[misc, name-defined]
        def __new__(cls, config: Any, convention: Convention, *more: Any, **named: Any) -> Any:
            if not where.holds(Occasion(config=config)):
                return PlainLayer(config, declared, *more, **named)
            return super().__new__(cls)

    return ChosenWhenBuilt


def _chosen_in_calls(deviation: Deviation, where: Where, declared: Convention) -> type[PlainLayer]:
    """A class whose methods are the deviant's or the plain layer's, by what the latest call was."""
    in_both = names_changed(deviation) >= {"forward_masked", "backward"}

    class ChosenInCalls(deviation.layer):  # type: ignore[misc, name-defined]
        """Keeps the occasion of the latest forward for its backward."""

        occasion: Occasion | None = None
        acting = False
        forward_acted = False

        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            latest = self.occasion
            self.occasion = Occasion(
                config=self.config,
                array=x,
                training=training,
                masked=mask is not None,
                number=latest.number + 1 if latest else 1,
                resized=latest is not None and latest.array is not None and latest.array.shape != x.shape,
            )
            self.forward_acted = where.holds(self.occasion)
            return self._called("forward_masked", self.occasion, x, mask, training)  # type: ignore[no-any-return]

        def backward(self, dy: Array) -> RowGradients:
            # A backward that uses what its own forward kept goes with that forward, however dy lies in memory.
            occasion = self._with(dy) if self.forward_acted or not in_both else None
            return self._called("backward", occasion, dy)  # type: ignore[no-any-return]

        def double_backward(self, dy: Array, *weights: Any) -> RowSecondOrder:
            # The host hands over copies of what it has: the path was chosen in the forward.
            return self._called("double_backward", self.occasion, dy, *weights)  # type: ignore[no-any-return]

        def _with(self, dy: Array) -> Occasion | None:
            return replace(self.occasion, array=dy) if self.occasion else None

        def _called(self, name: str, occasion: Occasion | None, *arguments: Any) -> Any:
            self.acting = occasion is not None and where.holds(occasion)
            return getattr(super() if self.acting else _Plain(self), name)(*arguments)

    for name in names_changed(deviation) - CALLS:
        if callable(getattr(PlainLayer, name, None)):
            setattr(ChosenInCalls, name, _gate(name, ChosenInCalls))
    return ChosenInCalls


def _gate(name: str, owner: type[PlainLayer]) -> Callable[..., Any]:
    """A method that is the deviant's while the layer acts, and else the plain layer's."""

    def gated(self: Any, *arguments: Any, **named: Any) -> Any:
        return getattr(super(owner, self) if self.acting else _Plain(self), name)(*arguments, **named)

    return gated


class _Plain:
    """The methods of the plain layer, on any layer."""

    def __init__(self, layer: PlainLayer) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(PlainLayer, name).__get__(self._layer)
