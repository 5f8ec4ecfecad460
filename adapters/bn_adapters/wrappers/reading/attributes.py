"""Attributes of a built object: where its parameters, statistics, numbers, mode and gradients are, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.wrappers.reading.roles import FORWARD_NAMES, UNKNOWN, plain_name, role_named
from bn_adapters.wrappers.trial import CHANNELS


@dataclass(frozen=True)
class AttributePlace:
    """An attribute of an object, or a key of a dictionary that is one.

    Attributes:
        attribute: its name.
        key: of the dictionary; empty for the attribute itself.
    """

    attribute: str
    key: str = ""

    @property
    def name(self) -> str:
        """The name that says what it is."""
        return self.key or self.attribute

    def __str__(self) -> str:
        return f"self.{self.attribute}" + (f"[{self.key!r}]" if self.key else "")

    def get(self, owner: Any) -> Any:
        """What is there; None for nothing."""
        held = getattr(owner, self.attribute, None)
        return held.get(self.key) if self.key and isinstance(held, Mapping) else held

    def put(self, owner: Any, value: Any) -> None:
        """Put a value there."""
        if self.key:
            getattr(owner, self.attribute)[self.key] = value
        else:
            setattr(owner, self.attribute, value)


def places_in(owner: Any) -> Iterator[tuple[AttributePlace, Any]]:
    """Every attribute of an object, and every entry of its dictionaries."""
    for name, value in list(vars(owner).items()):
        if isinstance(value, Mapping):
            for key, inside in value.items():
                if isinstance(key, str):
                    yield AttributePlace(name, key), inside
        else:
            yield AttributePlace(name), value


def may_be_vector(value: Any) -> bool:
    """Whether a value is one number a channel in any shape that broadcasts, or is not there yet."""
    if value is None:
        return True
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size == CHANNELS == max(value.shape)


def by_role(found: Mapping[AttributePlace, Any], names: Mapping[str, tuple[str, ...]]) -> dict[str, AttributePlace]:
    """The place of each role, by names; of two, the one whose name is more usual."""
    best: dict[str, AttributePlace] = {}
    for place in found:
        role = role_named(place.name, names)
        if role == UNKNOWN:
            continue
        rank = names[role].index(plain_name(place.name))
        if role not in best or rank < names[role].index(plain_name(best[role].name)):
            best[role] = place
    return best


def held_vectors(owner: Any) -> dict[AttributePlace, Any]:
    """The places that may hold a parameter or a statistic."""
    return {place: value for place, value in places_in(owner) if may_be_vector(value)}


def held_flags(owner: Any) -> dict[AttributePlace, Any]:
    """The places that may hold the mode."""
    return {place: value for place, value in places_in(owner) if isinstance(value, bool | str)}


def held_numbers(owner: Any) -> dict[AttributePlace, Any]:
    """The places that may hold eps or momentum."""
    plain = (float, int, np.floating)
    return {
        place: value for place, value in places_in(owner) if isinstance(value, plain) and not isinstance(value, bool)
    }


def role_of_flag(place: AttributePlace) -> str:
    """The role of a place that holds a flag."""
    return role_named(place.name, FORWARD_NAMES)
