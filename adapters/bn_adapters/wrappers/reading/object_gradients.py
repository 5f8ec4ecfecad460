"""The gradients of an object's backward: results, attributes or entries of dictionaries, told apart by trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.reading.arrays import NUMPY
from bn_adapters.wrappers.reading.attributes import AttributePlace, by_role, held_vectors
from bn_adapters.wrappers.reading.results import Path, arrays_in, best_path
from bn_adapters.wrappers.reading.roles import DBETA, DGAMMA, DX, GRADIENT_NAMES
from bn_adapters.wrappers.reading.trial_data import TrialData, alike, as_vector
from bn_conformance.adapter import Array


@dataclass(frozen=True)
class ObjectGradients:
    """Where gradients are after a backward.

    Attributes:
        places: of dx, dgamma and dbeta, by role: a path in what the backward gives, or a place on the object.
        modes: after a forward of which modes they are those of that mode.
        line: what to say of them.
    """

    places: Mapping[str, Path | AttributePlace]
    modes: frozenset[str]
    line: str


def gradients_of_object(
    run: Callable[[bool], tuple[Any, Any]],
    data: TrialData,
    eps: float,
    gamma: Array | None,
    taken: set[AttributePlace],
    name: str,
) -> ObjectGradients:
    """Where the gradients of an object are.

    Args:
        run: makes an object, runs its forward in training or in inference, and then its backward on `data.dy`; gives
            the object and what the backward gave.
        data: that it runs on.
        eps: of the object.
        gamma: of the object; None for none.
        taken: places of parameters and statistics.
        name: of the backward.
    """
    try:
        own, given = run(True)
    except Exception as error:
        return ObjectGradients({}, frozenset(), f"gradients: none; {name} raised {error_line(error)}")
    dx, dgamma, dbeta = data.gradients(True, eps, gamma)
    parts = arrays_in(given, NUMPY)
    path, likeness = best_path(parts, dx)
    if path is None:
        return ObjectGradients({}, frozenset(), f"gradients: none; {name} gives nothing of the shape of x")
    found: dict[str, Path | AttributePlace] = {DX: path}
    vectors: dict[Path | AttributePlace, Any] = {other: part for other, part in parts.items() if other != path}
    vectors |= {place: value for place, value in held_vectors(own).items() if place not in taken and value is not None}
    vectors = {where: value for where, value in vectors.items() if as_vector(value) is not None}
    named = by_role({where: None for where in vectors if isinstance(where, AttributePlace)}, GRADIENT_NAMES)
    for role, expected in ((DGAMMA, dgamma), (DBETA, dbeta)):
        best = max(vectors, key=lambda where: alike(as_vector(vectors[where]), expected), default=None)
        if role in named:
            found[role] = named[role]
        elif best is not None:
            found[role] = best
    modes = {"training"}
    line = ""
    try:
        _, after = run(False)
        there = best_path(arrays_in(after, NUMPY), data.gradients(False, eps, gamma)[0])
        if there[1] > max(0.5, likeness - 0.5):
            modes.add("inference")
        else:
            line = " (after inference they are those of a training step)"
    except Exception as error:
        line = f" ({name} after inference raised {error_line(error)})"
    where = ", ".join(f"{title} {_text(found.get(role))}" for role, title in _TITLES.items() if role in found)
    return ObjectGradients(found, frozenset(modes), f"gradients in {' and '.join(sorted(modes))}{line}: {where}")


_TITLES = {DX: "dx", DGAMMA: "dgamma", DBETA: "dbeta"}


def _text(where: Path | AttributePlace | None) -> str:
    if isinstance(where, AttributePlace):
        return str(where)
    return "the result" if where == () else "result" + "".join(f"[{key!r}]" for key in where or ())
