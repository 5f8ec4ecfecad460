"""What failing cases share and passing ones do not, where no deviation explains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from bn_conformance.cases.model import Case, Freeze, Reload
from bn_conformance.results import outcomes
from bn_conformance.results.records import Item
from bn_conformance.text import counted

MOST = 2
"""Traits that are named at most."""

TELLING = 0.5
"""The largest part of the passing cases that may have a trait which is named."""

_SIZES = ((1, "1 value a channel"), (16, "2 to 16 values a channel"), (1024, "17 to 1,024 values a channel"))


@dataclass(frozen=True)
class _Trait:
    """A property that a case has or does not have.

    Attributes:
        words: what it is called, to stand after "have".
        of: whether a case has it.
    """

    words: str
    of: Callable[[Case], bool]


def _modes(case: Case) -> str:
    modes = {batch.training for batch in case.batches}
    return "training and inference" if len(modes) > 1 else "training alone" if True in modes else "inference alone"


def _sizes(case: Case) -> str:
    channels = case.config.num_channels
    most = max((prod(batch.shape) // channels for batch in case.batches), default=0) if channels else 0
    if not most:
        return "no values"
    return next((words for size, words in _SIZES if most <= size), f"more than {_SIZES[-1][0]:,} values a channel")


def _places(case: Case) -> str:
    return f"channels {case.config.layout}" if case.config.rank > 2 else "rank 2"


def _affine(case: Case) -> str:
    having = [name for name in ("gamma", "beta") if getattr(case.config, name)]
    return " and ".join(having) or "neither gamma nor beta"


def _formats(case: Case) -> str:
    config = case.config
    mixed = f" with parameters in {config.parameter_dtype}" if config.parameter_dtype != config.dtype else ""
    return f"x in {config.dtype}{mixed}"


PROPERTIES: tuple[Callable[[Case], Any], ...] = (
    _modes,
    _formats,
    _places,
    _sizes,
    _affine,
    lambda case: f"x of rank {case.config.rank}",
    lambda case: counted(case.config.num_channels, "channel"),
    lambda case: "one step" if len(case.batches) < 2 else "several steps",
    lambda case: "a backward" if any(batch.dy is not None for batch in case.batches) else "no backward",
    lambda case: f"momentum {case.config.momentum}",
    lambda case: f"eps {case.config.eps}",
    lambda case: f"an offset of {case.axes['offset']}" if "offset" in case.axes else "",
    lambda case: f"data of {case.axes['data']}" if "data" in case.axes else "",
    lambda case: f"clause {case.clauses[0]}",
    lambda case: "a mask" if any(batch.mask is not None for batch in case.batches) else "",
    lambda case: (
        "x that is not contiguous" if any(batch.view != "contiguous" for batch in case.batches) else "contiguous x"
    ),
    lambda case: "a reload" if any(isinstance(change, Reload) for change in case.changes) else "",
    lambda case: "a frozen layer" if any(isinstance(change, Freeze) for change in case.changes) else "",
)
"""What is compared; an empty text for a case that has nothing of it."""


def shared_sentence(failing: Sequence[tuple[Item, Case]], passing: Sequence[Case]) -> str:
    """What is wrong in failing cases, and what they share that few of the passing ones have, in one line with counts.

    Args:
        failing: items that fail, with their cases; at least one.
        passing: cases that pass.
    """
    cases = [case for _, case in failing]
    what = f"{counted(len(cases), 'failing case')} left: {_wrong([item for item, _ in failing])}"
    if not passing:
        return f"{what}; no case passes that they could be compared with."
    traits = _telling(cases, passing)
    if not traits:
        return f"{what}; nothing that is compared tells them from the {counted(len(passing), 'passing case')}."
    alike = sum(all(trait.of(case) for trait in traits) for case in passing)
    had = " and ".join(trait.words for trait in traits)
    everyone = "it has" if len(cases) == 1 else "all have"
    return f"{what}; {everyone} {had}, as {alike} of the {counted(len(passing), 'passing case')} have."


def _telling(failing: Sequence[Case], passing: Sequence[Case]) -> list[_Trait]:
    """Traits of all failing cases that leave fewest passing ones; none where none is telling."""
    found: list[_Trait] = []
    rest = list(passing)
    candidates = [trait for trait in map(_trait, PROPERTIES, [failing[0]] * len(PROPERTIES)) if trait.words]
    candidates = [trait for trait in candidates if all(trait.of(case) for case in failing)]
    while candidates and rest and len(found) < MOST:
        best = min(candidates, key=lambda trait: sum(trait.of(case) for case in rest))
        having = [case for case in rest if best.of(case)]
        if len(having) > TELLING * len(rest):
            break
        candidates.remove(best)
        found.append(best)
        rest = having
    return found


def _trait(value: Callable[[Case], Any], case: Case) -> _Trait:
    words = value(case)
    return _Trait(words, lambda other: value(other) == words)


def _wrong(items: Sequence[Item]) -> str:
    """Which quantities are wrong, the most frequent first, with how often."""
    counts: dict[str, int] = {}
    for item in items:
        names = {
            quantity.name.rpartition(".")[2]
            for quantity in item.quantities
            if outcomes.outcome_rank(quantity.outcome) > outcomes.outcome_rank(outcomes.NOT_JUDGED)
        }
        for name in names or {item.outcome if item.outcome != outcomes.WRONG else "no refusal"}:
            counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    return ", ".join(f"{name} ({counts[name]})" for name in ordered)
