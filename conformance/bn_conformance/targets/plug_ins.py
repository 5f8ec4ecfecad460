"""What distributions register as entry points, by name; a name has one origin, or it is an error that names all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from bn_conformance.text import one_line


def plug_ins(group: str) -> Mapping[str, Sequence[EntryPoint]]:
    """The entry points of a group by name; more than one where distributions took the same name."""
    by_name: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        by_name.setdefault(one_line(point.name), []).append(point)
    return by_name


def registered_twice(name: str, points: Sequence[EntryPoint]) -> str:
    """That a name has more than one origin, and what to do."""
    origins = " and ".join(sorted(map(_origin, points)))
    return f"{name} is registered by {origins}; uninstall one, or give one another name"


def _origin(point: EntryPoint) -> str:
    distribution = "" if point.dist is None else f" ({point.dist.name} {point.dist.version})"
    return one_line(f"{point.value}{distribution}")
