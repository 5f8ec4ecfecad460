"""A forward function read: what its arguments and results are, in which modes it is batch normalisation, on which x."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, permutations
from typing import Any

import numpy as np

from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.callee import DICTIONARY, NOTHING, PAIR, Callee
from bn_adapters.wrappers.reading.dictionaries import keys_of
from bn_adapters.wrappers.reading.results import WRITTEN, Path, arrays_in, best_path
from bn_adapters.wrappers.reading.roles import (
    AXIS,
    BETA,
    CHANNELS,
    EPS,
    GAMMA,
    INVERTED_MODES,
    MEAN,
    MODE,
    MOMENTUM,
    OUT,
    RESIDUAL,
    STATE,
    UNKNOWN,
    VARIANCE,
    VECTORS,
    X,
    plain_name,
)
from bn_adapters.wrappers.reading.sizes import sizes_of
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_adapters.wrappers.reading.trial_data import MOMENTUM as TRIAL_MOMENTUM
from bn_adapters.wrappers.reading.trial_data import TrialData
from bn_adapters.wrappers.trial import CHANNELS as COUNT
from bn_conformance.adapter import Array

TEXT_MODES = (
    ("train", "test"),
    ("train", "eval"),
    ("training", "inference"),
    ("train", "inference"),
    ("train", "infer"),
    ("training", "testing"),
    ("train", "val"),
    ("TRAIN", "TEST"),
)
FLAGS = ((True, False), (False, True))
ASSIGNMENTS = 400
"""Readings of arguments without a telling name that are tried."""

PLACES = ((2, 1), (4, 1), (4, 3), (3, 1), (3, 2), (5, 1), (5, 4))
"""Ranks of x, and the axis of the channels, on which a function is read, in this order."""


@dataclass(frozen=True)
class OneCall:
    """What one call gave.

    Attributes:
        result: as it came.
        parts: every array in it, and an output that was written into under `WRITTEN`.
        kept: what dictionaries hold afterwards, by role.
        given: the vectors that were given, by role, as they are after the call.
        path: where y is; None where nothing has its shape.
        likeness: of y to batch normalisation, at most 1.
    """

    result: Any
    parts: Mapping[Path, Array]
    kept: Mapping[str, Any]
    given: Mapping[str, Array]
    path: Path | None
    likeness: float


@dataclass(frozen=True)
class Attempt:
    """One reading of a function, tried on one x.

    Attributes:
        callee: the function with roles.
        data: it was tried on.
        training, inference: what the calls gave; None for a mode that the function lacks, or where it raised.
        errors: what was raised, by mode.
    """

    callee: Callee
    data: TrialData
    training: OneCall | None
    inference: OneCall | None
    errors: Mapping[str, str]

    @property
    def score(self) -> float:
        """How much like batch normalisation it is: 2 at most."""
        parts = [
            call.likeness for call in (self.training, self.inference) if call is not None and call.path is not None
        ]
        return sum(max(part, -1.0) for part in parts) - 2.0 * bool(self.errors)

    @property
    def why_not(self) -> str:
        """What was raised, in a line."""
        return "; ".join(dict.fromkeys(self.errors.values()))


def values_for(callee: Callee, arrays: NumpyArrays, data: TrialData, training: bool) -> dict[str, Any]:
    """A value for every role, on trial data."""
    x = arrays.of(data.x.copy())
    vectors = {role: arrays.of(data.vectors[role].copy()) for role in VECTORS}
    numbers: dict[str, Any] = {
        EPS: TRIAL_EPS,
        MOMENTUM: TRIAL_MOMENTUM,
        MODE: training,
        CHANNELS: COUNT,
        AXIS: data.axis,
    }
    return {
        X: x,
        **vectors,
        **numbers,
        **sizes_of(data.x.shape, data.axis),
        OUT: arrays.empty(x),
        RESIDUAL: arrays.zeros(x),
    }


def called(callee: Callee, arrays: NumpyArrays, data: TrialData, training: bool, **without: None) -> OneCall:
    """One call on trial data; roles in `without` are left out."""
    values = values_for(callee, arrays, data, training) | without
    with np.errstate(all="ignore"):
        result, kept = callee.invoke(values)
    parts = arrays_in(result, arrays)
    if OUT in callee.roles:
        parts = {WRITTEN: arrays.back(values[OUT]), **parts}
    roles = callee.roles - set(without)
    gamma, beta = (data.vectors[role] if role in roles else None for role in (GAMMA, BETA))
    eps = TRIAL_EPS if EPS in roles else 1e-5
    path, likeness = best_path(parts, data.y(training, eps, gamma, beta))
    given = {role: arrays.back(values[role]) for role in VECTORS if role in roles}
    return OneCall(result, parts, kept, given, path, likeness)


def attempt(callee: Callee, arrays: NumpyArrays, data: TrialData) -> Attempt:
    """A reading, tried in both modes; in one alone where the function takes no mode."""
    errors: dict[str, str] = {}
    calls: dict[str, OneCall | None] = {"training": None, "inference": None}
    for mode in calls:
        try:
            calls[mode] = called(callee, arrays, data, mode == "training")
        except Exception as error:
            errors[mode] = error_line(error)
    training, inference = calls["training"], calls["inference"]
    if MODE not in callee.roles and training is not None and inference is not None:
        if inference.likeness > training.likeness and MEAN in callee.roles:
            training = None
        else:
            inference = None
    return Attempt(callee, data, training, inference, errors)


def readings(callee: Callee, arrays: NumpyArrays, data: TrialData) -> Iterator[Callee]:
    """Every reading that is worth a try: forms of the state, values of the mode, roles of unknown arguments."""
    if callee.settled:
        yield callee
        return
    for form in _state_forms(callee, arrays, data):
        taken = form.roles
        unknown = [argument.name for argument in form.arguments if argument.role == UNKNOWN and argument.required]
        free = [role for role in (X, GAMMA, BETA, MEAN, VARIANCE, EPS, MOMENTUM, MODE) if role not in taken]
        assignments = permutations(free, len(unknown)) if len(unknown) <= len(free) else ()
        for roles in islice(assignments, ASSIGNMENTS):
            found = form
            for name, role in zip(unknown, roles, strict=True):
                found = found.with_role(name, role=role)
            for modes in mode_values(found):
                yield replace(found, modes=modes)


def _state_forms(callee: Callee, arrays: NumpyArrays, data: TrialData) -> Iterator[Callee]:
    """The callee with each form of its state argument, where it has one and the statistics have no other place."""
    holders = [argument for argument in callee.arguments if argument.role == STATE]
    if not holders:
        yield callee
        return
    keys = keys_of(callee, holders, values_for(callee, arrays, data, True), TEXT_MODES)
    for name, found in keys.items():
        callee = callee.with_role(name, form=DICTIONARY, keys=found)
    left = [holder.name for holder in holders if holder.name not in keys]
    if not left:
        yield callee
        return
    for form in (PAIR, NOTHING):
        if form == NOTHING or not {MEAN, VARIANCE} & callee.roles:
            yield callee.with_role(left[0], form=form)


def mode_values(callee: Callee) -> tuple[tuple[Any, Any], ...]:
    """What the mode may be in training and in inference, the likeliest first."""
    name, default = _name_of_mode(callee)
    if not name:
        return ((True, False),)
    plain = plain_name(name)
    if isinstance(default, str) or plain in ("mode", "phase"):
        return (*TEXT_MODES, *FLAGS)
    return FLAGS[::-1] if plain in INVERTED_MODES else FLAGS


def _name_of_mode(callee: Callee) -> tuple[str, Any]:
    for argument in callee.arguments:
        if argument.form == DICTIONARY:
            for key, role in argument.keys:
                if role == MODE:
                    return key, None
        elif argument.role == MODE:
            return argument.name, argument.default
    return "", None


def read_forward(
    callee: Callee, arrays: NumpyArrays, dtype: str = "float64", stop: Callable[[Attempt], bool] = lambda _: False
) -> tuple[Attempt, list[Attempt]]:
    """The best reading of a function, and the others that are as good but differ in a role.

    The best is the one whose results are most like batch normalisation. It need not be much like it: code may be wrong.
    `stop` says of an attempt that no other is needed beside it.
    """
    best: list[Attempt] = []
    for rank, axis in PLACES:
        data = TrialData.of(rank, axis, dtype)
        found = []
        for reading in readings(callee, arrays, data):
            found.append(attempt(reading, arrays, data))
            if found[-1].score > 1.9:  # as right as it can be: no other reading is better
                break
        if not found:
            continue
        found.sort(key=lambda one: -one.score)
        best.append(found[0])
        if stop(found[0]):
            return found[0], []
        if found[0].score > _GOOD and not found[0].errors:
            alike = [one for one in found[1:] if one.score > found[0].score - 1e-6 and _differ(one, found[0])]
            return found[0], alike
    best.sort(key=lambda one: -one.score)
    return best[0], []


_GOOD = 0.5


def _differ(first: Attempt, second: Attempt) -> bool:
    roles = [{argument.name: argument.roles for argument in one.callee.arguments} for one in (first, second)]
    return roles[0] != roles[1]
