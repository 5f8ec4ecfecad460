"""What a run says of one implementation, as a small TOML text for a repository.

The text has a stable order and no times, machines or single numbers. It changes where a verdict, a level, a convention,
a version or the cases change, so that a change of a framework is a difference that a person can read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bn_conformance.report.entries import Entry
from bn_conformance.report.problems import quantity_kind
from bn_conformance.report.summary import ImplementationSummary, summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import EXACT, NOT_ASKED, TIGHT_LEVEL, UNSUPPORTED

_PLAIN = (EXACT, TIGHT_LEVEL, UNSUPPORTED, NOT_ASKED)
"""Outcomes that are counted, and whose cases are not listed."""


def published(results: Results) -> dict[str, str]:
    """The text of each implementation that was judged, by name."""
    summary = summarise(results)
    return {
        one.name: "\n".join(_lines(one, results)) + "\n" for one in summary.implementations if one.state != "absent"
    }


def _lines(one: ImplementationSummary, results: Results) -> Iterator[str]:
    environment = one.environment
    yield f"# What bnconform {results.header.suite} says of {_value(one.name)}; made by bnconform publish."
    yield f"implementation = {_value(one.name)}"
    yield f"suite = {_value(results.header.suite)}"
    yield f"verdict = {_value(one.headline)}"
    yield from _table("versions", environment.versions)
    yield from _table("convention", environment.convention)
    yield from _table("nonstandard", environment.nonstandard)
    yield from _table("verdicts", Counter(entry.item.verdict for entry in one.entries))
    for family, entries in _by_family(one.entries).items():
        yield from _table(f"outcomes.{family}", Counter(entry.item.outcome for entry in entries))
    unsupported = Counter(entry.why for entry in one.entries if entry.item.outcome == UNSUPPORTED)
    yield from _table("unsupported", unsupported)
    for (outcome, verdict, clause, quantity, reason), cases in sorted(_groups(one.entries).items()):
        yield ""
        yield "[[cases]]"
        for name, value in (("outcome", outcome), ("verdict", verdict), ("clause", clause), ("quantity", quantity)):
            if value:
                yield f"{name} = {_value(value)}"
        if reason:
            yield f"known_fault = {_value(reason)}"
        yield "ids = ["
        yield from (f"  {_value(case)}," for case in sorted(cases))
        yield "]"


def _by_family(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.case.family, []).append(entry)
    return dict(sorted(families.items()))


def _groups(entries: Iterable[Entry]) -> dict[tuple[str, str, str, str, str], list[str]]:
    """Cases that are neither plain nor unsupported, by what is said of them."""
    groups: dict[tuple[str, str, str, str, str], list[str]] = {}
    for entry in entries:
        item = entry.item
        if item.outcome in _PLAIN and not item.known_fault:
            continue
        quantity = quantity_kind(entry.worst.name) if entry.worst else ""
        key = (item.outcome, item.verdict, entry.clause, quantity, item.known_fault or "")
        groups.setdefault(key, []).append(entry.case.id)
    return groups


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A table in the order of its keys; nothing where it is empty."""
    if values:
        yield ""
        yield f"[{'.'.join(map(_key, name.split('.', 1)))}]"
        yield from (f"{_key(key)} = {_value(values[key])}" for key in sorted(values))


def _key(text: str) -> str:
    return text if text.replace("_", "").replace("-", "").isalnum() and text.isascii() else _value(text)


def _value(value: Any) -> str:
    """A TOML value: JSON's texts, numbers and truth values are TOML's; None, which TOML lacks, is a text."""
    if isinstance(value, str):
        value = value.encode("utf-8", "backslashreplace").decode()
    return json.dumps("none" if value is None else value)
