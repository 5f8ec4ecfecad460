"""Signatures of C functions: from a prototype in a source file, or from a line that a user writes."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bn_conformance.targets.naming import TargetError

TYPES: Mapping[str, Any] = {
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "int": ctypes.c_int,
    "long": ctypes.c_long,
    "size_t": ctypes.c_size_t,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "unsigned": ctypes.c_uint,
    "bool": ctypes.c_bool,
}
"""Types of numbers, by their names."""

_SIZED = {
    "long long": "int64_t",
    "long int": "long",
    "unsigned int": "unsigned",
    "_Bool": "bool",
    "uint32_t": "unsigned",
}
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_FUNCTION = re.compile(r"([A-Za-z_][\w\s\*]*?)\b([A-Za-z_]\w*)\s*\(([^(){};]*)\)\s*\{")
EXAMPLE = "x:in gamma:in beta:in y:out n c eps"


@dataclass(frozen=True)
class CParameter:
    """One parameter of a C function.

    Attributes:
        name: its name.
        type: of the number, or of what the pointer points to: a name in `TYPES`.
        way: `in` for a pointer that is read, `out` for one that is written, empty for a number.
    """

    name: str
    type: str
    way: str = ""


@dataclass(frozen=True)
class CPrototype:
    """A C function.

    Attributes:
        name: of the function.
        parameters: in order.
        returns: a name in `TYPES`; empty for nothing.
    """

    name: str
    parameters: tuple[CParameter, ...]
    returns: str = ""

    @property
    def element(self) -> str:
        """What x holds: `float` or `double`."""
        return next(
            (entry.type for entry in self.parameters if entry.way and entry.type in ("float", "double")), "float"
        )


def prototypes_in(source: str) -> dict[str, CPrototype]:
    """Every function that a C source defines and whose parameters are numbers and pointers to them, by name."""
    found = {}
    for match in _FUNCTION.finditer(_COMMENT.sub(" ", source)):
        returns, name, listed = match[1].split(), match[2], match[3]
        if "static" in returns or name in ("if", "for", "while", "switch", "main"):
            continue
        parameters = [_parameter(text) for text in listed.split(",")]
        if all(parameters):
            kept = tuple(entry for entry in parameters if entry is not None)
            found[name] = CPrototype(name, kept, returns[-1] if returns and returns[-1] in TYPES else "")
    return found


def _parameter(text: str) -> CParameter | None:
    """A parameter as C spells it; None for one of another type."""
    pointer = "*" in text or "[" in text
    words = re.sub(r"\[.*?\]|[*]|\b(restrict|__restrict__|__restrict|struct|volatile)\b", " ", text).split()
    constant = "const" in words
    words = [word for word in words if word != "const"]
    if len(words) < 2:
        return None
    spelled = " ".join(words[:-1])
    kind = _SIZED.get(spelled, spelled)
    if kind not in TYPES:
        return None
    return CParameter(words[-1], kind, ("in" if constant else "out") if pointer else "")


def prototype_said(name: str, line: str) -> CPrototype:
    """The prototype that a line such as `x:in gamma:in beta:in y:out n c eps` says.

    A word is a name, and after colons `in` or `out` for a pointer, and a type where it is not float (for pointers and
    eps or momentum) or int (for other numbers).

    Raises:
        TargetError: a word says something else.
    """
    parameters = []
    for word in line.split():
        own, *rest = word.split(":")
        way = next((part for part in rest if part in ("in", "out")), "")
        types = [part for part in rest if part not in ("in", "out")]
        if not own.isidentifier() or len(types) > 1 or (types and types[0] not in TYPES):
            raise TargetError(
                f"--signature: {word!r} is no parameter; write NAME, NAME:in, NAME:out, such as {EXAMPLE}"
            )
        usual = "float" if way or own.lower() in ("eps", "epsilon", "momentum", "decay") else "int"
        parameters.append(CParameter(own, types[0] if types else usual, way))
    if not any(entry.way == "out" for entry in parameters):
        raise TargetError(f"--signature {line!r} has no pointer that is written; write one as y:out, as {EXAMPLE}")
    return CPrototype(name, tuple(parameters))
