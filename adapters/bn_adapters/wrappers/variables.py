"""Variables of a layer read: which is gamma, beta or a statistic, by its name, else by what setting it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from bn_adapters.wrappers.reading.arrays import NUMPY
from bn_adapters.wrappers.reading.callee import Argument, Callee
from bn_adapters.wrappers.reading.forward import Attempt, attempt
from bn_adapters.wrappers.reading.moving import eps_of_function, moving_of
from bn_adapters.wrappers.reading.not_quite import named_otherwise
from bn_adapters.wrappers.reading.roles import (
    BETA,
    EPS,
    FORWARD_NAMES,
    GAMMA,
    MEAN,
    MODE,
    MOMENTUM,
    VARIANCE,
    VECTORS,
    X,
    role_named,
)
from bn_adapters.wrappers.reading.trial_data import TrialData, nice
from bn_adapters.wrappers.reading.words import TITLES
from bn_conformance.adapter import Array
from bn_conformance.targets.naming import TargetError

DIGITS = 4
"""Digits of a literal that float32 shows."""

GOOD = 0.5
"""Score from which on an x of another rank is not tried."""

SURE = 1.0
"""Score from which on a reading is worth naming: half of the best that there is."""

Step = Callable[[int, int, Mapping[str, Any], Array, bool], tuple[Any, Mapping[str, Any]]]
"""`(rank, axis, values, x, training)` to y and the variables after it, of a fresh layer.

