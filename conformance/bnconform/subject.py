"""Who is judged: the implementation that an object, a path or a name stands for, loaded in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bn_conformance.adapter import Adapter
from bn_conformance.commands.subject import target_of
from bn_conformance.implementations.implementation import OK, Implementation, filled_in
from bn_conformance.implementations.registry import UnknownImplementation, find, from_adapter, is_registered
from bn_conformance.targets.factories import class_from, is_factory, name_of
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError, is_target
from bn_conformance.targets.recognition import NeedsEnvironment, kinds_of
from bn_conformance.targets.wrappers import environment_of, usable_wrappers, wrapped_target
from bnconform.keywords import in_python
from bnconform.live_code import held, importable, title_of
from bnconform.process_state import environment, restored

VARIANT = "["
"""In the name of a variant of a wrapper, such as `keras-layer[jax]`: the wrapper itself goes before it."""

FUNCTIONS = "-functions"
"""How the names of the wrappers end that take functions as they are, such as `torch-functions`."""

QUOTES = ("'", '"')
"""How an expression starts that is a text, and so can stand on the command line."""


@dataclass(frozen=True)
class Subject:
    """What is judged.

    Attributes:
        implementation: what it declares.
        make: makes its adapter, once the environment of the implementation is set.
        target: names it for another process; empty where no other process can import it.
        expression: how the user's program names it.
        notes: what was found of it, each in a line.
        command: whether the command line can name it as the user did.
    """

    implementation: Implementation
    make: Callable[[], Adapter]
    target: str
    expression: str
    notes: tuple[str, ...] = ()
    command: bool = False


@restored()
def subject_of(thing: Any, kind: str = "", choices: Sequence[str] = (), device: str = "cpu") -> Subject:
    """The subject that an object stands for.

    Args:
        thing: what was given to `check`.
        kind: name of the wrapper to use; empty to find the one that fits.
        choices: of the convention, for code without an adapter.
        device: that the layers run on.

    Raises:
        UserError: nothing can be judged; the message says why and what to do.
    """
    try:
        if isinstance(thing, str | os.PathLike):
            return _of_name(os.fspath(thing), kind, choices, device)
        if isinstance(thing, Adapter) or (isinstance(thing, type) and issubclass(thing, Adapter)):
            return _of_adapter(thing, kind, choices, device)
        return _of_code(thing, kind, choices, device)
    except TargetError as error:
        raise TargetError(in_python(str(error))) from None


def _of_name(name: str, kind: str, choices: Sequence[str], device: str) -> Subject:
    """The subject of a registered name, a path or another target."""
    if is_registered(name):
        _refuse_choices(kind, choices)
        (implementation,) = find([name], device)
        return _of_registered(implementation)
    if not is_target(name):
        raise TargetError(f"{name!r} {_not_one(name, device)}")
    target = target_of(name, kind, choices)
    return _loaded(target, device, repr(name), target)


def _not_one(name: str, device: str) -> str:
    """Why a name that is no target names no implementation."""
    try:
        names = ", ".join(entry.name for entry in find([name], device))
    except UnknownImplementation as error:
        return f"names nothing that can be judged: {error}"
    return f"is a pattern; name one of {names}"


def _of_registered(implementation: Implementation) -> Subject:
    if implementation.status != OK:
        raise TargetError(f"{implementation.name}: {implementation.message}")
    adapter, device = load_adapter(implementation.target), implementation.device
    name = implementation.name
    return Subject(implementation, lambda: adapter(device=device), name, repr(name), command=True)


def _of_adapter(thing: Adapter | type[Adapter], kind: str, choices: Sequence[str], device: str) -> Subject:
    _refuse_choices(kind, choices)
    cls = thing if isinstance(thing, type) else type(thing)
    with held({name_of(cls): cls}, title_of(cls)) as module:
        load_adapter(f"{module}:{name_of(cls)}")  # checks it
    implementation = from_adapter(cls, importable(cls) or name_of(cls), device)
    notes = implementation.notes
    if isinstance(thing, Adapter):
        return Subject(implementation, lambda: thing, importable(cls), f"{name_of(cls)}()", notes)
    return Subject(implementation, lambda: cls(device=device), importable(cls), name_of(cls), notes)


def _refuse_choices(kind: str, choices: Sequence[str]) -> None:
    if kind or choices:
        what = "as_" if kind else "convention"
        raise TargetError(f"{what} is for code without an adapter; an adapter declares its convention itself")


def _of_code(thing: Any, kind: str, choices: Sequence[str], device: str) -> Subject:
    """The subject of a class, a factory, a layer or a pair of functions of this program."""
    note = ""
    if isinstance(thing, tuple | list):
        if len(thing) != 2 or not all(map(callable, thing)):
            raise TargetError(f"{thing!r:.200} is no pair of functions; give (forward, backward)")
        names = _different(*map(name_of, thing))
        objects, attribute, title = dict(zip(names, thing, strict=True)), "+".join(names), title_of(thing[0])
        judged: object = tuple(thing)
        expression, places = f"({', '.join(map(name_of, thing))})", [importable(part) for part in thing]
        modules = {text.rpartition(":")[0] for text in places}
        place = f"{modules.pop()}:{attribute}" if len(modules) == 1 and all(places) else ""
    else:
        built, source = thing, thing
        expression = name_of(thing)
        if is_factory(thing) and not _is_forward(thing, kind):
            built, note = class_from(thing), f"built by calling {expression}"
        elif not isinstance(thing, type) and not is_factory(thing):
            built = source = type(thing)
            expression, note = name_of(built), f"a {name_of(built)} was given; fresh layers of its class are judged"
        objects, attribute, title = {name_of(built): built}, name_of(built), title_of(built)
        place, judged = importable(source), built
    with held(objects, title) as module:
        code = f"{module}:{attribute}"
        kind = kind or _kind_of(judged, expression)
        target = wrapped_target(kind, place, choices) if place else ""
        subject = _loaded(wrapped_target(kind, code, choices), device, expression, target)
    name = attribute.partition("+")[0] if title == "__main__" else subject.implementation.name
    return replace(
        subject,
        implementation=replace(subject.implementation, name=name),
        notes=(*filter(None, [note]), *subject.notes),
    )


def _is_forward(function: Any, kind: str) -> bool:
    """Whether a function is a forward of batch normalisation itself, and makes no layers."""
    kinds = (kind,) if kind else kinds_of(function)
    return bool(kinds) and all(one.endswith(FUNCTIONS) for one in kinds)


def _different(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first != second else (f"{first}_forward", f"{second}_backward")


def _loaded(target: str, device: str, expression: str, place: str) -> Subject:
    """The subject of a target that can be loaded here; `place` names it for another process."""
    try:
        with environment(filled_in(environment_of(target), device)):
            adapter = load_adapter(target)
    except NeedsEnvironment as error:
        return _loaded(NeedsEnvironment.target_in(str(error)), device, expression, place)
    implementation = from_adapter(adapter, target, device)
    is_command = expression.startswith(QUOTES)
    return Subject(
        implementation, lambda: adapter(device=device), place, expression, implementation.notes, command=is_command
    )


def _kind_of(thing: object, shown: str) -> str:
    """The wrapper that takes an object of this program.

    Raises:
        TargetError: none takes it, or several do.
    """
    kinds = [kind for kind in kinds_of(thing) if VARIANT not in kind] or list(kinds_of(thing))
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise TargetError(f"{shown} can be read as {' and as '.join(kinds)}; say which: as_={kinds[0]!r}")
    expected = "; ".join(f"{name}: {wrapper.expects}" for name, wrapper in usable_wrappers().items())
    raise TargetError(
        f"{shown} is nothing that can be judged as it is; give an adapter, a target, a registered name or one of: "
        f"{expected}"
    )
