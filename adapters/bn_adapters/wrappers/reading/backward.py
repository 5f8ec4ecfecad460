"""A backward function read: what it takes of the forward, and which of its results is which gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import numpy as np

from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.forward import Attempt, OneCall, called, values_for
from bn_adapters.wrappers.reading.results import Path, arrays_in, best_path, every_part, pick, saved_role
from bn_adapters.wrappers.reading.roles import (
    BETA,
    CACHE,
    DBETA,
    DGAMMA,
    DY,
    EPS,
    GAMMA,
    GRADIENT_NAMES,
    OUTPUT_MASK,
    SAVED_INVERSE,
    SAVED_MEAN,
    SAVED_VARIANCE,
    UNKNOWN,
    role_named,
)
from bn_adapters.wrappers.reading.saved import stated_places
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_adapters.wrappers.reading.trial_data import TrialData, alike, as_vector
from bn_conformance.adapter import Array

WIRINGS = 60
"""Ways to wire a backward that are tried."""

REST: Path = ("rest",)
"""In place of a path: everything that the forward gave but y, as a tuple."""


@dataclass(frozen=True)
class BackwardReading:
    """How a backward is called and read.

    Attributes:
        callee: the function with roles.
        wires: of arguments that take what the forward gave, the path in its result, by the argument's name.
        dx, dgamma, dbeta: where they are in what it gives; None for one that it does not give.
        score: how much like the gradients of batch normalisation they are, 1 at most.
        inference: whether it gives the gradients of an inference after one.
        error: what it raised after an inference, or how it differs; empty where it gives them.
    """

    callee: Callee
    wires: Mapping[str, Path]
    dx: Path | None
    dgamma: Path | None
    dbeta: Path | None
    score: float
    inference: bool = False
    error: str = ""


class NoBackward(Exception):
    """A backward cannot be called, or gives no dx; the message says what it did."""


def read_backward(callee: Callee, one: Attempt, arrays: NumpyArrays) -> BackwardReading:
    """The best reading of a backward, after the forward of an attempt.

    Raises:
        NoBackward: there is none.
    """
    found: list[BackwardReading] = []
    reason = f"{callee.name} cannot be wired to what the forward gives"
    if one.training is None:
        raise NoBackward("the forward has no training")
    for wires in islice(_wirings(callee, one, arrays), WIRINGS):
        try:
            found.append(_tried(callee, wires, one, arrays, True))
        except NoBackward as error:
            reason = str(error)
            continue
        if found[-1].score > 0.99:
            break
    if not found:
        raise NoBackward(reason)
    best = max(found, key=lambda reading: reading.score)
    if one.inference is None:
        return best
    try:
        after = _tried(best.callee, best.wires, one, arrays, False)
    except NoBackward as error:
        return replace(best, error=str(error))
    fits = after.score > max(0.5, best.score - 0.5)
    return replace(best, inference=fits, error="" if fits else "after inference it gives those of a training step")


def _wirings(callee: Callee, one: Attempt, arrays: NumpyArrays) -> Iterator[dict[str, Path]]:
    """Ways to give a backward what the forward gave, the likeliest first."""
    assert one.training is not None
    call = one.training
    wanted: dict[str, list[Path]] = {}
    for argument in callee.arguments:
        if argument.role in (SAVED_MEAN, SAVED_INVERSE, SAVED_VARIANCE):
            stated = stated_places(one.callee, call).get(argument.role)
            wanted[argument.name] = [stated] if stated else _saved(call, one.data, argument.role) or [()]
        elif argument.role == CACHE or (argument.role == UNKNOWN and argument.required):
            wanted[argument.name] = _caches(call)
    names = list(wanted)
    for paths in product(*wanted.values()):
        yield {name: path for name, path in zip(names, paths, strict=True) if path != ()}


def _saved(call: OneCall, data: TrialData, role: str) -> list[Path]:
    """Vectors of the forward's result that may be a saved statistic: what is one, then any other."""
    vectors = [path for path, part in call.parts.items() if path != call.path and as_vector(part) is not None]
    kinds = {path: saved_role(call.parts[path], data, TRIAL_EPS) for path in vectors}
    exact = [path for path in vectors if kinds[path] == role]
    near = [path for path in vectors if path not in exact and (kinds[path] == SAVED_MEAN) == (role == SAVED_MEAN)]
    return [*exact, *near]


