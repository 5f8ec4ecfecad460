"""Saved statistics read: which parts of a forward's result are the mean and inverse deviation for its backward."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.results import Path, saved_role
from bn_adapters.wrappers.reading.roles import BACKWARD_NAMES, SAVED_INVERSE, SAVED_MEAN, SAVED_VARIANCE, role_named
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_adapters.wrappers.reading.trial_data import as_vector

if TYPE_CHECKING:
    from bn_adapters.wrappers.reading.backward import BackwardReading
    from bn_adapters.wrappers.reading.forward import Attempt, OneCall
    from bn_adapters.wrappers.reading.moving import Moving

_ATEN = re.compile(r"native_batch_norm|batch_norm_with_update")
_OF_ATEN: Mapping[str, Path] = {SAVED_MEAN: (1,), SAVED_INVERSE: (2,)}
"""Where aten's operators give them: (out, save_mean, save_invstd), in native_functions.yaml."""

_NAMES = {role: BACKWARD_NAMES[role] for role in (SAVED_MEAN, SAVED_INVERSE, SAVED_VARIANCE)}


@dataclass(frozen=True)
class SavedParts:
    """Where the statistics are that a forward saves.

    Attributes:
        mean, inverse: paths in its result.
        taken: names of the arguments of the backward that take them; None where the backward takes none by itself.
    """

    mean: Path
    inverse: Path
    taken: tuple[str, str] | None = None


def stated_places(forward: Callee, call: OneCall) -> dict[str, Path]:
    """Where saved statistics are by the code's own word, by role: aten's order, keys, or names behind `return`."""
    if _ATEN.search(forward.name):
        return {role: path for role, path in _OF_ATEN.items() if path in call.parts}
    names: dict[Path, str] = {path: path[-1] for path in call.parts if len(path) == 1 and isinstance(path[0], str)}
    if isinstance(call.result, tuple | list):
        for returned in returned_names(forward.call):
            names |= (
                {(place,): name for place, name in enumerate(returned)} if len(returned) == len(call.result) else {}
            )
    found: dict[str, Path] = {}
    for path, name in names.items():
        role = role_named(name, _NAMES)
        if role and path in call.parts and as_vector(call.parts[path]) is not None:
            found.setdefault(role, path)
    return found


def returned_names(function: Callable[..., Any]) -> Iterator[tuple[str, ...]]:
    """The names behind each `return` of a function that gives a tuple; empty texts for what is no name."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            yield tuple(map(_name_of, node.value.elts))


def _name_of(node: ast.expr) -> str:
    """The name that an expression is about: `mean` of `mean.reshape(-1)` and of `mean[0]`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        else:
            return ""
    return node.id


def saved_parts(one: Attempt, moving: Moving, backward: BackwardReading | None) -> SavedParts | None:
    """The statistics that a forward saves; None where it shows none, or a variance in the place of the inverse.

    What an argument of the backward or the code itself calls so is taken for it, whatever it holds: it is judged. Of
    what nobody named, only what is one is taken for it.
    """
    call = one.training
    if call is None:
        return None
    roles = {} if backward is None else {argument.role: argument.name for argument in backward.callee.arguments}
    if backward is not None and SAVED_VARIANCE in roles and SAVED_INVERSE not in roles:
        place = backward.wires.get(roles[SAVED_VARIANCE], ())
        if saved_role(call.parts.get(place), one.data, TRIAL_EPS) == SAVED_INVERSE:
            roles[SAVED_INVERSE] = roles.pop(SAVED_VARIANCE)  # aten's cudnn_batch_norm_backward calls it save_var
    stated = stated_places(one.callee, call)
    if backward is not None and {SAVED_MEAN, SAVED_INVERSE} <= roles.keys():
        names = roles[SAVED_MEAN], roles[SAVED_INVERSE]
        places = [backward.wires.get(name) for name in names]
        kind = saved_role(call.parts.get(places[1] or ()), one.data, TRIAL_EPS)
        works_with_another = kind not in ("", SAVED_INVERSE) and backward.score > 0.99 and SAVED_INVERSE not in stated
        if places[0] and places[1] and not works_with_another:
            return SavedParts(places[0], places[1], names)
        return None
    if SAVED_VARIANCE in roles or SAVED_VARIANCE in stated:
        return None
    taken = {call.path, moving.mean, moving.variance}
    places_left = [path for path in call.parts if len(path) == 1 and path not in taken]
    kinds = {saved_role(call.parts[path], one.data, TRIAL_EPS): path for path in reversed(places_left)}
    found = kinds | {role: path for role, path in stated.items() if path not in taken}
    if SAVED_MEAN in found and SAVED_INVERSE in found:
        return SavedParts(found[SAVED_MEAN], found[SAVED_INVERSE])
    return None
