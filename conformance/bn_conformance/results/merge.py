"""Several results files as one: jobs of a CI that judged other implementations or cases, or a run again of some items.

Files are taken in their order. Of an item that several files hold, the last one counts, with two exceptions that keep
a merge from hiding or inventing anything: an item that never reported does not undo one that did, and neither does an
implementation that a job did not have installed. What must not differ, or the verdicts could not stand beside each
other, is an error: the suite's version, the options that decide verdicts, the text of a case or clause, and the
versions of an implementation of which items of two files remain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bn_conformance.results.file import Results, ResultsError
from bn_conformance.results.outcomes import Verdict
from bn_conformance.results.records import Diagnosis, End, Environment, Header, Item, Record, StaleFault

DECISIVE = ("level", "profile", "seed")
"""Options that decide verdicts, or data."""

_One = TypeVar("_One")


def merge(results: Sequence[Results]) -> list[Record]:
    """The records of the merged file, in order.

    Raises:
        ResultsError: there is nothing to merge, or the files contradict each other; the message names both files.
    """
    if not results:
        raise ResultsError("there is nothing to merge; name at least one results file")
    header = _header(results)
    kept: dict[str, tuple[Item, int]] = {}
    for place, one in enumerate(results):
        kept |= {item.id: (item, place) for item in one.items}
    environments = _environments(results, header, kept)
    items = [item for item, _ in kept.values()]
    stale = _stale(results, items)
    diagnoses = _diagnoses(results, items)
    return [header, *environments, *items, *stale, *diagnoses, _end(results, header, items, stale)]


def _contradiction(what: str, first: Results, one: object, second: Results, other: object) -> ResultsError:
    return ResultsError(
        f"cannot merge: {what} is {one} in {first.path}, but {other} in {second.path}; run one of the two again"
    )


def _unique(results: Sequence[Results], parts: Callable[[Results], Iterable[_One]], kind: str) -> tuple[_One, ...]:
    """Cases or clauses of all files by id, the same in each that has them."""
    found: dict[str, tuple[_One, Results]] = {}
    for one in results:
        for part in parts(one):
            name = getattr(part, "id")  # noqa: B009 (cases and clauses alike)
            known, source = found.setdefault(name, (part, one))
            if known != part:
                raise _contradiction(f"{kind} {name}", source, "one thing", one, "another")
    return tuple(part for part, _ in found.values())


def _header(results: Sequence[Results]) -> Header:
    first = results[0]
    for one in results[1:]:
        if one.header.suite != first.header.suite:
            raise _contradiction("the suite's version", first, first.header.suite, one, one.header.suite)
        for option in DECISIVE:
            values = first.header.options.get(option), one.header.options.get(option)
            if values[0] != values[1]:
                raise _contradiction(f"option {option}", first, values[0], one, values[1])
    headers = [one.header for one in results]
    return replace(
        first.header,
        created=min(header.created for header in headers),
        machine=_joined([header.machine for header in headers]),
        options=_joined([header.options for header in headers]),
        implementations=tuple(dict.fromkeys(name for header in headers for name in header.implementations)),
        cases=_unique(results, lambda one: one.header.cases, "case"),
        clauses=_unique(results, lambda one: one.header.clauses, "clause"),
        planned=tuple(dict.fromkeys(planned for header in headers for planned in header.planned)),
    )


def _joined(parts: Sequence[Any]) -> dict[str, Any]:
    """Entries of all files; where they differ, as text with ` | ` between."""
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        values = [part[key] for part in parts if key in part]
        different = list(dict.fromkeys(map(str, values)))
        joined[key] = values[0] if len(different) == 1 else " | ".join(different)
    return joined


def _environments(results: Sequence[Results], header: Header, kept: dict[str, tuple[Item, int]]) -> list[Environment]:
    """Of each implementation the environment in which the items that are kept were judged."""
    sources: dict[str, set[int]] = {}
    for item, place in kept.values():
        sources.setdefault(item.implementation, set()).add(place)
    said = [{environment.implementation: environment for environment in one.environments} for one in results]
    merged = []
    for name in header.implementations:
        used = [place for place in sorted(sources.get(name, ())) if name in said[place]]
        for place in used[1:]:
            _check_same(results[used[0]], said[used[0]][name], results[place], said[place][name])
        every = [environments[name] for environments in said if name in environments]
        judged = [environment for environment in every if environment.status == "ok"]
        if every:
            merged.append(said[used[-1]][name] if used else (judged or every)[-1])
    return merged


def _check_same(first: Results, one: Environment, second: Results, other: Environment) -> None:
    for what in ("versions", "device", "convention"):
        values = getattr(one, what), getattr(other, what)
        if values[0] != values[1]:
            raise _contradiction(f"{what} of {one.implementation}", first, values[0], second, values[1])


def _stale(results: Sequence[Results], items: Sequence[Item]) -> list[StaleFault]:
    """Entries that are stale in some file, less those whose reason excuses an item that is kept."""
    needed = {item.known_fault for item in items if item.known_fault}
    stale = {(fault.file, fault.line, fault.entry): fault for one in results for fault in one.stale_faults}
    return [fault for fault in stale.values() if not fault.reason or fault.reason not in needed]


def _diagnoses(results: Sequence[Results], items: Sequence[Item]) -> list[Diagnosis]:
    """Of each implementation that still fails the diagnosis that examined most, the latest of equals."""
    failing = {item.implementation for item in items if item.verdict == Verdict.FAIL}
    found: dict[str, Diagnosis] = {}
    for diagnosis in (one for part in results for one in part.diagnoses):
        known = found.get(diagnosis.implementation)
        if diagnosis.implementation in failing and (known is None or known.examined <= diagnosis.examined):
            found[diagnosis.implementation] = diagnosis
    return list(found.values())


def _end(results: Sequence[Results], header: Header, items: Sequence[Item], stale: Sequence[StaleFault]) -> End:
    """The end, with the exit code that one run of all would have had."""
    reported = {item.id for item in items}
    failed = any(item.verdict == Verdict.FAIL for item in items) or not reported.issuperset(header.planned)
    judged = any(item.verdict != Verdict.UNSUPPORTED for item in items)
    names = ", ".join(f"{one.path}{' (cut off)' if one.end is None else ''}" for one in results)
    return End(
        exit_code=1 if failed or stale else 0 if judged else 3,
        seconds=sum(one.end.seconds for one in results if one.end),
        message=f"Merged from {names}.",
    )
