"""C functions, judged without an adapter: a source or a shared library, and a signature where no prototype says it."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bn_adapters.wrappers.c_library import built_library, loaded_function, loaded_library
from bn_adapters.wrappers.c_signature import EXAMPLE, CPrototype, prototype_said, prototypes_in
from bn_adapters.wrappers.function_code import NOTHING_SAID, backward_names
from bn_adapters.wrappers.functions import BASE, FunctionAdapter, FunctionSource, function_adapter
from bn_adapters.wrappers.reading.callee import Argument, Callee
from bn_adapters.wrappers.reading.roles import (
    BACKWARD_NAMES,
    DBETA,
    DGAMMA,
    DX,
    DY,
    EPS,
    FORWARD_NAMES,
    GAMMA,
    GRADIENT_NAMES,
    MODE,
    MOMENTUM,
    OUT,
    VECTORS,
    X,
    role_named,
)
from bn_adapters.wrappers.reading.sizes import SIZE_NAMES
from bn_conformance.targets.naming import TargetError, module_and_class
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

SOURCES, LIBRARIES = (".c",), (".so", ".dylib", ".dll")
SIGNATURE = "signature"
"""The argument that says a signature: `--signature '...'` stands for `--argument signature='...'`."""


class CFunctionAdapter(FunctionAdapter):
    """What the adapters of C functions share."""

    requires = ()


def adapter(code: str, said: Said = NOTHING_SAID) -> type[FunctionAdapter]:
    """The adapter of a C function: `file.c:NAME`, `file.c` with one function, or `library.so:NAME` with a signature.

    Raises:
        TargetError: it cannot be built, found or read.
    """
    place, attribute = module_and_class(code)
    path = Path(place)
    if not path.is_file():
        raise TargetError(f"{place} does not exist; name a C source or a shared library")
    known = prototypes_in(path.read_text(encoding="utf-8", errors="replace")) if path.suffix in SOURCES else {}
    forward, backward = _prototypes(place, attribute, known, said)
    library = built_library(place) if path.suffix in SOURCES else loaded_library(str(path.resolve()))
    element = "float64" if forward.element == "double" else "float32"
    source = FunctionSource(
        name=f"{path.stem}.{forward.name}",
        forward=_forward(library, forward, said),
        backward=None if backward is None else _backward(library, backward),
        base=BASE,
        dtypes=(element,),
    )
    found: type[FunctionAdapter] = function_adapter(source, CFunctionAdapter)
    return found


def _prototypes(
    place: str, attribute: str, known: dict[str, CPrototype], said: Said
) -> tuple[CPrototype, CPrototype | None]:
    """The forward, and the backward where there is one.

    Raises:
        TargetError: which function is meant, or what its parameters are, is not known.
    """
    name, _, second = attribute.partition("+")
    forwards = [one for one in known if not any(one in backward_names(other) for other in known)]
    if not name:
        if len(forwards) != 1:
            listed = f" ({', '.join(forwards)})" if forwards else ""
            raise TargetError(f"{place} defines {len(forwards)} functions of arrays{listed}; name one: {place}:NAME")
        (name,) = forwards
    if SIGNATURE in said.arguments:
        return prototype_said(name, str(said.arguments[SIGNATURE])), known.get(second)
    if name not in known:
        raise TargetError(
            f"{place} has no function {name} whose parameters are arrays and numbers; say them: --signature '{EXAMPLE}'"
        )
    backward = second or next((other for other in backward_names(name) if other in known), "")
    return known[name], known.get(backward)


def _forward(library: ctypes.CDLL, prototype: CPrototype, said: Said) -> Callee:
    """The forward, with the roles of its parameters.

    Raises:
        TargetError: a number has no role.
    """
    named = {name: role for role, name in said.names.items()}
    arguments = []
    for parameter in prototype.parameters:
        own = parameter.name
        if parameter.way:
            role = named.get(own) or role_named(own, FORWARD_NAMES)
            role = role if role in (X, OUT, *VECTORS) else ""
            arguments.append(Argument(own, role, parameter.way == "in"))
        else:
            role = named.get(own) or role_named(own, SIZE_NAMES)
            by_name = role_named(own, {key: FORWARD_NAMES[key] for key in (EPS, MOMENTUM, MODE)})
            arguments.append(Argument(own, by_name or role, True))
    arguments = _with_places(arguments, prototype)
    fixed = {key: value for key, value in said.arguments.items() if key != SIGNATURE}
    return Callee(loaded_function(library, prototype), prototype.name, tuple(arguments), fixed=fixed)


def _with_places(arguments: list[Argument], prototype: CPrototype) -> list[Argument]:
    """x is the first pointer that is read, and y the last that is written, where no name says otherwise."""
    roles = {argument.role for argument in arguments}
    ways = [parameter.way for parameter in prototype.parameters]
    for role, way, places in ((X, "in", range(len(ways))), (OUT, "out", range(len(ways) - 1, -1, -1))):
        free = [place for place in places if ways[place] == way and not arguments[place].role]
        if role not in roles and free:
            arguments[free[0]] = replace(arguments[free[0]], role=role)
    return arguments


def _backward(library: ctypes.CDLL, prototype: CPrototype) -> Callee:
    """The backward: what it reads has roles; what it writes comes back in a dictionary."""
    call = loaded_function(library, prototype)
    arguments, written = [], {}
    for parameter in prototype.parameters:
        if parameter.way == "out" and (role := role_named(parameter.name, GRADIENT_NAMES)):
            written[parameter.name] = role
            continue
        sizes = "" if parameter.way else role_named(parameter.name, SIZE_NAMES)
        arguments.append(Argument(parameter.name, sizes or role_named(parameter.name, BACKWARD_NAMES), True))
    like = {argument.role: argument.name for argument in arguments}

    def backward(**given: Any) -> dict[str, Any]:
        dy = given[like[DY]]
        channels = next((given[like[role]].size for role in (GAMMA, "saved_mean") if role in like), 1)
        shapes = {DX: dy.shape, DGAMMA: (channels,), DBETA: (channels,)}
        results = {name: np.full(shapes[role], np.nan, dy.dtype) for name, role in written.items()}
        return {**call(**given, **results), **results}

    return Callee(backward, prototype.name, tuple(arguments))


WRAPPER = Wrapper(
    expects="a function in a C source or a shared library",
    adapter=adapter,
    requires=(),
    install="pip install bnconform",
    names=True,
    suffixes=(*SOURCES, *LIBRARIES),
)
