"""Which mutants are equivalent in a case: proven, without a run, to give what the reference layer gives there.

A deviation changes the plain layer by the names that its classes define ahead of those of `PlainLayer`. Python looks
such a name up on the layer. If a run of the reference layer looks up none of them, the mutant executes the same code,
step by step, and gives the same. Two kinds of deviations are never taken for equivalent: those that define a special
method (`__init__`, `__setattr__`), which Python finds without that look-up, and those that change the convention.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer


def recording_layer() -> tuple[type[PlainLayer], set[str]]:
    """A reference layer that records, and the set of names that have been looked up on its instances so far."""
    looked_up: set[str] = set()

    class RecordingLayer(PlainLayer):
        """The reference layer; records each name that is looked up on it."""

        def __getattribute__(self, name: str) -> Any:
            looked_up.add(name)
            return super().__getattribute__(name)

    return RecordingLayer, looked_up


def is_equivalent(deviation: Deviation, looked_up: set[str]) -> bool:
    """Whether a deviation cannot act in a case in which the reference layer looks up these names."""
    return not deviation.convention and not any(
        name in looked_up or name.startswith("__") for name in names_changed(deviation)
    )


def names_changed(deviation: Deviation) -> frozenset[str]:
    """The names that a deviation's own classes define."""
    return _defined(deviation.layer.__mro__)


@cache
def _defined(classes: tuple[type, ...]) -> frozenset[str]:
    """The names that a deviation's own classes define, out of all its classes in the order of their look-up."""
    own = [cls for cls in classes if cls not in PlainLayer.__mro__]
    return frozenset(name for cls in own for name in vars(cls)) - vars(_Empty).keys()


class _Empty(PlainLayer):
    """Defines only what every class defines, such as `__module__`."""
