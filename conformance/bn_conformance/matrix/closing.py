"""What only the whole run shows: stale entries of the known faults, and the exit code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.implementations.implementation import BROKEN, matches_pattern
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.implementations.registry import registered
from bn_conformance.matrix.opening import unsupported_items
from bn_conformance.matrix.plan import Plan
from bn_conformance.results import outcomes
from bn_conformance.results.coverage import coverage_of
from bn_conformance.results.exit_codes import CONFORMS, EXIT_NOT_JUDGED, FAILS, INTERRUPTED
from bn_conformance.results.outcomes import SILENT, ItemVerdict
from bn_conformance.results.records import Item, StaleFault, split_id
from bn_conformance.targets.description import capabilities_to_json

_NOT_A_JUDGEMENT = frozenset(
    {outcomes.UNSUPPORTED, outcomes.NOT_ASKED, outcomes.NOT_JUDGED}
    | {outcomes.CRASHED, outcomes.TIMED_OUT, outcomes.ERRORED}
)
"""Outcomes of items of which nothing was judged."""


@dataclass(frozen=True)
class Conclusion:
    """How a run went: its exit code, and why in a few words."""

    exit_code: int
    message: str


def conclude(
    plan: Plan,
    planned: Sequence[str],
    items: Collection[Item],
    stale: Sequence[StaleFault],
    *,
    partial: bool,
    interrupted: bool,
) -> Conclusion:
    """Say how a run went. The gravest reason comes first.

    Args:
        plan: of the run.
        planned: ids of the items that it set out to judge.
        items: that were recorded.
        stale: entries of the known faults that match no failure any more.
        partial: items were left out on purpose.
        interrupted: the run was.
    """
    reported = {item.id for item in items}
    judged = {item.implementation for item in items if item.outcome not in _NOT_A_JUDGEMENT}
    missing = [item for item in planned if item not in reported]
    here = {split_id(item)[0] for item in planned} if plan.options.shard else {entry.name for entry in plan.runnable}
    unjudged = [entry.name for entry in plan.runnable if entry.name in here - judged]
    broken = [entry.name for entry in plan.implementations if entry.status == BROKEN]
    nonstandard = [entry.name for entry in plan.runnable if entry.convention.nonstandard()]
    if interrupted:
        return Conclusion(INTERRUPTED, "interrupted")
    if not judged and (here or not plan.options.shard):
        return Conclusion(EXIT_NOT_JUDGED, "nothing was judged")
    if missing and not partial:
        return Conclusion(EXIT_NOT_JUDGED, f"{len(missing)} planned items never reported, the first: {missing[0]}")
    if unjudged and not partial:
        return Conclusion(EXIT_NOT_JUDGED, f"nothing was judged of {', '.join(unjudged)}")
    if broken:
        return Conclusion(FAILS, f"cannot be used: {', '.join(broken)}")
    if any(item.verdict == ItemVerdict.FAIL.value for item in items):
        return Conclusion(FAILS, "something does not conform")
    if stale and not plan.options.shard:  # another shard may hold the failure; a merge tells
        return Conclusion(FAILS, "the known faults hold entries that match no failure any more")
    if plan.options.profile == "standard" and nonstandard:
        return Conclusion(FAILS, f"nonstandard conventions: {', '.join(nonstandard)}")
    if not (partial or plan.options.shard) and (short := list(_too_little(plan, items))):
        return Conclusion(EXIT_NOT_JUDGED, f"too little was judged of {'; of '.join(short)}")
    return Conclusion(CONFORMS, "all conform")


def _too_little(plan: Plan, items: Collection[Item]) -> Iterator[str]:
    """The implementations of which too little was judged, with why, as SPEC.md says."""
    options, known = plan.options, plan.known_cases
    cases = {case_id: known[case_id] for case_id in plan.cases}
    own = _by_implementation([*items, *unsupported_items(plan)])
    for entry in plan.runnable:
        declared = capabilities_to_json(entry.capabilities)
        coverage = coverage_of(cases, own.get(entry.name, ()), declared, whole=options.every_case)
        if coverage.too_little:
            yield f"{entry.name} ({coverage.too_little})"


def stale_faults(plan: Plan, items: Collection[Item]) -> list[StaleFault]:
    """Entries of the known faults that cover items of a run, none of which fails as they say any more.

    Of an entry with several patterns each is looked at alone: it must not live on by what another one excuses. What
    fails on some processors alone is never stale. A shard of a sample cannot tell: another may have what was not asked.
    """
    if plan.options.shard and plan.options.sampled:
        return []
    by_name = _by_implementation(items)
    parts = [(fault, part) for fault in plan.faults if not fault.varies for part in fault.parts]
    idle = [(fault, part) for fault, part in parts if _excuses_nothing(part, fault.title, plan, by_name)]
    if not idle:
        return []
    default = [entry.name for entry in registered(plan.options.device).values() if entry.group == "default"]
    return [_stale(fault, part) for fault, part in idle if _whole(part, plan, default)]


def _by_implementation(items: Iterable[Item]) -> dict[str, list[Item]]:
    by_name: dict[str, list[Item]] = {}
    for item in items:
        by_name.setdefault(item.implementation, []).append(item)
    return by_name


def _excuses_nothing(fault: KnownFault, title: str, plan: Plan, items: Mapping[str, Sequence[Item]]) -> bool:
    known = plan.known_cases
    names = [entry.name for entry in plan.runnable if fault.applies_to(entry)]
    own = [item for name in names for item in items.get(name, ()) if fault.covers(known[item.case])]
    if any(item.verdict == ItemVerdict.NOT_ASKED.value for item in own):
        return False  # it may be needed there
    covered = [item for item in own if item.verdict not in SILENT]
    excused = any(item.verdict == ItemVerdict.KNOWN.value and item.known_fault == title for item in covered)
    lost = any(item.verdict == ItemVerdict.FAIL.value for item in covered)  # a known fault never fails: it was lost
    return bool(covered) and not excused and not lost


def _stale(fault: KnownFault, part: KnownFault) -> StaleFault:
    what = "the entry" if len(fault.patterns) <= 1 else f"{part.case!r} from the entry"
    message = f"no longer fails: delete {what} at {fault.file}, line {fault.line} ({fault.title})"
    return StaleFault(entry=fault.title, file=fault.file, line=fault.line, message=message, reason=fault.title)


def _whole(fault: KnownFault, plan: Plan, default: Sequence[str]) -> bool:
    """Whether the run covered all that the entry speaks of, so that the entry can be called stale.

    All its cases must have been selected (large ones where it covers no other), and every registered implementation of
    the default group, which `default` names, that its pattern matches must have been run.
    """
    own = [name for name in default if matches_pattern(name, fault.implementation)]
    if not {entry.name for entry in plan.runnable}.issuperset(own):
        return False
    covered = [case.id for case in all_cases().values() if fault.covers(case)]
    covered = covered or [case.id for case in large_cases().values() if fault.covers(case)]
    return set(plan.cases).issuperset(covered)
