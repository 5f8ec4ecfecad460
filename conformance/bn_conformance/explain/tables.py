"""What is told of an explanation, in sentences and rows that every format shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

from bn_conformance.explain.cause import Explaining
from bn_conformance.explain.conditions import ChannelCondition
from bn_conformance.explain.explanation import ExplainedStep
from bn_conformance.explain.judging_arrays import JudgedArray, WorstElement
from bn_conformance.explain.reading import ReadChoice
from bn_conformance.results.exit_codes import CONFORMS
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted, element, exact_number, number, one_line

SIGNS = {
    ItemVerdict.PASS: "✓",
    ItemVerdict.WARN: "▲",
    ItemVerdict.FAIL: "✕",
    ItemVerdict.NOT_JUDGED: "–",
}

HOW = {
    "given": "given",
    "found": "found",
    "explained": "found: with the mistake below, it fits",
    "assumed": "assumed",
    "undecided": "cannot be told from these numbers",
    "nearest": "the nearest of those that were tried; none fits",
}

CHANNELS = 8
"""Channels that are told of."""

CAUSES = 5
"""Deviations that are told of."""

ARRAYS_HEAD = ("array", "level", "error / allowed", "judged", "channels beyond tight")
WORST_HEAD = ("element", "golden", "got", "error", "allowed")
CONDITION_HEAD = ("channel", "mean of x", "deviation", "share of mean", "typical", "largest", "at most")
OTHER_HEAD = ("channel", "difference", "rounding may make", "error of x that it needs", "explained")


def headline(told: ExplainedStep) -> str:
    """The verdict in a line."""
    if told.off:
        names = ", ".join(one.role for one in told.off)
        return f"✕ not within the bounds: {names} (of {counted(len(told.counting), 'array')})"
    if told.exit_code == CONFORMS:
        levels = ", ".join(f"{one.role} {one.level}" for one in told.counting)
        return f"✓ within the bounds: {levels}"
    return "– nothing could be judged: " + (
        "no error bound means anything for these data" if told.counting else "only what went in was given; add y"
    )


def taken_lines(told: ExplainedStep) -> list[str]:
    """What each array was taken as."""
    lines = [
        f"{one_line(one.name, 60)}: {'taken as ' + one.role if one.role else 'not used'}{', as was said' * one.said}"
        for one in told.taken
        if one.said or one.name != one.role
    ]
    same = [one.role for one in told.taken if one.name == one.role and not one.said]
    return ([f"taken by their names: {', '.join(same)}"] if same else []) + lines + list(told.remarks)


def setting_row(setting: ReadChoice) -> tuple[str, str, str]:
    """A choice of the reading: name, value, how it was found."""
    value = number(setting.value, 8) if isinstance(setting.value, float) else str(setting.value)
    note = f"; {setting.note}" if setting.note else ""
    return setting.name.replace("_", " "), value, HOW[setting.how] + note


def array_row(one: JudgedArray) -> tuple[str, ...]:
    """A judged array: name, level, ratio, how much was judged, and the channels beyond `tight`."""
    shown = ", ".join(map(str, one.channels[:CHANNELS])) + (", …" if len(one.channels) > CHANNELS else "")
    channels = f"{len(one.channels)}: {shown}" if one.channels else "none"
    sign = SIGNS[one.verdict] + ("" if one.counts else " (not counted)")
    return f"{sign} {one.role}", one.level, number(one.ratio, 3), f"{one.judged:,} of {one.total:,}", channels


def element_row(one: WorstElement) -> tuple[str, ...]:
    """One of the worst elements."""
    return (
        element(one.index),
        exact_number(one.expected),
        exact_number(one.got),
        number(one.error, 3),
        number(one.allowed, 3),
    )


def told_of(told: ExplainedStep) -> list[JudgedArray]:
    """The arrays whose worst elements are told one by one: those that are off."""
    return [one for one in told.arrays if one.worst and one.verdict in (ItemVerdict.FAIL, ItemVerdict.WARN)]


def worst_rows(told: ExplainedStep) -> list[tuple[str, ...]]:
    """The worst element of each array of which nothing more is told."""
    rest = [one for one in told.arrays if one.worst and one not in told_of(told)]
    return [(f"{one.role}{cells[0]}", *cells[1:]) for one in rest for cells in [element_row(one.worst[0])]]


def cause_lines(told: ExplainedStep) -> list[str]:
    """The deviations that explain what is wrong."""
    cause = told.cause
    if cause is None:
        return []
    lines = [line for part in cause.found for line in _explaining_lines(told, part)]
    if not cause.found and not cause.stopped:
        lines.append("No single deviation of the catalogue gives these numbers.")
    if cause.stopped:
        lines.append(cause.stopped)
    if not cause.found and any(setting.how == "nearest" for setting in told.settings):
        lines.append(
            "The reading is the nearest one and does not fit: say what you know of mode, axis, eps or momentum."
        )
    return lines


def _explaining_lines(told: ExplainedStep, part: Explaining) -> list[str]:
    """The deviations that explain some arrays."""
    whole = part.arrays == tuple(one.role for one in told.counting)
    lines = [f"{one.name}: {one.sentence.rstrip('.')}; {one.effect.rstrip('.')}." for one in part.deviations[:CAUSES]]
    count = len(part.deviations)
    if count > 1:
        more = f" ({count - CAUSES} more are not shown)" if count > CAUSES else ""
        lines.append(f"Nothing in these data tells these {count} apart{more}.")
    return lines if whole else [f"of {', '.join(part.arrays)}:", *lines]


def gravest(told: ExplainedStep) -> list[ChannelCondition]:
    """The channels whose condition is worst: of another y, those whose difference needs most, first."""

    def weight(one: ChannelCondition) -> tuple[float, float]:
        needed = 0.0 if one.other is None else one.other.needed
        return needed, one.typical if one.typical == one.typical else float("inf")

    return sorted(told.conditions, key=weight, reverse=True)[:CHANNELS]


def condition_row(one: ChannelCondition) -> tuple[str, ...]:
    """The condition of a channel."""
    return (
        str(one.channel),
        number(one.mean, 3),
        number(one.deviation, 3),
        share(one.share),
        number(one.typical),
        number(one.largest) + (" (beyond first order)" if one.beyond else ""),
        number(one.most),
    )


def other_row(one: ChannelCondition) -> tuple[str, ...]:
    """The difference to another y in a channel."""
    other = one.other
    if other is None:
        return (str(one.channel), "", "", "", "")
    needed = (
        "none: rounding is enough"
        if other.needed == 0
        else number(other.needed)
        if isfinite(other.needed)
        else "none can"
    )
    return (
        str(one.channel),
        number(other.difference, 3),
        number(other.rounding),
        needed,
        "yes" if other.explained else "no",
    )


def condition_sentence(told: ExplainedStep) -> str:
    """What an error of x becomes in the channel where that is most."""
    one = max(told.conditions, key=lambda one: one.typical if one.typical == one.typical else float("inf"))
    about = f"An error of {number(told.error)} in x becomes {number(one.typical)} in y of channel {one.channel}"
    shape = f", whose deviation is {share(one.share)} of its mean" if isfinite(one.share) else ", whose mean is 0"
    ends = f" (typically; {number(one.largest)} with the worst signs, to first order)"
    limit = f". Such an error moves the deviation itself: y is off by up to {number(one.most)}" if one.beyond else ""
    return about + ends + shape + limit + "."


def other_sentence(told: ExplainedStep) -> str:
    """How much of the difference to another y an error of x explains; empty where there is none."""
    differing = [one for one in told.conditions if one.other is not None and one.other.difference > 0]
    if not any(one.other is not None for one in told.conditions):
        return ""
    if not differing:
        return "The other y is the same."
    by_rounding = [one for one in differing if one.other is not None and one.other.needed == 0]
    explained = [one for one in differing if one.other is not None and one.other.explained]
    largest = number(max(_difference(one) for one in differing), 3)
    text = f"The other y differs in {counted(len(differing), 'channel')}: by up to {largest}."
    if len(by_rounding) == len(differing):
        return f"{text} Rounding alone explains all of it."
    rest = [one for one in differing if one not in explained]
    if not rest:
        return f"{text} An error of {number(told.error)} in x explains all of it."
    worst = max(rest, key=_needed)
    if not isfinite(_needed(worst)):
        needs = f"no error of x explains channel {worst.channel}"
    else:
        needs = f"channel {worst.channel} needs one of {number(_needed(worst))}"
    return f"{text} An error of {number(told.error)} in x explains {len(explained)} of them; {needs}."


def _difference(one: ChannelCondition) -> float:
    return 0.0 if one.other is None else one.other.difference


def _needed(one: ChannelCondition) -> float:
    return 0.0 if one.other is None else one.other.needed


def share(value: float) -> str:
    """A share in percent, however large."""
    return f"{number(100 * value)} %" if isfinite(value) else "–"


def rows(row: Callable[[Any], tuple[str, ...]], ones: Iterable[Any]) -> list[tuple[str, ...]]:
    """The rows of a table."""
    return [row(one) for one in ones]
