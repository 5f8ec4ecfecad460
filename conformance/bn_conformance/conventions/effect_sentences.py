"""A sentence for each choice of a convention: what it does to numbers where it alone differs from a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

from bn_conformance.conventions.running_average import (
    COUNT,
    STEPS,
    PlainConvention,
    RunningAverage,
    eps_or_usual,
    float32,
    new_weight,
    number_within,
)
from bn_conformance.text import number
from bn_reference.arithmetic.formats import FORMATS, nearest

VARIANCE, MEAN, DIVISOR = "running variance", "running mean", "inference divides by"
"""Quantities whose course over training steps can show an effect."""


@dataclass(frozen=True)
class ChangedChoice:
    """One choice that differs.

    Attributes:
        baseline: the baseline's convention.
        changed: the same with that choice alone changed.
        other: the whole convention of the other implementation.
    """

    baseline: PlainConvention
    changed: PlainConvention
    other: PlainConvention

    @property
    def before(self) -> RunningAverage:
        """The running average of the baseline."""
        return RunningAverage.of(self.baseline)

    @property
    def after(self) -> RunningAverage:
        """The running average with the choice changed."""
        return RunningAverage.of(self.changed)


Described = tuple[str, str]
"""A sentence, and the quantity whose course over training steps shows it; empty where there is no such course."""


def ratio(value: float, baseline: float) -> float:
    """The value over that of the baseline; infinite where that is 0."""
    return value / baseline if baseline else inf


def factor_in_words(factor: float) -> str:
    """A factor, in percent where it is near 1."""
    if factor == 1.0:
        return "the same"
    return f"{100 * (factor - 1):+.2g} %" if 0.9 < factor < 1.1 else f"{number(factor, 3)} times"


def _course(values: list[float], what: str) -> str:
    """Values after each of `STEPS`, and what they are."""
    return f"{', '.join(number(value, 3) for value in values)} {what} after {', '.join(map(str, STEPS))} steps"


def _running_variance(choice: ChangedChoice) -> Described:
    factor = choice.after.estimator / choice.before.estimator
    formula, at_two = ("n/(n - 1)", "2 times") if factor > 1 else ("(n - 1)/n", "half")
    return (
        f"Each batch enters the running variance {formula} times as large: {factor_in_words(factor)} at n = {COUNT} "
        f"({at_two} at n = 2). Outputs at inference end at {factor_in_words(factor**-0.5)}.",
        VARIANCE,
    )


def _initial(choice: ChangedChoice) -> Described:
    before, after = choice.before, choice.after
    times = _course([ratio(after.variance(steps), before.variance(steps)) for steps in STEPS], "times the baseline's")
    return f"The running variance is {times}; the difference fades as (1 - w)^t.", VARIANCE


def _weighs(choice: ChangedChoice) -> Described:
    momentum = number_within(choice.baseline.get("default_momentum"), 0.0, 1.0, 0.1)
    before = RunningAverage.of({**choice.baseline, "default_momentum": momentum})
    after = RunningAverage.of({**choice.changed, "default_momentum": momentum})
    return (
        f"Pass 1 - momentum. If {momentum:g} is passed unchanged, the new statistic weighs {after.weight:g}, not "
        f"{before.weight:g}: the running mean after 10 steps is {after.mean(10):.3g}, not {before.mean(10):.3g}.",
        "",
    )


def _momentum(choice: ChangedChoice) -> Described:
    before, after = choice.before, choice.after
    if choice.other["default_momentum"] is None or choice.baseline["default_momentum"] is None:
        return "One of the two has no default: momentum has to be given there.", ""
    if abs(before.weight - after.weight) < 1e-12:
        same = f"the new statistic weighs {before.weight:g} in both"
        return f"The same default, written the other way round: {same}.", ""
    return (
        f"By default the new statistic weighs {after.weight:.3g}, not {before.weight:.3g}: after 10 steps the running "
        f"mean has come {100 * after.mean(10):.3g} % of the way to the batch mean, not {100 * before.mean(10):.3g} %.",
        MEAN,
    )


def _default_eps(choice: ChangedChoice) -> Described:
    if choice.other["default_eps"] is None or choice.baseline["default_eps"] is None:
        return "One of the two has no default: eps has to be given there.", ""
    before, after = eps_or_usual(choice.baseline), eps_or_usual(choice.changed)
    factors = ((variance, sqrt((variance + before) / (variance + after))) for variance in (1.0, 0.01, 1e-4))
    changes = (f"{factor_in_words(factor)} at variance {number(variance)}" for variance, factor in factors)
    return f"By default outputs change: {', '.join(changes)}.", ""


def _moves(choice: ChangedChoice) -> Described:
    when = {
        "forward": "They move in each training forward, and nothing further is needed; elsewhere",
        "backward": "A training forward without a backward moves nothing:",
        "explicit": "Training whose update is forgotten moves nothing:",
    }.get(str(choice.changed["statistics_move"]), "They move at another moment; before it")
    course = _course([choice.after.mean(steps) for steps in STEPS], "times the batch mean")
    return f"{when} the running mean stays 0 where it should be {course}.", ""


def _eps_inside(choice: ChangedChoice) -> Described:
    sign, word = ("+", "doubled") if choice.changed["eps_in_running_variance"] is True else ("-", "halved")
    return (
        f"The running variance ends {sign}{number(eps_or_usual(choice.baseline))} away; that of a channel whose "
        f"variance is eps is {word}.",
        VARIANCE,
    )


def _eps_inference(choice: ChangedChoice) -> Described:
    power = 0.5 if choice.changed["eps_in_inference"] is False else -0.5
    at_one = factor_in_words((1.0 + eps_or_usual(choice.baseline)) ** power)
    return (
        f"Outputs at inference: {at_one} at variance 1, {2.0**power:.3g} times where the running variance is eps. With "
        "eps inside the running variance it cancels.",
        DIVISOR,
    )


def _debiasing(choice: ChangedChoice) -> Described:
    kept = number(1.0 - new_weight(choice.other))
    return (
        f"After the first training step, an average that is not debiased keeps {kept} of its initial value, a debiased "
        "one nothing.",
        "",
    )


def _eps_dtype(choice: ChangedChoice) -> Described:
    eps = eps_or_usual(choice.other)
    if "x" in (choice.changed["eps_dtype"], choice.baseline["eps_dtype"]):
        half, brain = (nearest(eps, FORMATS[name]) for name in ("float16", "bfloat16"))
        return (
            f"Rounded to the format of x, eps = {number(eps)} is {number(half, 5)} where x is float16 and "
            f"{number(brain, 5)} where it is bfloat16: outputs change where a variance is as small. In float16 an eps "
            "below 3e-8 is 0, and a constant channel is 0 / 0.",
            "",
        )
    return _kept(choice, f"eps = {number(eps)}", "eps_dtype", lambda kept: _stored(eps, kept) / eps), ""


def _momentum_dtype(choice: ChangedChoice) -> Described:
    """Rounding 0.99 and subtracting it from 1 costs two digits more than rounding 0.01."""
    weight = new_weight(choice.other)
    complement = choice.other.get("momentum_weighs") == "old"

    def stored(dtype: str) -> float:
        if complement and dtype != "float32-new":
            return ratio(1.0 - _stored(1.0 - weight, dtype), weight)
        return ratio(_stored(weight, dtype), weight)

    return _kept(choice, f"the weight {number(weight)} of the new statistic", "momentum_dtype", stored), ""


def _stored(value: float, dtype: str) -> float:
    return float32(value) if dtype.startswith("float32") else value


def _kept(choice: ChangedChoice, what: str, field: str, factor: Callable[[str], float]) -> str:
    """How far a hyper-parameter is off, by the format that keeps it."""
    parts = []
    for convention in (choice.changed, choice.baseline):
        error = abs(factor(str(convention[field])) - 1.0)
        parts.append(f"as {convention[field]} {'exact' if error < 1e-15 else f'off by {number(error, 1)}'}")
    return f"Relative error of {what}: kept {', '.join(parts)}. Matters for float64 results alone."


def _statistics_dtype(choice: ChangedChoice) -> Described:
    if "float64" in (choice.changed["statistics_dtype"], choice.baseline["statistics_dtype"]):
        return (
            f"Kept as float64, running statistics are rounded by up to {number(2.0**-53, 1)} of their size in each "
            f"update, and by {number(2.0**-24, 1)} in float32. A saved model has another format.",
            "",
        )
    weight = new_weight(choice.baseline)
    low, high = (number(100 * ratio(half_unit, weight)) for half_unit in (2.0**-12, 2.0**-11))
    return (
        "Matters for float16 and bfloat16 parameters alone: a running statistic kept in float16 no longer moves once "
        f"it is within {low} to {high} % of the batch's (half a unit in the last place / {weight:.3g}).",
        "",
    )


def unknown_choice(_: ChangedChoice) -> Described:
    """What is said of a choice that has no sentence."""
    return "This version of the report knows no numbers for it.", ""


SENTENCES: dict[str, Callable[[ChangedChoice], Described]] = {
    "running_variance": _running_variance,
    "initial_running_variance": _initial,
    "momentum_weighs": _weighs,
    "default_momentum": _momentum,
    "default_eps": _default_eps,
    "statistics_move": _moves,
    "eps_in_running_variance": _eps_inside,
    "eps_in_inference": _eps_inference,
    "eps_dtype": _eps_dtype,
    "momentum_dtype": _momentum_dtype,
    "statistics_dtype": _statistics_dtype,
    "debiasing": _debiasing,
}
"""What describes each choice."""
