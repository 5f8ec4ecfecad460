"""The verdict on an implementation: whether it conforms, what fails, why, and how much was judged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bn_conformance.cases.model import Case
from bn_conformance.report.entries import Entry
from bn_conformance.report.failure import item_text
from bn_conformance.report.left_out import left_out_lines
from bn_conformance.report.newly_judged import newly_judged
from bn_conformance.report.not_asked import not_asked_line
from bn_conformance.report.summary import Summary, summarise
from bn_conformance.results.coverage import Coverage
from bn_conformance.results.exit_codes import CONFORMS, FAILS
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict as ItemVerdict
from bn_conformance.results.records import Item, Record
from bn_conformance.results.writer import write_results
from bn_conformance.text import counted
from bnconform.html import as_html
from bnconform.keywords import in_python
from bnconform.text import as_text


@dataclass(frozen=True)
class CaseResult:
    """What came out of one case. Its text says what is wrong, by how much, and how to run it again.

    Attributes:
        case: id of the case.
        title: what it tests.
        clause: id of the clause that decides.
        outcome: a level such as `wrong`, or why there is none, such as `errored`.
        message: what is wrong, where there is more to say than the numbers do.
        ratio: error over allowed error of the worst number; None where no number was judged.
        reproduce: what runs the case again: Python, or a command line.
        explanation: all of this in several lines.
    """

    case: str
    title: str
    clause: str
    outcome: str
    message: str
    ratio: float | None
    reproduce: str
    explanation: str

    @classmethod
    def of(cls, item: Item, case: Case, entry: Entry) -> CaseResult:
        """The result that an item holds."""
        ratio = entry.worst.ratio if entry.worst else None
        text = item_text(item, case)
        return cls(case.id, case.title, entry.clause, item.outcome, entry.why, ratio, item.reproduce, text)

    def __str__(self) -> str:
        """The explanation."""
        return self.explanation


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """The verdict on one implementation. `print` shows it; a notebook shows it as a table. It is true if it conforms.

    Attributes:
        results: every record of the judging, as a results file has it (`write` makes one).
        coverage: how much was asked and judged, for each clause family.
        notes: what was found of the code before it was judged.
        cases: the cases that were judged, by id.
    """

    results: Results
    coverage: Coverage
    notes: tuple[str, ...]
    cases: dict[str, Case]

    @property
    def name(self) -> str:
        """What the implementation is called."""
        return self.results.header.implementations[0]

    @property
    def conforms(self) -> bool:
        """Whether enough was judged (SPEC.md), and all of it is right, warnings and known faults aside."""
        end = self.results.end
        return end is not None and end.exit_code == CONFORMS and not self.coverage.lacking

    @property
    def headline(self) -> str:
        """The verdict in a line."""
        end, failing, lacking = self.results.end, len(self.failures), self.coverage.lacking
        if failing:
            verb = "fails" if self.coverage.asked == 1 else "fail"
            return f"✕ {self.name} does not conform: {failing:,} of {counted(self.coverage.asked, 'case')} {verb}"
        if not self.coverage.judged:
            return f"? {self.name}: nothing was judged"
        if end is not None and end.exit_code == FAILS:
            return f"✕ {self.name} does not conform: {end.message}"
        if lacking:
            return f"? {self.name}: too little was judged of {', '.join(lacking)}"
        but = [counted(len(self.known_faults), "known fault")] * bool(self.known_faults)
        but += [counted(len(self.warnings), "warning")] * bool(self.warnings)
        conforms = f"✓ {self.name} conforms{' as declared' * self.coverage.as_declared}"
        return conforms + (f", with {' and '.join(but)}" if but else "")

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """The cases that fail, the worst first."""
        return self._with(ItemVerdict.FAIL)

    @property
    def warnings(self) -> tuple[CaseResult, ...]:
        """The cases that only warn: an unstable algorithm, or a clause that says SHOULD."""
        return self._with(ItemVerdict.WARN)

    @property
    def known_faults(self) -> tuple[CaseResult, ...]:
        """The cases that fail as a list of known faults says."""
        return self._with(ItemVerdict.KNOWN)

    @property
    def diagnosis(self) -> str:
        """The mistake that explains what fails, in words; empty where nothing that fails was examined."""
        return "\n".join(diagnosis.message for diagnosis in self.results.diagnoses)

    @property
    def newly_judged(self) -> str:
        """What is said of cases that are newer than the set of `set=`; empty where there are none."""
        return newly_judged(self.results)

    @property
    def not_asked(self) -> str:
        """How many cases were not asked since failures were found without them; empty where all were."""
        return in_python(not_asked_line(self.results))

    @property
    def left_out(self) -> list[str]:
        """What was selected and not judged, a line for each reason."""
        return [in_python(line) for line in left_out_lines(self.coverage)]

    @cached_property
    def summary(self) -> Summary:
        """The results as reports have them: what goes wrong in the same way together."""
        return summarise(self.results)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a results file, for `bnconform report` and `bnconform compare`."""
        results = self.results
        records: list[Record] = [results.header, *results.environments, *results.items, *results.stale_faults]
        records += [*results.diagnoses, *filter(None, [results.end])]
        write_results(Path(path), records)

    def _with(self, verdict: ItemVerdict) -> tuple[CaseResult, ...]:
        return self._by_verdict.get(verdict.value, ())

    @cached_property
    def _by_verdict(self) -> dict[str, tuple[CaseResult, ...]]:
        entries = [by_name[self.name] for by_name in self.summary.cases.values() if self.name in by_name]
        by_verdict: dict[str, list[CaseResult]] = {}
        for entry in sorted(entries, key=lambda entry: entry.badness, reverse=True):
            if entry.item.verdict in (ItemVerdict.FAIL, ItemVerdict.WARN, ItemVerdict.KNOWN):
                result = CaseResult.of(entry.item, self.cases[entry.item.case], entry)
                by_verdict.setdefault(entry.item.verdict, []).append(result)
        return {verdict: tuple(results) for verdict, results in by_verdict.items()}

    def __bool__(self) -> bool:
        return self.conforms

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self)
