"""Drafts entries of a file of known faults from the failures in a results file, for a person to complete."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isinf, isnan

from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.implementations.known_faults import DRAFT
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import NOT_ASKED, UNSUPPORTED, ItemVerdict
from bn_conformance.results.records import Item, Quantity
from bn_conformance.text import counted, one_line

_HEAD = """\
# Drafted from {path}. What fails alike is one entry. Of each, say in `reason` why it is a fault of the implementation
# and what it does, and in `link` where it is tracked. Delete entries that you do not understand yet: they must go on
# failing. No pattern matches a case that passed, or one that was not run.
"""

_DIGITS = re.compile(r"\d+")

Symptom = tuple[str, str, str]
"""What failing items may have in common: what is wrong, the outcome, and the clause that it breaks."""


@dataclass(frozen=True)
class _Group:
    """Failing items of an implementation that share a symptom."""

    symptom: Symptom
    items: Sequence[Item]


def draft(results: Results, known_cases: Collection[str] = ()) -> str:
    """Entries that cover every new failure of a run and no case that passed or was not run, as TOML text.

    Args:
        results: of the run.
        known_cases: ids of all cases that there are, so that no pattern of a part of the matrix excuses the rest.
    """
    parts = [_HEAD.format(path=one_line(results.path))]
    versions = {entry.implementation: entry.versions for entry in results.environments}
    for name in dict.fromkeys(item.implementation for item in results.items):
        items = [item for item in results.items if item.implementation == name]
        failing = [item for item in items if item.verdict == ItemVerdict.FAIL.value]
        silent = {item.case for item in items if item.outcome in (UNSUPPORTED, NOT_ASKED)}
        others = {*known_cases, *(item.case for item in items)} - silent
        parts += (_entry(name, group, others, versions.get(name, {})) for group in _groups(failing))
    return "\n".join(parts)


def _groups(failing: Iterable[Item]) -> Iterator[_Group]:
    """Items by symptom: one mistake shows in many quantities, so the symptom that most items have comes first."""
    left = {item.case: (item, _symptoms(item)) for item in failing}
    while left:
        counts = Counter(symptom for _, symptoms in left.values() for symptom in symptoms)
        symptom = counts.most_common(1)[0][0]
        alike = [item for item, symptoms in left.values() if symptom in symptoms]
        yield _Group(symptom, alike)
        for item in alike:
            del left[item.case]


def _symptoms(item: Item) -> list[Symptom]:
    """The symptoms of an item, without repetition; its message, without the numbers, where no quantity is wrong."""
    of_quantities = ((_kind(bad), bad.outcome, (*bad.clauses, "")[0]) for bad in _bad(item))
    return [*dict.fromkeys(of_quantities)] or [(_DIGITS.sub("#", one_line(item.message)), item.outcome, "")]


def _kind(quantity: Quantity) -> str:
    """What a quantity is, without the step that gave it."""
    return quantity.name.rpartition(".")[2]


def _covering(cases: Collection[str], others: Collection[str]) -> list[str]:
    """Few patterns that match all `cases`, and none of `others`.

    At each turn the one that matches most of what is left, of two that match as many the narrower.
    """
    taken = {pattern for case in others for pattern in _patterns(case)}
    of_case = {case: [pattern for pattern in _patterns(case) if pattern not in taken] for case in cases}
    left, chosen = dict(of_case), []
    while left:
        counts = Counter(pattern for patterns in left.values() for pattern in patterns)
        case = next(iter(left))
        best = max(counts, key=lambda pattern: (counts[pattern], len(pattern)), default=case)
        if any(matches_pattern(other, best) for other in others):
            left = {case: [pattern for pattern in patterns if pattern != best] for case, patterns in left.items()}
            continue
        chosen.append(best)
        left = {case: patterns for case, patterns in left.items() if best not in patterns}
    return chosen


def _patterns(case: str) -> Iterator[str]:
    """Patterns that match a case, from wide to narrow, the last of which is its id."""
    family, *middle, slug = case.split("/")
    words = slug.split("-")
    slugs = ["*", *("-".join(words[:length]) + "-*" for length in range(1, len(words))), slug]
    any_place = ["*"] * len(middle)
    for free in (
        any_place,
        *([*any_place[:place], part, *any_place[place + 1 :]] for place, part in enumerate(middle)),
    ):
        for name in slugs:
            yield "/".join([family, *free, name])
    for name in slugs:
        yield "/".join([family, *middle, name])


def _ratio(item: Item) -> float:
    ratios = (quantity.ratio or 0.0 for quantity in _bad(item))
    return max((inf if isnan(ratio) else ratio for ratio in ratios), default=0.0)


def _bad(item: Item) -> list[Quantity]:
    return [quantity for quantity in item.quantities if quantity.outcome == item.outcome]


def _entry(name: str, group: _Group, known: Collection[str], versions: Mapping[str, str]) -> str:
    exact = ", ".join(f"{_text(key)} = {_text(f'=={version}')}" for key, version in sorted(versions.items()))
    own = {item.case for item in group.items}
    patterns = _covering([*dict.fromkeys(item.case for item in group.items)], {*known} - own)
    lines = [
        "[[fault]]",
        f"implementation = {_text(name)}",
        *_case_lines(patterns),
        *([f"versions = {{ {exact} }}"] if exact else []),
        f"reason = {_text(f'{DRAFT} {_said(group)}')}",
        'link = ""',
    ]
    return "\n".join(lines) + "\n"


def _case_lines(patterns: Sequence[str]) -> list[str]:
    """The patterns as TOML, one a line where there are several."""
    if len(patterns) == 1:
        return [f"case = {_text(patterns[0])}"]
    return ["case = [", *(f"    {_text(pattern)}," for pattern in patterns), "]"]


def _said(group: _Group) -> str:
    """What is wrong with the items of a group, as far as the results say."""
    what, outcome, clause = group.symptom
    worst = max(group.items, key=_ratio)
    cases = counted(len(group.items), "case")
    if not clause:
        return f"{one_line(worst.message) or what or outcome} ({cases})"
    much = "beyond all bounds" if isinf(_ratio(worst)) else f"up to {_ratio(worst):.3g} times the allowed error"
    ratio = f", {much}" if _ratio(worst) else ""
    return f"{what} is {outcome} by {clause} in {cases}{ratio}; the worst is {worst.case}"


def _text(value: str) -> str:
    """A TOML string: JSON escapes are among TOML's."""
    return json.dumps(value)
