"""Merges results files into one: jobs of a CI that judged other implementations or cases, or a repeat of some items.

Files count in the order in which they are named. Of an item that several files hold, the last record counts. An item
that never reported does not undo one that did, and an implementation that was not installed does not undo one that was
judged: a merge hides nothing and invents nothing. Files contradict each other where their verdicts cannot stand side by
side: another version of the suite, another option that decides verdicts, another text of a case or clause, or another
version or other code of an implementation of which items of both files remain. That is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bn_conformance.results.coverage import coverage_in
from bn_conformance.results.exit_codes import CONFORMS, EXIT_NOT_JUDGED, FAILS
from bn_conformance.results.file import Results
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.outcomes import NOT_ASKED, SILENT, ItemVerdict
from bn_conformance.results.records import (
    CaseInfo,
    ClauseInfo,
    Diagnosis,
    End,
    Environment,
    Header,
    Item,
    Record,
    StaleFault,
)
from bn_conformance.results.shard import check_complete

DECISIVE = ("level", "profile", "seed")
"""Options that decide verdicts, or data."""

_Info = TypeVar("_Info", CaseInfo, ClauseInfo)


def merge(files: Sequence[Results]) -> list[Record]:
    """The records of the merged file, in order.

    Raises:
        ResultsError: there is nothing to merge, or the files contradict each other; the message names both files.
    """
    if not files:
        raise ResultsError("there is nothing to merge; name at least one results file")
    if any(results.header.options.get("shard") for results in files):
        _check_shards(files)
    header = _header(files)
    kept: dict[str, tuple[Item, int]] = {}
    for place, results in enumerate(files):
        kept |= {item.id: (item, place) for item in results.items if item.outcome != NOT_ASKED or item.id not in kept}
    environments = _environments(files, header, kept)
    items = [item for item, _ in kept.values()]
    stale = _stale_faults(files, items)
    diagnoses = _diagnoses(files, items)
    return [header, *environments, *items, *stale, *diagnoses, _end(files, header, environments, items, stale)]


def _check_shards(files: Sequence[Results]) -> None:
    """Check that files are the shards of one run: the same plan, no gap and no overlap.

    Raises:
        ResultsError, ShardError: they are not; the message says which file contradicts which.
    """
    first = files[0]
    for other in files:
        if not other.header.options.get("shard"):
            raise ResultsError(f"cannot merge: {other.path} is no shard, others are; merge the shards first")
        _check_equal("the plan", first, _selection(first), other, _selection(other), shown=False)
    check_complete([(results.path, str(results.header.options["shard"])) for results in files])
    places: dict[str, Results] = {}
    for results in files:
        for item in results.header.planned:
            if places.setdefault(item, results) is not results:
                raise ResultsError(f"cannot merge: {item} is planned in {places[item].path} and in {results.path}")
    usable = [environment.implementation for environment in first.environments if environment.status == "ok"]
    for item in (f"{name}::{case.id}" for name in usable for case in first.header.cases):
        if item not in places:
            raise ResultsError(f"cannot merge: {item} is in no shard; make all shards with the same --times")


def _selection(results: Results) -> tuple[object, ...]:
    """What must be the same in every shard."""
    header = results.header
    statuses = sorted((environment.implementation, environment.status) for environment in results.environments)
    return header.implementations, [case.id for case in header.cases], statuses


def _check_equal(
    what: str, first: Results, first_value: object, second: Results, second_value: object, shown: bool = True
) -> None:
    if first_value != second_value:
        if not shown:
            first_value, second_value = "one thing", "another"
        raise ResultsError(
            f"cannot merge: {what} is {first_value} in {first.path}, but {second_value} in {second.path}; "
            "run one of the two again"
        )


def _header(files: Sequence[Results]) -> Header:
    first, *others = files
    for other in others:
        _check_equal("the suite's version", first, first.header.suite, other, other.header.suite)
        for option in DECISIVE:
            values = first.header.options.get(option), other.header.options.get(option)
            _check_equal(f"option {option}", first, values[0], other, values[1])
    headers = [results.header for results in files]
    return replace(
        first.header,
        created=min(header.created for header in headers),
        machine=_joined([header.machine for header in headers]),
        options=_options(headers),
        implementations=tuple(dict.fromkeys(name for header in headers for name in header.implementations)),
        cases=_unique(files, "case", lambda header: header.cases),
        clauses=_unique(files, "clause", lambda header: header.clauses),
        planned=tuple(dict.fromkeys(planned for header in headers for planned in header.planned)),
    )


def _options(headers: Sequence[Header]) -> dict[str, Any]:
    """The options of all files; together the shards of a run are no shard."""
    options = _joined([header.options for header in headers])
    return options | {"shard": ""} if "shard" in options else options


def _unique(files: Sequence[Results], noun: str, infos: Callable[[Header], Iterable[_Info]]) -> tuple[_Info, ...]:
    """Cases or clauses of all files by id, equal in each file that has them."""
    known: dict[str, tuple[_Info, Results]] = {}
    for results in files:
        for info in infos(results.header):
            first, source = known.setdefault(info.id, (info, results))
            if first != info:
                _check_equal(f"{noun} {info.id}", source, first, results, info, shown=False)
    return tuple(info for info, _ in known.values())


def _joined(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries of all mappings; where their values differ, as text with ` | ` between."""
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for mapping in mappings for key in mapping):
        values = [mapping[key] for mapping in mappings if key in mapping]
        texts = list(dict.fromkeys(map(str, values)))
        joined[key] = values[0] if len(texts) == 1 else " | ".join(texts)
    return joined


