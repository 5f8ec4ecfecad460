"""Drafts entries of a file of known faults from the failures in a results file, for a person to complete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.implementations.known_faults import DRAFT
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import UNSUPPORTED, ItemVerdict
from bn_conformance.results.records import Item, Quantity

_HEAD = """\
# Drafted from {path}. Of each entry, say in `reason` why it is a fault of the implementation and what it does, and in
# `link` where it is tracked. Delete entries that you do not understand yet: they must go on failing.
"""


def draft(results: Results) -> str:
    """Entries that cover every new failure of a run and no case that passes, as TOML text.

    Failing cases of an implementation that differ only in place and format share an entry, with a pattern.
    """
    parts = [_HEAD.format(path=results.path)]
    versions = {entry.implementation: entry.versions for entry in results.environments}
    for name in dict.fromkeys(item.implementation for item in results.items):
        items = [item for item in results.items if item.implementation == name]
        parts += (_entry(name, pattern, item, versions.get(name, {})) for pattern, item in _covering(items))
    return "\n".join(parts)


def _covering(items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    """Patterns of cases that cover the failures among items and nothing else that ran, each with its worst item."""
    failing = {item.case: item for item in items if item.verdict == ItemVerdict.FAIL.value}
    others = {item.case for item in items if item.outcome != UNSUPPORTED} - failing.keys()
    uncovered = dict(failing)
    while uncovered:
        case = next(iter(uncovered))
        pattern = next(pattern for pattern in _patterns(case) if not _matches_any(pattern, others))
        covered = [uncovered.pop(name) for name in list(uncovered) if matches_pattern(name, pattern)]
        yield pattern, max(covered, key=_ratio)


def _patterns(case: str) -> Iterator[str]:
    """Patterns that match a case, from wide to narrow: any place and format, any place, any format, itself."""
    family, *middle, slug = case.split("/")
    for free in ((0, 1), (0,), (1,)):
        yield "/".join([family, *("*" if place in free else part for place, part in enumerate(middle)), slug])
    yield case


def _matches_any(pattern: str, cases: Iterable[str]) -> bool:
    return any(matches_pattern(case, pattern) for case in cases)


def _ratio(item: Item) -> float:
    return max((quantity.ratio or 0.0 for quantity in _bad(item)), default=0.0)


def _bad(item: Item) -> list[Quantity]:
    return [quantity for quantity in item.quantities if quantity.outcome == item.outcome]


def _entry(name: str, pattern: str, item: Item, versions: Mapping[str, str]) -> str:
    exact = ", ".join(f"{_text(key)} = {_text(f'=={version}')}" for key, version in sorted(versions.items()))
    lines = [
        "[[fault]]",
        f"implementation = {_text(name)}",
        f"case = {_text(pattern)}",
        *([f"versions = {{ {exact} }}"] if exact else []),
        f"reason = {_text(f'{DRAFT} {_said(item)}')}",
        'link = ""',
    ]
    return "\n".join(lines) + "\n"


def _said(item: Item) -> str:
    """What is wrong with an item, as far as the results say."""
    worst = max(_bad(item), key=lambda quantity: quantity.ratio or 0.0, default=None)
    if worst is None:
        return item.message or item.outcome
    ratio = "" if worst.ratio is None else f", {worst.ratio:.3g} times the allowed error"
    return f"{worst.name} is {worst.outcome} by {', '.join(worst.clauses)}{ratio}"


def _text(value: str) -> str:
    """A TOML string: JSON escapes are among TOML's."""
    return json.dumps(value)
