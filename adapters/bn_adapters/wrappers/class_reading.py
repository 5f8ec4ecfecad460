"""Classes read: which method, attribute and argument is what, tried on small data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from bn_adapters.wrappers.class_layers import ClassRecipe
from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.function_code import is_named_batch_norm
from bn_adapters.wrappers.reading.arrays import NUMPY
from bn_adapters.wrappers.reading.attributes import (
    AttributePlace,
    by_role,
    held_flags,
    held_numbers,
    held_vectors,
    role_of_flag,
)
from bn_adapters.wrappers.reading.callee import Argument, Callee, callee_of
from bn_adapters.wrappers.reading.forward import FLAGS, TEXT_MODES, attempt, mode_values
from bn_adapters.wrappers.reading.not_quite import activations_text
from bn_adapters.wrappers.reading.roles import (
    CHANNELS,
    EPS,
    FORWARD_NAMES,
    INVERTED_MODES,
    MEAN,
    MODE,
    MOMENTUM,
    NUMBERS,
    VARIANCE,
    VECTORS,
    X,
    plain_name,
)
from bn_adapters.wrappers.reading.trial_data import ALIKE, TrialData
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_adapters.wrappers.reading.trial_data import MOMENTUM as TRIAL_MOMENTUM
from bn_adapters.wrappers.reading.words import THE_OBJECT, THE_RESULT
from bn_adapters.wrappers.trial import CHANNELS as COUNT
from bn_conformance.targets.naming import TargetError

FORWARDS = ("forward", "__call__", "call", "apply", "fwd")
BACKWARDS = ("backward", "bwd", "backprop", "back")
SWITCHES = (("train", "eval"), ("train", "test"), ("training", "inference"))
TRIED = 200
"""Readings of attributes without a telling name that are tried."""


@dataclass(frozen=True)
class ClassReading:
    """A reading of a class: the recipe, and one step of a fresh object as a function."""

    recipe: ClassRecipe
    step: Callee
    score: float


def trial_values(data: TrialData) -> dict[str, Any]:
    """What a constructor may be given on trial data, by role."""
    vectors = {role: data.vectors[role].copy() for role in VECTORS}
    return {**vectors, CHANNELS: COUNT, EPS: TRIAL_EPS, MOMENTUM: TRIAL_MOMENTUM}


def sample_of(constructor: Callee) -> Any:
    """An object as its class makes it.

    Raises:
        TargetError: it cannot be built.
    """
    needed = [argument for argument in constructor.arguments if argument.required]
    if activations := activations_text(argument.name for argument in needed):
        names = ", ".join(argument.name for argument in needed)
        raise TargetError(f"{constructor.name} is built from {names}, {activations}")
    unknown = [argument.name for argument in needed if not argument.role]
    if unknown:
        lines = " ".join(f"--argument {name}=VALUE" for name in unknown)
        raise TargetError(f"{constructor.name} needs {', '.join(unknown)}; say what they are: {lines}")
    values = trial_values(TrialData.of(2, 1))
    roles = {argument.role for argument in needed} | {CHANNELS}
    try:
        return constructor.invoke({role: value for role, value in values.items() if role in roles})[0]
    except Exception as error:
        raise TargetError(f"{constructor.name} cannot be built: {error_line(error)}") from None


def best_reading(constructor: Callee, sample: Any, name: str) -> ClassReading | None:
    """The best reading of a class; None where it has no forward.

    Where it is batch normalisation nowhere else, its channels may be on axis 0. A class without a name or running
    statistics that say batch normalisation is not taken for one.
    """
    ways = []
    for swapped in (False, True):
        found = max(_readings(constructor, sample, name, swapped), key=lambda one: one.score, default=None)
        if found is None:
            return None
        ways.append(found)
        if found.score > ALIKE:
            break
    usual, last = ways[0], ways[-1]
    says_so = is_named_batch_norm(constructor.name) or {MEAN, VARIANCE} <= set(last.recipe.places)
    return last if last.score > max(ALIKE, usual.score) and (says_so or usual is last) else usual


def _readings(constructor: Callee, sample: Any, name: str, swapped: bool) -> Iterator[ClassReading]:
    """Every reading of a class that is worth a try, with how good it is; the last one is the best that there can be."""
    method = next((other for other in FORWARDS if callable(getattr(type(sample), other, None))), None)
    if method is None:
        return
    backward = next((other for other in BACKWARDS if callable(getattr(sample, other, None))), "")
    read = callee_of(getattr(sample, method), f"{name}.{method}")
    numbers = by_role(held_numbers(sample), {role: FORWARD_NAMES[role] for role in NUMBERS})
    numbers = {role: place for role, place in numbers.items() if role not in constructor.roles}
    for vectors in _vector_places(sample):
        for changes in _mode_ways(read, sample):
            modes = changes.get("modes", (True, False))
            recipe = ClassRecipe(
                constructor,
                method,
                _caller(read, modes),
                {**vectors, **numbers},
                backward=backward,
                swapped=swapped,
                **changes,
            )
            step = _step(recipe, read)
            score = max(attempt(step, NUMPY, TrialData.of(*place)).score for place in ((2, 1), (4, 1), (4, 3)))
            yield ClassReading(recipe, step, score)
            if score > 1.9:
                return


def _caller(read: Callee, modes: tuple[Any, Any]) -> Callable[[Any], Callee]:
    method = read.call.__name__
    return lambda own: replace(read, call=getattr(own, method), modes=modes)


def _vector_places(sample: Any) -> Iterator[dict[str, AttributePlace]]:
    """Where the parameters and statistics may be: by name, then any others for those that no name tells."""
    found = held_vectors(sample)
    named = by_role(found, {role: FORWARD_NAMES[role] for role in VECTORS})
    yield named
    missing = [role for role in VECTORS if role not in named]
    others = [place for place, value in found.items() if place not in named.values() and value is not None]
    for count in range(min(len(missing), len(others)), 0, -1):
        for index, chosen in enumerate(permutations(others, count)):
            if index == TRIED:
                break
            for start in range(len(missing) - count + 1):
                yield named | dict(zip(missing[start : start + count], chosen, strict=True))
    if {MEAN, VARIANCE} <= set(named):
        yield {role: place for role, place in named.items() if role not in (MEAN, VARIANCE)}


def _mode_ways(read: Callee, sample: Any) -> Iterator[dict[str, Any]]:
    """How the mode may be said: as an argument, as an attribute, by methods, or not at all."""
    if MODE in read.roles:
        for modes in mode_values(read):
            yield {"modes": modes}
        return
    for place, value in held_flags(sample).items():
        if role_of_flag(place) == MODE:
            inverted = plain_name(place.name) in INVERTED_MODES
            ways = (FLAGS[::-1] if inverted else FLAGS) if isinstance(value, bool) else TEXT_MODES
            for modes in ways:
                yield {"mode": place, "modes": modes}
            return
    for pair in SWITCHES:
        if all(callable(getattr(sample, method, None)) for method in pair):
            yield {"switches": pair}
            return
    yield {}


def _step(recipe: ClassRecipe, read: Callee) -> Callee:
    """One step of a fresh object as a function: values by where they go, to y and what the object then holds."""
    constructor = recipe.constructor
    entries = {X: Argument(read.spelled(X) or "x", X, True)}
    for role in (*VECTORS, *NUMBERS):
        stated = next((one for one in constructor.arguments if one.role == role), None)
        if role in recipe.places:
            default = stated.default if stated else None
            entries[role] = Argument(str(recipe.places[role]), role, False, default)
        elif stated is not None and role in NUMBERS:
            entries[role] = Argument(stated.name, role, stated.required, stated.default)
    if recipe.mode is not None or recipe.switches or MODE in read.roles:
        entries[MODE] = Argument(_mode_text(recipe, read), MODE, True)
    roles = {argument.name: role for role, argument in entries.items()}

    def one_step(**given: Any) -> dict[str, Any]:
        values = {roles[name]: value for name, value in given.items()}
        own = recipe.made({CHANNELS: COUNT, **values})
        y = recipe.run(own, values[X], values.get(MODE, True) == recipe.modes[0])
        held = {role: place.get(own) for role, place in recipe.places.items() if role in (MEAN, VARIANCE)}
        return {THE_RESULT: y, THE_OBJECT: held}

    return Callee(one_step, f"{constructor.name}.{recipe.forward}", tuple(entries.values()), recipe.modes, settled=True)


def _mode_text(recipe: ClassRecipe, read: Callee) -> str:
    if recipe.mode is not None:
        return str(recipe.mode)
    return "the method last called" if recipe.switches else f"{recipe.forward}({read.spelled(MODE)})"


def data_for(recipe: ClassRecipe) -> TrialData:
    """Data that the objects take, where there are some."""
    for place in ((2, 1), (4, 1), (4, 3), (3, 1), (3, 2)):
        data = TrialData.of(*place)
        try:
            y = recipe.run(recipe.made(trial_values(data)), data.x.copy(), True)
        except Exception:
            continue
        if np.shape(y) == data.x.shape:
            return data
    return TrialData.of(2, 1)


def obeyed(found: ClassReading) -> tuple[ClassRecipe, Callee]:
    """The reading without the attributes eps and momentum that change nothing when they are set."""
    recipe, step, data = found.recipe, found.step, data_for(found.recipe)
    for role in NUMBERS:
        if role not in recipe.places:
            continue
        results = []
        for value in (0.25, 0.75):
            try:
                own = recipe.made({**trial_values(data), role: value})
                y = recipe.run(own, data.x.copy(), True)
                results.append(np.array(y if role == EPS else recipe.places[MEAN].get(own)))
            except Exception:
                break
        if len(results) < 2 or np.array_equal(results[0], results[1]):
            recipe = replace(recipe, places={key: place for key, place in recipe.places.items() if key != role})
            step = replace(step, arguments=tuple(entry for entry in step.arguments if entry.role != role))
    return recipe, step


def initial_statistics_of(recipe: ClassRecipe) -> tuple[tuple[float, float], str]:
    """The statistics that a fresh object starts from, and what is to be said of them."""
    if MEAN not in recipe.places or VARIANCE not in recipe.places:
        return (0.0, 1.0), ""
    data = data_for(recipe)
    try:
        values = {**trial_values(data), MEAN: None, VARIANCE: None}
        fresh = recipe.made(values)
        before = [recipe.places[role].get(fresh) for role in (MEAN, VARIANCE)]
        if all(isinstance(vector, np.ndarray) and np.ptp(vector) == 0 for vector in before):
            return (float(before[0].flat[0]), float(before[1].flat[0])), ""
        recipe.run(fresh, data.x.copy(), True)
        mean = np.asarray(recipe.places[MEAN].get(fresh)).reshape(-1)
        variance = np.asarray(recipe.places[VARIANCE].get(fresh)).reshape(-1)
    except Exception:
        return (0.0, 1.0), ""
    if np.allclose(mean, data.batch_mean):
        return (0.0, 1.0), "the first batch sets the statistics; objects that are judged have them from the start"
    keep = 1.0 - float((mean / data.batch_mean).mean())  # from a mean of 0
    start = float(((variance - (1.0 - keep) * data.batch_variance) / keep).mean()) if keep else 1.0
    return (0.0, 1.0 if start > 0.5 else 0.0), "the statistics are made by the first batch, from those of a fresh layer"


def there_and_back(recipe: ClassRecipe, data: TrialData, training: bool) -> tuple[Any, Any]:
    """A fresh object after a forward and a backward on trial data, and what the backward gave."""
    own = recipe.made(trial_values(data))
    with np.errstate(all="ignore"):
        recipe.run(own, data.x.copy(), training)
        return own, recipe.back(own, data.dy.copy())
