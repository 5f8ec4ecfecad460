"""Deviations that are idle in a case: proven to give what the right layer gives, without being run.

A deviation changes the plain layer by the names that its classes define before those of `PlainLayer`. Python finds such
a name by a look-up on the layer; a run of the right layer that looks up none of them executes the same code with the
deviation, step by step, and gives the same. Special methods (`__init__`, `__setattr__`) are found without that look-up,
so that a deviation which has any is never idle; neither is one that changes the convention.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer


def recording() -> tuple[type[PlainLayer], set[str]]:
    """The right layer, and the names that have been looked up on its instances."""
    names: set[str] = set()

    class Recording(PlainLayer):
        """The right layer, which takes down what is looked up on it."""

        def __getattribute__(self, name: str) -> Any:
            names.add(name)
            return super().__getattribute__(name)

    return Recording, names


def is_idle(deviation: Deviation, looked_up: set[str]) -> bool:
    """Whether a deviation cannot act where the right layer looks up these names."""
    return not deviation.convention and not any(
        name in looked_up or name.startswith("__") for name in _changed(deviation.layer.__mro__)
    )


@cache
def _changed(classes: tuple[type, ...]) -> frozenset[str]:
    """The names that the classes of a deviation, in the order of their look-up, define."""
    own = [cls for cls in classes if cls not in PlainLayer.__mro__]
    return frozenset(name for cls in own for name in vars(cls)) - vars(_Nothing).keys()


class _Nothing(PlainLayer):
    """Has what every class has, and nothing else."""
