"""C functions called through ctypes: a source is built with `cc`, and a function gets NumPy arrays and numbers."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bn_adapters.wrappers.c_signature import TYPES, CParameter, CPrototype
from bn_conformance.adapter import Array
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import one_line

FLAGS = ("-O2", "-shared", "-fPIC")
SECONDS = 60


@cache
def built_library(source: str) -> ctypes.CDLL:
    """The shared library of a C source. Its file is gone once it is loaded: a process that is killed leaves nothing.

    The compiler is that of the variable CC, else `cc`.

    Raises:
        TargetError: there is no compiler, it refuses the source, or what it made cannot be loaded.
    """
    compiler = os.environ.get("CC") or "cc"
    if shutil.which(compiler) is None:
        raise TargetError(f"{source} needs a C compiler, and there is no {compiler}; install one or set CC")
    with tempfile.TemporaryDirectory(prefix="bnconform-c-", ignore_cleanup_errors=True) as folder:
        library = str(Path(folder) / f"{Path(source).stem}.so")
        command = [compiler, *FLAGS, "-o", library, str(Path(source).resolve()), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["?"]
            raise TargetError(f"{source} does not compile: {one_line(lines[0], 200)}")
        return loaded_library(library)


def loaded_library(library: str) -> ctypes.CDLL:
    """The library of a file.

    Raises:
        TargetError: it cannot be loaded.
    """
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise TargetError(f"{library} cannot be loaded: {one_line(str(error), 200)}") from None


def loaded_function(library: ctypes.CDLL, prototype: CPrototype) -> Callable[..., Any]:
    """A C function to call with keyword arguments: arrays for pointers, numbers for the rest.

    What is written is written into the arrays given; a pointer that gets no array gets a vector as long as the others,
    and is in the dictionary that comes back. Arrays go in as C has them: contiguous, of the function's format.

    Raises:
        TargetError: the library has no such function.
    """
    try:
        function = getattr(library, prototype.name)
    except AttributeError:
        raise TargetError(f"the library has no function {prototype.name}") from None
    function.restype = TYPES.get(prototype.returns)

    def call(**given: Any) -> dict[str, Any]:
        arrays: dict[str, Array] = {}
        length = _length(given)
        arguments = []
        for parameter in prototype.parameters:
            value = given.get(parameter.name)
            if not parameter.way:
                arguments.append(TYPES[parameter.type](value))
                continue
            arrays[parameter.name] = _contiguous(parameter, value, length)
            arguments.append(arrays[parameter.name].ctypes.data_as(ctypes.POINTER(TYPES[parameter.type])))
        code = function(*arguments)
        if prototype.returns in ("int", "bool") and code:
            raise RuntimeError(f"{prototype.name} returned {code}")
        return _written(prototype, given, arrays)

    return call


def _length(given: dict[str, Any]) -> int:
    """How long a vector is: as the shortest array."""
    return min((value.size for value in given.values() if isinstance(value, np.ndarray)), default=1)


def _contiguous(parameter: CParameter, value: Any, length: int) -> Array:
    wanted = np.dtype(np.float64 if parameter.type == "double" else np.float32)
    if value is None and parameter.way == "in":
        raise TypeError(f"{parameter.name} is read, and there is no array for it")
    if value is None:
        return np.zeros(length, wanted)
    if value.dtype != wanted:
        raise TypeError(f"{parameter.name} is an array of {value.dtype}; the function takes {wanted}")
    return np.ascontiguousarray(value)


def _written(prototype: CPrototype, given: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Any]:
    """What the function wrote into vectors of ours; arrays of the caller are brought up to date."""
    found = {}
    for parameter in prototype.parameters:
        if parameter.way != "out":
            continue
        value, array = given.get(parameter.name), arrays[parameter.name]
        if value is None:
            found[parameter.name] = array
        elif array is not value:
            value[...] = array
    return found
