"""Functions that a target names: a forward, and its backward where the same file has one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bn_adapters.wrappers.code import stem
from bn_adapters.wrappers.reading.callee import Callee, callee_of
from bn_adapters.wrappers.reading.library import library_of
from bn_adapters.wrappers.reading.roles import (
    BACKWARD_NAMES,
    BETA,
    DY,
    EPS,
    FORWARD_NAMES,
    GAMMA,
    MEAN,
    MODE,
    MOMENTUM,
    VARIANCE,
    role_named,
)
from bn_conformance.targets.loading import module_of
from bn_conformance.targets.naming import TargetError, module_and_class
from bn_conformance.targets.said import Said

NOTHING_SAID = Said()
"""Of code of which the user says nothing."""

_BN = re.compile(r"(^|_)bn(_|\d|$)|batch_?norm", re.IGNORECASE)
_NORM = re.compile(r"(^|_)norm(ali[sz]e)?(_|$)|_norm", re.IGNORECASE)
_NO_SIGNATURE = "has no signature that could be read; wrap it in a function with named arguments"
_BACKWARD = re.compile(r"(^|_)(backward|bwd|grad|vjp)(_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class FunctionPair:
    """Functions of a file.

    Attributes:
        forward: the forward function, or an autograd function class.
        backward: its backward; None where there is none.
        name: of both in reports.
        place: the file or module.
    """

    forward: Any
    backward: Any
    name: str
    place: str

    @property
    def forward_name(self) -> str:
        """What the forward is called."""
        return str(getattr(self.forward, "__name__", type(self.forward).__name__))

    @property
    def backward_name(self) -> str:
        """What the backward is called."""
        return str(getattr(self.backward, "__name__", type(self.backward).__name__))


def backward_names(name: str) -> tuple[str, ...]:
    """What the backward of a forward of this name may be called."""
    swapped = [name.replace(first, second) for first, second in (("forward", "backward"), ("fwd", "bwd"))]
    behind = [f"{name}{ending}" for ending in ("_backward", "_bwd", "_grad", "_vjp", "Backward")]
    return tuple(other for other in (*swapped, *behind) if other != name)


def is_named_batch_norm(name: str) -> bool:
    """Whether a function's name says batch normalisation."""
    return bool(_BN.search(name))


def looks_like_batch_norm(function: object) -> bool:
    """Whether a function may be a forward of batch normalisation, after its name and those of its arguments."""
    if not inspect.isfunction(function) or _BACKWARD.search(function.__name__):
        return False
    names = list(inspect.signature(function).parameters)
    if not names or role_named(names[0], {DY: BACKWARD_NAMES[DY][:7]}):
        return False
    roles = {role_named(name, FORWARD_NAMES) for name in names}
    telling = roles & {GAMMA, BETA, MEAN, VARIANCE, EPS, MOMENTUM, MODE}
    by_name = bool(_BN.search(function.__name__)) or (bool(_NORM.search(function.__name__)) and bool(telling))
    return by_name or {GAMMA, BETA} <= roles or len(telling) > 2


def takes_arrays_of(thing: object, library: str) -> bool:
    """Whether a thing is a forward, or a pair of functions, on the arrays of a library."""
    if isinstance(thing, tuple):
        return len(thing) == 2 and all(map(inspect.isfunction, thing)) and library_of(thing[0]) == library
    return looks_like_batch_norm(thing) and library_of(thing) == library


def functions_of(code: str, usual: tuple[str, str], library: str) -> FunctionPair:
    """The functions that a code names: `file.py:FORWARD+BACKWARD`, `file.py:FORWARD`, or a file with one forward.

    Args:
        code: as the target has it.
        usual: names of the pair where the code names none.
        library: whose arrays they take, to find the one of a file.

    Raises:
        TargetError: there are none, or what is named is no function.
    """
    place, attribute = module_and_class(code)
    module = module_of(place)
    parts = attribute.split("+") if attribute else []
    if not parts:
        own = [
            name for name, value in vars(module).items() if takes_arrays_of(value, library) and _is_of(value, module)
        ]
        if hasattr(module, usual[0]):
            parts = list(usual)
        elif len(own) == 1:
            parts = own
        else:
            found = f" ({', '.join(own)})" if own else ""
            raise TargetError(
                f"{place} has {len(own)} functions that may be a forward{found}, and no {usual[0]}; "
                f"name one: {place}:NAME"
            )
    if len(parts) > 2:
        raise TargetError(f"{code} names {len(parts)} functions; write {place}:FORWARD or {place}:FORWARD+BACKWARD")
    forward = _named(module, place, parts[0])
    if len(parts) == 2:
        backward: Any = _named(module, place, parts[1])
    else:
        others = (getattr(module, name, None) for name in backward_names(parts[0]))
        backward = next((value for value in others if inspect.isfunction(value)), None)
    return FunctionPair(forward, backward, f"{stem(module)}.{parts[0]}", place)


def _is_of(value: Any, module: Any) -> bool:
    return getattr(value, "__module__", None) == module.__name__


def _named(module: Any, place: str, name: str) -> Any:
    found = getattr(module, name, None)
    if found is None:
        raise TargetError(f"{place} has no function {name}; name a forward, or both as {place}:FORWARD+BACKWARD")
    if not callable(found):
        raise TargetError(f"{name} in {place} is a {type(found).__name__}; name a function")
    return found


def forward_callee(
    function: Callable[..., Any],
    name: str,
    said: Said = NOTHING_SAID,
    **more: Any,
) -> Callee:
    """A forward with the roles that its names tell.

    Raises:
        TargetError: it has no signature.
    """
    try:
        return callee_of(function, name, named=said.names, fixed=said.arguments, **more)
    except ValueError:
        raise TargetError(f"{name} {_NO_SIGNATURE}") from None


def backward_callee(function: Callable[..., Any], name: str) -> Callee:
    """A backward with the roles that its names tell.

    Raises:
        TargetError: it has no signature.
    """
    try:
        return callee_of(function, name, BACKWARD_NAMES, DY)
    except ValueError:
        raise TargetError(f"{name} {_NO_SIGNATURE}") from None


def stated_default(callee: Callee, role: str) -> float | None:
    """The default of a number in the signature."""
    for argument in callee.arguments:
        default = argument.default
        if argument.role == role and isinstance(default, int | float) and not isinstance(default, bool):
            return float(default)
    return None