def _environments(files: Sequence[Results], header: Header, kept: dict[str, tuple[Item, int]]) -> list[Environment]:
    """Of each implementation the environment in which the items that are kept were judged."""
    places: dict[str, set[int]] = {}
    for item, place in kept.values():
        places.setdefault(item.implementation, set()).add(place)
    declared = [{environment.implementation: environment for environment in results.environments} for results in files]
    merged = []
    for name in header.implementations:
        used = [place for place in sorted(places.get(name, ())) if name in declared[place]]
        for place in used[1:]:
            _check_same_environment(files[used[0]], declared[used[0]][name], files[place], declared[place][name])
        every = [environments[name] for environments in declared if name in environments]
        judged = [environment for environment in every if environment.status == "ok"]
        if every:
            latest = declared[used[-1]][name] if used else (judged or every)[-1]
            same = all(declared[place][name].fingerprint == latest.fingerprint for place in used)
            merged.append(latest if same else replace(latest, fingerprint={}))  # of whose items nothing can be reused
    return merged


def _check_same_environment(first: Results, environment: Environment, second: Results, other: Environment) -> None:
    for name in ("versions", "device", "convention"):
        what = f"{name} of {environment.implementation}"
        _check_equal(what, first, getattr(environment, name), second, getattr(other, name))
    for part in ("suite", "files"):
        one, another = environment.fingerprint.get(part), other.fingerprint.get(part)
        if one and another:
            what = f"the code of {'the suite' if part == 'suite' else environment.implementation}"
            _check_equal(what, first, one, second, another, shown=False)


def _stale_faults(files: Sequence[Results], items: Sequence[Item]) -> list[StaleFault]:
    """Entries that are stale in some file and whose reason excuses no item that is kept."""
    needed = {item.known_fault for item in items if item.known_fault}
    stale = {(fault.file, fault.line, fault.entry): fault for results in files for fault in results.stale_faults}
    return [fault for fault in stale.values() if not fault.reason or fault.reason not in needed]


def _diagnoses(files: Sequence[Results], items: Sequence[Item]) -> list[Diagnosis]:
    """Of each implementation that still fails, the diagnosis that examined most items; of equals the latest."""
    failing = {item.implementation for item in items if item.verdict == ItemVerdict.FAIL}
    widest: dict[str, Diagnosis] = {}
    for diagnosis in (diagnosis for results in files for diagnosis in results.diagnoses):
        known = widest.get(diagnosis.implementation)
        if diagnosis.implementation in failing and (known is None or known.examined <= diagnosis.examined):
            widest[diagnosis.implementation] = diagnosis
    return list(widest.values())


def _end(
    files: Sequence[Results],
    header: Header,
    environments: Sequence[Environment],
    items: Sequence[Item],
    stale: Sequence[StaleFault],
) -> End:
    """The end, with the exit code that one run of all would have had."""
    broken = any(environment.status == "broken" for environment in environments)
    strict = header.options.get("profile") == "standard"
    nonstandard = strict and any(environment.nonstandard for environment in environments)
    reported = {item.id for item in items}
    failed = any(item.verdict == ItemVerdict.FAIL for item in items) or not reported.issuperset(header.planned)
    judged = any(item.verdict not in SILENT for item in items)
    judged = judged and not _short(header, environments, items)
    names = ", ".join(f"{results.path}{' (cut off)' if results.end is None else ''}" for results in files)
    return End(
        exit_code=FAILS if failed or stale or broken or nonstandard else CONFORMS if judged else EXIT_NOT_JUDGED,
        seconds=sum(results.end.seconds for results in files if results.end),
        message=f"Merged from {names}.",
    )


def _short(header: Header, environments: Sequence[Environment], items: Sequence[Item]) -> bool:
    """Whether too little was judged of some implementation."""
    results = Results.of("", [header, *environments, *items])
    names = {environment.implementation for environment in environments if environment.status == "ok"}
    return any(coverage_in(results, name).too_little for name in names)
