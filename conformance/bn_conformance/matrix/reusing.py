"""Items of earlier results that hold for this run, too: nothing that they depend on has changed since.

An item is taken over where its case, and the fingerprint of its implementation, are what they were. Its verdict is made
anew, by the level and the known faults of this run. Judged again is what was lost (crashed, timed out), and what fails
because the layer raised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bn_conformance.cases.model import Case
from bn_conformance.identity.fingerprint import reason_against
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.judging.item import verdict_of
from bn_conformance.matrix.opening import Opening
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.rules import Rules
from bn_conformance.results import outcomes
from bn_conformance.results.file import Results, read_results
from bn_conformance.results.json_line import OtherFormat
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item
from bn_conformance.user_error import UserError

_LOST = frozenset({outcomes.CRASHED, outcomes.TIMED_OUT, outcomes.MISSING, outcomes.NOT_ASKED})
_FAIL = ItemVerdict.FAIL.value


@dataclass(frozen=True)
class Reused:
    """What is taken over.

    Attributes:
        items: with their verdicts in this run.
        notes: what a person should know of it, a line each.
    """

    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()


def reused_items(plan: Plan, opening: Opening, wanted: Collection[str]) -> Reused:
    """The items of the results that `--reuse` names that hold for a run.

    Args:
        plan: of the run.
        opening: of the run, with its fingerprints.
        wanted: ids of the items that are to be judged.

    Raises:
        UserError: the results cannot be read, or the run would write over them.
    """
    path, results = plan.options.reuse, plan.options.results
    if results and Path(results).resolve() == Path(path).resolve():
        raise UserError(f"--reuse and --results both name {path}; write the results to another file")
    try:
        earlier = read_results(path)
    except OtherFormat:
        return Reused(notes=(f"Nothing is reused from {path}: another version of bnconform wrote it",))
    if earlier.header.suite != opening.header.suite:
        versions = f"bnconform {earlier.header.suite} wrote it, this is {opening.header.suite}"
        return Reused(notes=(f"Nothing is reused from {path}: {versions}",))
    reasons = _reasons(earlier, opening)
    items = tuple(_holding(earlier, plan, opening, reasons, frozenset(wanted)))
    notes = [f"Reused from {earlier.path}: {len(items):,} of {len(wanted):,} items"]
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            by_reason.setdefault(reason, []).append(name)
    notes += [f"Judged again: {', '.join(names)} ({reason})" for reason, names in by_reason.items()]
    return Reused(items, tuple(notes))


def _reasons(earlier: Results, opening: Opening) -> dict[str, str]:
    """Why nothing of an implementation holds, by name, of those that both runs could judge; empty where it holds."""
    before = {record.implementation: record for record in earlier.environments if record.status == OK}
    return {
        record.implementation: reason_against(before[record.implementation].fingerprint, record.fingerprint)
        for record in opening.environments
        if record.status == OK and record.implementation in before
    }


def _holding(
    earlier: Results, plan: Plan, opening: Opening, reasons: dict[str, str], wanted: frozenset[str]
) -> Iterator[Item]:
    before = {info.id: info.digest for info in earlier.header.cases}
    same = {info.id for info in opening.header.cases if info.digest and info.digest == before.get(info.id)}
    rules = Rules(plan)
    for item in earlier.items:
        if item.case in same and reasons.get(item.implementation) == "" and item.id in wanted:
            implementation, case = plan.items[item.id]
            now = judged_anew(item, rules, implementation, case)
            if now is not None:
                reproduce = plan.reproduce(implementation, case)
                yield replace(now, reproduce=reproduce, reused=item.reused or earlier.header.created)


def judged_anew(item: Item, rules: Rules, implementation: Implementation, case: Case) -> Item | None:
    """An item with the verdict that its outcome has under some rules; None where the case must be observed again."""
    now = with_verdict(item, rules, implementation, case)
    if item.outcome in _LOST or (item.outcome == outcomes.ERRORED and _FAIL in (item.verdict, now.verdict)):
        return None
    return replace(now, explained_by=None)


def with_verdict(item: Item, rules: Rules, implementation: Implementation, case: Case) -> Item:
    """An item with the verdict that its outcome has under some rules."""
    if item.outcome in (outcomes.UNSUPPORTED, outcomes.NOT_ASKED):
        return item
    verdict = verdict_of(item.outcome, rules.policy.requirement(case), rules.policy.threshold)
    return rules.excused(replace(item, verdict=verdict.value, known_fault=None), implementation, case)
