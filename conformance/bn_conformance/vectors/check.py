"""Judges results that were made elsewhere: the suite's own judge compares a file with goldens computed now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.results.records import Item, Quantity
from bn_conformance.text import did_you_mean
from bn_conformance.vectors.named_conventions import DEFAULT, UnknownConvention, convention_named
from bn_conformance.vectors.replay import ReplayAdapter, shape_of
from bn_conformance.vectors.selection import lacking, owed
from bn_conformance.vectors.submissions import RecordError, SubmittedRecord, UnusableLine, read_submission
from bn_reference.specification.clauses import clauses

Group = dict[tuple[int, str], SubmittedRecord]
"""Records of one case under one convention, by step and quantity."""


@dataclass(frozen=True)
class Checked:
    """The verdict on a case under a convention.

    Attributes:
        item: the verdict.
        case: the case.
        missing: names of the quantities that the case needs and the file does not give.
    """

    item: Item
    case: Case
    missing: tuple[str, ...]

    @property
    def judged(self) -> bool:
        """Whether anything was judged: numbers, or a refusal."""
        return self.item.outcome not in (outcomes.NOT_JUDGED, outcomes.MISSING)


@dataclass(frozen=True)
class CheckedFile:
    """The verdicts on a file of results.

    Attributes:
        checked: a verdict for each case and convention in the file.
        problems: what in the file cannot be used.
    """

    checked: tuple[Checked, ...]
    problems: tuple[UnusableLine, ...]

    @property
    def exit_code(self) -> int:
        """2: something in the file cannot be used; 1: something is wrong; 3: too little was judged; 0: all conform."""
        if self.problems:
            return 2
        if any(entry.item.verdict == ItemVerdict.FAIL.value for entry in self.checked):
            return 1
        whole = all(entry.judged and not entry.missing for entry in self.checked)
        return 0 if self.checked and whole else 3


def check_submission(path: str, threshold: Threshold = Threshold.DEGRADED) -> CheckedFile:
    """Judge a file of results.

    Raises:
        RecordError: the file cannot be read.
    """
    problems, checked = list[UnusableLine](), list[Checked]()
    groups: dict[tuple[str, str], Group] = {}
    for entry in read_submission(path):
        try:
            if isinstance(entry, SubmittedRecord):
                _place(entry, groups)
            else:
                problems.append(entry)
        except RecordError as error:
            problems.append(UnusableLine(entry.line, str(error)))
    goldens = Goldens()
    policy = Policy(threshold, {clause.id: clause.requirement for clause in clauses().values()})
    for (case_id, convention), group in groups.items():
        name = Path(path).name + ("" if convention == DEFAULT else f" [{convention}]")
        verdict = _judge(name, all_cases()[case_id], convention, group, goldens, policy)
        item = replace(verdict.item, reproduce=f"bnconform vectors check '{path}'")
        checked.append(replace(verdict, item=item))
    return CheckedFile(tuple(checked), tuple(problems))


def _place(record: SubmittedRecord, groups: dict[tuple[str, str], Group]) -> None:
    """Put a record into its group.

    Raises:
        RecordError: the record does not fit its case, or duplicates an earlier record.
    """
    case = all_cases().get(record.case)
    if case is None:
        hint = did_you_mean(record.case[:80], all_cases(), "bnconform list --cases shows them")
        raise RecordError(f"there is no case {record.case[:80]!r}{hint}")
    if lacking(case):
        raise RecordError(f"{case.id} cannot be judged from a file: it needs {lacking(case)}")
    try:
        convention_named(record.convention)
    except UnknownConvention as error:
        raise RecordError(str(error)) from None
    if record.step >= len(case.batches):
        raise RecordError(f"step is {record.step}; {case.id} has {len(case.batches)} with data, from 0")
    if record.quantity and record.shape is None:
        wanted = 1
        for size in shape_of(case, record.step, record):
            wanted *= size
        if len(record.values) != wanted:
            raise RecordError(f"has {len(record.values)} values; {record.quantity} of {case.id} has {wanted}")
    group = groups.setdefault((record.case, record.convention), {})
    before = group.get((record.step, record.quantity))
    if before is not None:
        raise RecordError(f"is a duplicate of line {before.line}, which counts; give each quantity of a step once")
    group[record.step, record.quantity] = record


def _judge(name: str, case: Case, convention_name: str, group: Group, goldens: Goldens, policy: Policy) -> Checked:
    convention = convention_named(convention_name)
    case = replace(case, repeat=False)  # a file is one run
    wanted = tuple(owed(case, batch) for batch in case.batches)
    ends = min((step for step, quantity in group if not quantity), default=len(wanted))
    missing = [
        (step, quantity)
        for step, quantities in enumerate(wanted[:ends])
        for quantity in quantities
        if (step, quantity) not in group and case.expects != "refusal"
    ]
    host = LocalHost(ReplayAdapter(case, convention, group, wanted))
    item = run_case(name, case, host, convention, goldens, policy)
    if case.expects == "refusal" or item.outcome in (outcomes.REFUSED, outcomes.ERRORED):
        return Checked(item, case, _names(missing))
    founded = tuple(quantity for quantity in item.quantities if not _unfounded(quantity, missing))
    item = replace(item, quantities=founded)
    return Checked(_reduced(item, policy, case) if missing else item, case, _names(missing))


def _names(missing: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"step{step}.{quantity}" for step, quantity in missing)


def _unfounded(quantity: Quantity, missing: list[tuple[int, str]]) -> bool:
    """Whether a quantity was judged from results that the file does not hold."""
    place, _, what = quantity.name.partition(".")
    if place == "initial":  # a file says nothing of a fresh layer
        return True
    return any(name == f"{place}.{what}" for name in _dependent(missing))


def _dependent(missing: list[tuple[int, str]]) -> Iterator[str]:
    """Names of the quantities that cannot be judged without the missing ones."""
    for step, quantity in missing:
        yield from (f"step{step}.{quantity}", f"trajectory{step}.{quantity}")
        if quantity in ("running_mean", "running_var"):
            for affected in (step, step + 1):
                yield from (f"step{affected}.{what}" for what in ("statistics", "timing", "reloaded"))


def _reduced(item: Item, policy: Policy, case: Case) -> Item:
    """The item with the outcome of the worst of its remaining quantities."""
    judged = [quantity for quantity in item.quantities if quantity.outcome != outcomes.NOT_JUDGED]
    if not judged:
        message = "nothing that the file gives can be judged"
        return replace(item, outcome=outcomes.MISSING, verdict=ItemVerdict.NOT_JUDGED.value, message=message)
    worst = max(judged, key=lambda quantity: outcomes.outcome_rank(quantity.outcome))
    if policy.threshold.tolerates(worst.outcome):
        verdict = ItemVerdict.WARN if worst.outcome.startswith("degraded") else ItemVerdict.PASS
    else:
        verdict = ItemVerdict.FAIL if policy.requirement(case) == "MUST" else ItemVerdict.WARN
    return replace(item, outcome=worst.outcome, verdict=verdict.value, message=worst.message)