Values are vectors by the names of variables, and eps and momentum."""


@dataclass(frozen=True)
class Variables:
    """What a layer holds.

    Attributes:
        parameters: names of the variables of one number a channel that are trained.
        others: names of those that are not.
        arguments: of eps and momentum those that a layer is built with, with what they are called.
        has_mode: whether a layer is told its mode.
    """

    parameters: Sequence[str]
    others: Sequence[str]
    arguments: Mapping[str, str]
    has_mode: bool


@dataclass(frozen=True)
class VariableReading:
    """What variables are.

    Attributes:
        names: of variables, by role.
        how: how each role was found, in words.
        tried: the call that shows it; None where a layer took no x.
    """

    names: Mapping[str, str]
    how: Mapping[str, str]
    tried: Attempt | None

    @property
    def statistics(self) -> bool:
        """Whether there are running statistics."""
        return {MEAN, VARIANCE} <= set(self.names)

    def modes(self, has_mode: bool) -> frozenset[Any]:
        """The modes in which layers are batch normalisation."""
        if not self.statistics:
            return frozenset({"training"})
        if has_mode or self.tried is None:
            return frozenset({"training", "inference"})
        return frozenset({"training" if self.tried.training is not None else "inference"})

    @property
    def lines(self) -> Iterator[str]:
        """A line for each role of a vector."""
        for role in VECTORS:
            found = f"{self.names[role]}, {self.how[role]}" if role in self.names else "none"
            yield f"{TITLES[role]}: {found}"

    def number_lines(self, arguments: Mapping[str, str], values: Mapping[str, float | None]) -> Iterator[str]:
        """A line for eps and one for momentum.

        Args:
            arguments: those that a layer is built with, with what they are called.
            values: of the convention.
        """
        for role in (EPS, MOMENTUM):
            value = values.get(f"default_{role}")
            shown = "" if value is None else f"{value:g}"
            if role in arguments:
                yield f"{role}: the argument {arguments[role]}" + f", by default {shown}" * bool(shown)
            else:
                yield f"{role}: a literal in the code, " + (shown or "which does not show")

    def literals(self, wanted: frozenset[str]) -> dict[str, float]:
        """What eps and momentum are that nobody can choose, where they show, by the names of the convention."""
        if self.tried is None:
            return {}
        found: dict[str, float] = {}
        callee, data = self.tried.callee, self.tried.data
        if EPS in wanted and (eps := eps_of_function(callee, NUMPY, data, ("y",), DIGITS)) is not None:
            found["default_eps"] = eps
        if MOMENTUM in wanted and (keep := moving_of(self.tried).keep) is not None:
            found["default_momentum"] = nice(keep, DIGITS)
        return found


def read_variables(
    code: str, held: Variables, step: Step, places: Sequence[tuple[int, int]], said: Mapping[str, str]
) -> VariableReading:
    """Find out which variable is what.

    Args:
        code: name of the class, for messages.
        held: what its layers hold.
        step: one step of a fresh layer.
        places: ranks of x and axes of the channels on which it is tried.
        said: names of variables that the user gave, by role.

    Raises:
        TargetError: there is no variable that was named, two readings fit, or the layer is something else.
    """
    known = _by_name(code, held, said)
    tries: list[tuple[float, dict[str, str], Attempt]] = []
    whole = list(_readings(held, known, 0))
    for place, names in enumerate([*whole, *_readings(held, known, 1)]):
        if place == len(whole) and any(_is_sure(*entry) for entry in tries):
            break  # with one parameter fewer in a role nothing is better
        callee, found = _callee(code, held, step, names), []
        for rank, axis in places:
            bound = replace(callee, call=_bound(callee, step, names, rank, axis))
            one = attempt(bound, NUMPY, TrialData.of(rank, axis, "float32"))
            if one.training is not None or one.inference is not None:
                found.append(one)
            if not one.errors and one.score > GOOD:
                break
        if found:
            best_place = max(found, key=lambda one: one.score)
            tries.append((best_place.score, names, best_place))
    if not tries:
        return VariableReading(known, _how(known, known, said), None)
    tries.sort(key=lambda entry: -entry[0])
    best, names, one = tries[0]
    alike = [other for score, other, _ in tries[1:] if score > best - 1e-6 and set(other) == set(names)]
    if alike and _is_sure(*tries[0]):
        lines = [" ".join(f"--name {role}={name}" for role, name in found.items()) for found in (names, alike[0])]
        raise TargetError(f"{code} can be read in two ways; say which: {lines[0]} or {lines[1]}")
    call = one.training or one.inference
    if call is not None and (other := named_otherwise(call, one.data, one.callee)):
        raise TargetError(f"{code} is {other}; the suite judges batch normalisation alone")
    return VariableReading(names, _how(names, known, said), one)


def _is_sure(score: float, names: Mapping[str, str], one: Attempt) -> bool:
    """Whether a reading is as good as that of right code, or nearly."""
    return score > (SURE if MODE in one.callee.roles else SURE / 2)


def _by_name(code: str, held: Variables, said: Mapping[str, str]) -> dict[str, str]:
    """The roles that the user or names tell."""
    every = [*held.parameters, *held.others]
    found: dict[str, str] = {}
    for role in VECTORS:
        if role in said:
            wanted = [name for name in every if said[role] in (name, name.rpartition("/")[2])]
            if len(wanted) != 1:
                listed = ", ".join(every) or "no variable of one number a channel"
                raise TargetError(f"{code} has no variable {said[role]} for {role}; it has {listed}")
            found[role] = wanted[0]
            continue
        sort = held.parameters if role in (GAMMA, BETA) else held.others
        names = {role: FORWARD_NAMES[role]}
        fitting = [name for name in sort if role_named(name.rpartition("/")[2], names)]
        if len(fitting) == 1:
            found[role] = fitting[0]
    return found


def _readings(held: Variables, known: Mapping[str, str], fewer: int) -> Iterator[dict[str, str]]:
    """Every reading of variables whose names say nothing: as many as there are get a role, or one parameter fewer."""
    ways = []
    for sort, roles in ((held.parameters, (GAMMA, BETA)), (held.others, (MEAN, VARIANCE))):
        free = [role for role in roles if role not in known]
        unnamed = [name for name in sort if name not in known.values()]
        count = min(len(free), len(unnamed)) - (fewer if sort is held.parameters else 0)
        if count < 0:
            return
        ways.append([
            dict(zip(chosen, names, strict=True))
            for chosen in (permutations(free, count) if count < len(free) else [tuple(free)])
            for names in permutations(unnamed, count)
        ] if count else [{}])  # fmt: skip
    for parameters in ways[0]:
        for statistics in ways[1]:
            yield {**known, **parameters, **statistics}


def _callee(code: str, held: Variables, step: Step, names: Mapping[str, str]) -> Callee:
    entries = [Argument(X, X, True), *(Argument(role, role, True) for role in VECTORS if role in names)]
    entries += [Argument(role, role, False) for role in (EPS, MOMENTUM) if role in held.arguments]
    statistics = bool({MEAN, VARIANCE} & set(names))
    entries += [Argument(MODE, MODE, True)] if held.has_mode and statistics else []
    return Callee(step, code, tuple(entries), settled=True)


def _bound(callee: Callee, step: Step, names: Mapping[str, str], rank: int, axis: int) -> Callable[..., Any]:
    """One step of a fresh layer on an x of a rank."""

    def one_step(**given: Any) -> dict[str, Any]:
        values = {names.get(role, role): value for role, value in given.items() if role not in (X, MODE)}
        y, after = step(rank, axis, values, given[X], given.get(MODE, True))
        statistics = {role: np.asarray(after[names[role]]) for role in (MEAN, VARIANCE) if role in names}
        return {"y": np.asarray(y), **statistics}

    return one_step


def _how(names: Mapping[str, str], known: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    return {
        role: "as you say" if role in said else "by its name" if role in known else "by what it does" for role in names
    }
