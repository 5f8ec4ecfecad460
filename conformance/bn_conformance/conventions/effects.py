"""What a difference of convention does to numbers, in plain float64 formulas for one standard setting.

The setting: every training batch has n = 32 values per channel, of mean 1 and (biased) variance 1; running statistics
start at mean 0 and at the initial variance of the convention, and move with its default momentum. The closed form of
t steps is running = (1 - w)^t * initial + (1 - (1 - w)^t) * batch, with w the weight of the new statistic. Each choice
is put alone into the baseline's convention, so that its effect is seen by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

from bn_conformance.text import number, plain

_Convention = Mapping[str, Any]

COUNT = 32
"""Values per channel in a batch."""
STEPS = (1, 10, 100)
"""Training steps after which numbers are given."""
METHOD = (
    f"Computed in float64 by the closed form of an exponential average, for batches of {COUNT} values per channel with "
    "mean 1 and variance 1, each choice put alone into the baseline's convention, with the baseline's default momentum "
    "and eps where the choice is not one of these (0.1 and 1e-5 where there is no default)."
)


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


@dataclass(frozen=True)
class _Setting:
    """A convention reduced to the numbers that a running average needs."""

    weight: float
    eps: float
    estimator: float
    initial: float
    eps_inside: bool
    eps_in_inference: bool

    def variance(self, steps: int) -> float:
        """Running variance after training steps."""
        kept = (1.0 - self.weight) ** steps
        return kept * self.initial + (1.0 - kept) * (self.estimator + self.eps * self.eps_inside)

    def mean(self, steps: int) -> float:
        """Running mean after training steps."""
        return 1.0 - (1.0 - self.weight) ** steps

    def deviation(self, steps: int) -> float:
        """What inference divides by after training steps."""
        return sqrt(self.variance(steps) + self.eps * self.eps_in_inference)


def _within(value: Any, low: float, high: float, default: float) -> float:
    """The value as a number where it is one in the range, else the default: a report never fails on a file."""
    return float(value) if isinstance(value, int | float) and low <= value <= high else default


def _new_weight(convention: _Convention) -> float:
    momentum = _within(convention.get("default_momentum"), 0.0, 1.0, -1.0)
    if momentum < 0.0:
        return 0.1
    return 1.0 - momentum if convention.get("momentum_weighs") == "old" else momentum


def _eps(convention: _Convention) -> float:
    return _within(convention.get("default_eps"), 1e-300, 1.0, 1e-5)


def _setting(convention: _Convention) -> _Setting:
    return _Setting(
        weight=_new_weight(convention),
        eps=_eps(convention),
        estimator=COUNT / (COUNT - 1.0) if convention.get("running_variance") == "unbiased" else 1.0,
        initial=_within(convention.get("initial_running_variance"), 0.0, 1e6, 1.0),
        eps_inside=convention.get("eps_in_running_variance") is True,
        eps_in_inference=convention.get("eps_in_inference") is not False,
    )


def _float32(value: float) -> float:
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def convention_effects(baseline: _Convention, other: _Convention) -> list[Effect]:
    """What each choice in which `other` differs from `baseline` does, and last what all of them do together.

    Both are conventions as plain data; choices that only one of them knows are left out.
    """
    differing = [name for name, value in other.items() if name in baseline and baseline[name] != value]
    effects = []
    for name in differing:
        changed = {**baseline, name: other[name]}
        if name == "default_momentum":
            changed["momentum_weighs"] = other.get("momentum_weighs")
        sentence, quantity = _DESCRIBE.get(name, _unknown)(baseline, changed, other)
        points = _points(quantity, baseline, changed)
        effects.append(Effect(name, plain(baseline[name]), plain(other[name]), sentence, quantity, points))
    if len(differing) > 1:
        quantity = "inference divides by"
        points = _points(quantity, baseline, other)
        course = [f"{_change(_over(theirs, ours))} after {steps}" for steps, ours, theirs in points]
        sentence = f"What inference divides by, against the baseline: {', '.join(course)} steps."
        effects.append(Effect("all together", "", "", sentence, quantity, points))
    return effects


def _points(quantity: str, baseline: _Convention, other: _Convention) -> tuple[tuple[int, float, float], ...]:
    courses: dict[str, Callable[[_Setting, int], float]] = {
        "running variance": _Setting.variance,
        "running mean": _Setting.mean,
        "inference divides by": _Setting.deviation,
    }
    if quantity not in courses:
        return ()
    course, ours, theirs = courses[quantity], _setting(baseline), _setting(other)
    return tuple((steps, course(ours, steps), course(theirs, steps)) for steps in STEPS)


def _over(value: float, baseline: float) -> float:
    return value / baseline if baseline else inf


def _change(factor: float) -> str:
    """A factor, in percent where it is near 1."""
    if factor == 1.0:
        return "the same"
    return f"{100 * (factor - 1):+.2g} %" if 0.9 < factor < 1.1 else f"{number(factor, 3)} times"


def _course(values: list[float], what: str) -> str:
    """Values after each of `STEPS`, and what they are."""
    return f"{', '.join(number(value, 3) for value in values)} {what} after {', '.join(map(str, STEPS))} steps"


def _running_variance(baseline: _Convention, changed: _Convention, _: _Convention) -> tuple[str, str]:
    factor = _setting(changed).estimator / _setting(baseline).estimator
    formula, at_two = ("n/(n - 1)", "2 times") if factor > 1 else ("(n - 1)/n", "half")
    return (
        f"Each batch enters the running variance {formula} times as large: {_change(factor)} at n = {COUNT} "
        f"({at_two} at n = 2). Outputs at inference end at {_change(factor**-0.5)}.",
        "running variance",
    )


def _initial(baseline: _Convention, changed: _Convention, _: _Convention) -> tuple[str, str]:
    course = [_over(_setting(changed).variance(steps), _setting(baseline).variance(steps)) for steps in STEPS]
    times = _course(course, "times the baseline's")
    return f"The running variance is {times}; the difference fades as (1 - w)^t.", "running variance"


def _weighs(baseline: _Convention, changed: _Convention, _: _Convention) -> tuple[str, str]:
    momentum = _within(baseline.get("default_momentum"), 0.0, 1.0, 0.1)
    ours, theirs = (_setting({**one, "default_momentum": momentum}) for one in (baseline, changed))
    return (
        f"Pass 1 - momentum. Copied as it is, {momentum:g} weighs the new statistic by {theirs.weight:g}, not "
        f"{ours.weight:g}: the running mean after 10 steps would be {theirs.mean(10):.3g}, not {ours.mean(10):.3g}.",
        "",
    )


def _momentum(baseline: _Convention, changed: _Convention, other: _Convention) -> tuple[str, str]:
    ours, theirs = _setting(baseline), _setting(changed)
    if other["default_momentum"] is None or baseline["default_momentum"] is None:
        return "One of the two has no default: momentum has to be given there.", ""
    if abs(ours.weight - theirs.weight) < 1e-12:
        return f"The same default, written the other way round: the new statistic weighs {ours.weight:g} in both.", ""
    return (
        f"By default the new statistic weighs {theirs.weight:.3g}, not {ours.weight:.3g}: after 10 steps the running "
        f"mean has come {100 * theirs.mean(10):.3g} % of the way to the batch mean, not {100 * ours.mean(10):.3g} %.",
        "running mean",
    )


def _default_eps(baseline: _Convention, changed: _Convention, other: _Convention) -> tuple[str, str]:
    if other["default_eps"] is None or baseline["default_eps"] is None:
        return "One of the two has no default: eps has to be given there.", ""
    ours, theirs = _eps(baseline), _eps(changed)
    changes = [f"{_change(sqrt((v + ours) / (v + theirs)))} at variance {number(v)}" for v in (1.0, 0.01, 1e-4)]
    return f"By default outputs change: {', '.join(changes)}.", ""


def _moves(_baseline: _Convention, changed: _Convention, _: _Convention) -> tuple[str, str]:
    setting = _setting(changed)
    when = {
        "forward": "They move in each training forward, and nothing further is needed; elsewhere",
        "backward": "A training forward without a backward moves nothing:",
        "explicit": "Training whose update is forgotten moves nothing:",
    }.get(str(changed["statistics_move"]), "They move at another moment; before it")
    course = _course([setting.mean(steps) for steps in STEPS], "times the batch mean")
    return f"{when} the running mean stays 0 where it should be {course}.", ""


def _eps_inside(baseline: _Convention, changed: _Convention, _: _Convention) -> tuple[str, str]:
    sign, word = ("+", "doubled") if changed["eps_in_running_variance"] is True else ("-", "halved")
    return (
        f"The running variance ends {sign}{number(_eps(baseline))} away; that of a channel whose variance is eps "
        f"is {word}.",
        "running variance",
    )


def _eps_inference(baseline: _Convention, changed: _Convention, _: _Convention) -> tuple[str, str]:
    power = 0.5 if changed["eps_in_inference"] is False else -0.5
    return (
        f"Outputs at inference: {_change((1.0 + _eps(baseline)) ** power)} at variance 1, {2.0**power:.3g} times where "
        "the running variance is eps. With eps inside the running variance it cancels.",
        "inference divides by",
    )


def _debiasing(baseline: _Convention, changed: _Convention, other: _Convention) -> tuple[str, str]:
    """What the first training batch leaves of the initial running variance."""
    keep = 1.0 - _new_weight(other)
    return (
        f"after the first training step an average that is not debiased keeps {number(keep)} of its initial values, "
        "a debiased one nothing",
        "",
    )


def _eps_dtype(baseline: _Convention, changed: _Convention, other: _Convention) -> tuple[str, str]:
    eps = _eps(other)
    return _kept(f"eps = {number(eps)}", "eps_dtype", baseline, changed, lambda kept: _rounded(eps, kept) / eps), ""


def _momentum_dtype(baseline: _Convention, changed: _Convention, other: _Convention) -> tuple[str, str]:
    """Rounding 0.99 and subtracting it from 1 costs two digits more than rounding 0.01."""
    weight = _new_weight(other)
    complement = other.get("momentum_weighs") == "old"

    def stored(kept: str) -> float:
        if complement and kept != "float32-new":
            return _over(1.0 - _rounded(1.0 - weight, kept), weight)
        return _over(_rounded(weight, kept), weight)

    return _kept(f"the weight {number(weight)} of the new statistic", "momentum_dtype", baseline, changed, stored), ""


def _rounded(value: float, kept: str) -> float:
    return _float32(value) if kept.startswith("float32") else value


def _kept(what: str, choice: str, baseline: _Convention, changed: _Convention, factor: Callable[[str], float]) -> str:
    """How far a hyper-parameter is off, by the format that keeps it."""
    parts = []
    for convention in (changed, baseline):
        error = abs(factor(str(convention[choice])) - 1.0)
        parts.append(f"as {convention[choice]} {'exact' if error < 1e-15 else f'off by {number(error, 1)}'}")
    return f"Relative error of {what}: kept {', '.join(parts)}. Matters for float64 results alone."


def _statistics_dtype(baseline: _Convention, _changed: _Convention, _: _Convention) -> tuple[str, str]:
    weight = _new_weight(baseline)
    low, high = (number(100 * _over(half_unit, weight)) for half_unit in (2.0**-12, 2.0**-11))
    return (
        "Matters for float16 and bfloat16 parameters alone: a running statistic kept in float16 no longer moves once "
        f"it is within {low} to {high} % of the batch's (half a unit in the last place / {weight:.3g}).",
        "",
    )


def _unknown(_baseline: _Convention, _changed: _Convention, _: _Convention) -> tuple[str, str]:
    return "This version of the report knows no numbers for it.", ""


_DESCRIBE = {
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