def _caches(call: OneCall) -> list[Path]:
    """Parts of a forward's result that a backward may be given: containers, then everything but y, then arrays."""
    if not isinstance(call.result, tuple | list | dict):
        return []
    top = {path: part for path, part in every_part(call.result, 1) if len(path) == 1 and path != call.path}
    holders = [path for path, part in top.items() if not isinstance(part, np.ndarray) and not np.isscalar(part)]
    return [*holders, *([REST] if len(top) > 1 else []), *(path for path in top if path not in holders)]


def wired(result: Any, path: Path, y: Path | None) -> Any:
    """What stands at a path of a forward's result; `REST` is all but y."""
    if path == REST:
        return tuple(part for index, part in enumerate(result) if (index,) != y)
    return pick(result, path)


def _tried(
    callee: Callee, wires: Mapping[str, Path], one: Attempt, arrays: NumpyArrays, training: bool
) -> BackwardReading:
    """A backward, called after a forward of its own.

    Raises:
        NoBackward: it raised, or gives no dx.
    """
    data = one.data
    try:
        call = called(one.callee, arrays, data, training)
        values = values_for(one.callee, arrays, data, training)
        values |= {DY: arrays.of(data.dy.copy()), OUTPUT_MASK: [True, True, True]}
        bound = bound_to(callee, {name: wired(call.result, path, call.path) for name, path in wires.items()})
        with np.errstate(all="ignore"):
            result, _ = bound.invoke(values)
    except Exception as error:
        raise NoBackward(f"{callee.name} raised {error_line(error)}") from None
    parts = arrays_in(result, arrays)
    gamma = data.vectors[GAMMA] if GAMMA in one.callee.roles else None
    eps = TRIAL_EPS if EPS in one.callee.roles else 1e-5
    dx, dgamma, dbeta = data.gradients(training, eps, gamma)
    place, likeness = best_path(parts, dx)
    if place is None:
        raise NoBackward(f"{callee.name} gives no dx of the shape of x, {data.x.shape}")
    vectors = [path for path, part in parts.items() if path != place and as_vector(part) is not None]
    first, second = _gradients_of_parameters(vectors, parts, dgamma, dbeta)
    if GAMMA not in one.callee.roles:
        first, second = None, vectors[0] if BETA in one.callee.roles and vectors else None
    elif BETA not in one.callee.roles:
        first, second = first or (vectors[0] if vectors else None), None
    return BackwardReading(callee, wires, place, first, second, likeness)


def _gradients_of_parameters(
    vectors: list[Path], parts: Mapping[Path, Array], dgamma: Array, dbeta: Array
) -> tuple[Path | None, Path | None]:
    """Which vectors are dgamma and dbeta: by their keys, by what they are, else in this order."""
    named = {role_named(str(path[-1]), GRADIENT_NAMES): path for path in vectors if path and isinstance(path[-1], str)}
    if {DGAMMA, DBETA} <= set(named):
        return named[DGAMMA], named[DBETA]
    if len(vectors) < 2:
        if not vectors:
            return None, None
        one = as_vector(parts[vectors[0]])
        closer = alike(one, dgamma) >= alike(one, dbeta)
        return (vectors[0], None) if closer else (None, vectors[0])
    straight, swapped = vectors[:2], vectors[1::-1]
    for first, second in (straight, swapped):
        both = as_vector(parts[first]), as_vector(parts[second])
        if alike(both[0], dgamma) > 0.999 and alike(both[1], dbeta) > 0.999:
            return first, second
    return straight[0], straight[1]


def bound_to(callee: Callee, wires: Mapping[str, Any]) -> Callee:
    """The callee with values for the arguments that take what the forward gave."""
    return replace(callee, fixed={**callee.fixed, **wires})
