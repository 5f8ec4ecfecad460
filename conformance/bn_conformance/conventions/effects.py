"""What a difference of convention does to numbers, in plain float64 formulas for one standard setting.

Each choice is put alone into the baseline's convention, so that its effect stands by itself. The setting and its closed
form are those of `bn_conformance.conventions.running_average`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bn_conformance.conventions.effect_sentences import (
    DIVISOR,
    MEAN,
    SENTENCES,
    VARIANCE,
    ChangedChoice,
    factor_in_words,
    ratio,
    unknown_choice,
)
from bn_conformance.conventions.running_average import COUNT, STEPS, PlainConvention, RunningAverage
from bn_conformance.text import plain

METHOD = (
    f"Computed in float64 for training batches of {COUNT} values per channel with mean 1 and variance 1, by the closed "
    "form of an exponential average. Each choice is changed alone in the baseline's convention. Momentum and eps are "
    "the baseline's defaults (0.1 and 1e-5 where it has none), except where they are the choice itself."
)

_COURSES: dict[str, Callable[[RunningAverage, int], float]] = {
    VARIANCE: RunningAverage.variance,
    MEAN: RunningAverage.mean,
    DIVISOR: RunningAverage.divisor,
}


@dataclass(frozen=True)
class Effect:
    """What one choice does.

    Attributes:
        choice: field of the convention, or "all together".
        baseline: the baseline's value, as text.
        value: the other implementation's value, as text.
        sentence: what that means in numbers.
        quantity: what `points` are of; empty where there is no course over steps.
        points: (steps, under the baseline, under the other value).
    """

    choice: str
    baseline: str
    value: str
    sentence: str
    quantity: str = ""
    points: tuple[tuple[int, float, float], ...] = ()


def convention_effects(baseline: PlainConvention, other: PlainConvention) -> list[Effect]:
    """What each choice in which `other` differs from `baseline` does, and last what all of them do together.

    Both are conventions as plain data; choices that only one of them knows are left out.
    """
    differing = [name for name, value in other.items() if name in baseline and baseline[name] != value]
    effects = []
    for name in differing:
        changed = {**baseline, name: other[name]}
        if name == "default_momentum":
            changed["momentum_weighs"] = other.get("momentum_weighs")
        sentence, quantity = SENTENCES.get(name, unknown_choice)(ChangedChoice(baseline, changed, other))
        points = _points(quantity, baseline, changed)
        effects.append(Effect(name, plain(baseline[name]), plain(other[name]), sentence, quantity, points))
    return [*effects, _together(baseline, other)] if len(differing) > 1 else effects


def _together(baseline: PlainConvention, other: PlainConvention) -> Effect:
    points = _points(DIVISOR, baseline, other)
    course = (f"{factor_in_words(ratio(value, own))} after {steps}" for steps, own, value in points)
    sentence = f"What inference divides by, against the baseline: {', '.join(course)} steps."
    return Effect("all together", "", "", sentence, DIVISOR, points)


def _points(quantity: str, baseline: PlainConvention, other: PlainConvention) -> tuple[tuple[int, float, float], ...]:
    if quantity not in _COURSES:
        return ()
    course, before, after = _COURSES[quantity], RunningAverage.of(baseline), RunningAverage.of(other)
    return tuple((steps, course(before, steps), course(after, steps)) for steps in STEPS)
