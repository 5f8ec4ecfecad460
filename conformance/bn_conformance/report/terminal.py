"""The summary that a terminal shows after a run. It needs no colour, and fits itself to the width."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bn_conformance.report.entries import Tally
from bn_conformance.report.left_out import not_judged_lines
from bn_conformance.report.legend import (
    CELL_MEANING,
    RATIO_MEANING,
    VERDICT_COUNTS,
    explained,
    family_title,
    signs_explained,
)
from bn_conformance.report.lines import Lines
from bn_conformance.report.problems import SharedProblem
from bn_conformance.report.quantity_text import error_and_allowed, expected_and_got, place
from bn_conformance.report.summary import ImplementationSummary, Summary, summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import MISSING, ItemVerdict
from bn_conformance.text import counted, number, one_line, plain

MOST_PROBLEMS = 20
"""Problems that are shown of each verdict; the reports have all."""

MOST_MISSING = 10
"""Missing items that are named."""

FEWEST = 14
"""Columns that a name must have at least; a longer one goes on in the next line."""


def print_summary(results: Results, console: Console) -> None:
    """Print what a run found: the matrix, then what goes wrong, then what a person should know and do."""
    _Printer(summarise(results), console).print()


class _Printer(Lines):
    def __init__(self, summary: Summary, console: Console) -> None:
        super().__init__(console)
        self.summary = summary

    def print(self) -> None:
        summary = self.summary
        self._matrix()
        absent = [implementation for implementation in summary.implementations if implementation.environment.message]
        broken = [implementation for implementation in absent if implementation.environment.status == "broken"]
        self._absent("Broken", broken)
        self._problems(ItemVerdict.FAIL, "Failures")
        self._problems(ItemVerdict.KNOWN, "Known faults: understood, and no reason to fail the run")
        self._problems(ItemVerdict.WARN, "Warnings: no reason to fail the run")
        self._conventions()
        self._absent("Not installed", [implementation for implementation in absent if implementation not in broken])
        stale = summary.results.stale_faults
        self.section(
            "Known faults that are gone: delete these entries",
            (f"{fault.file}:{fault.line} {fault.entry}: {one_line(fault.message)}" for fault in stale),
        )
        self.section("Not judged", not_judged_lines(summary.implementations))
        self._missing()
        self._legend()
        self._next()
        self._diagnoses()
        self._closing()

    def _absent(self, title: str, implementations: Sequence[ImplementationSummary]) -> None:
        """Implementations that were not judged, with why."""
        self.section(title, (f"{entry.name}: {one_line(entry.environment.message)}" for entry in implementations))

    def _matrix(self) -> None:
        """The matrix in words where the width allows, in signs where not, as a list where even that is too wide."""
        for words in (True, False):
            rows = [self._row(implementation, words) for implementation in self.summary.implementations]
            head = ["", "implementation", *map(self.encodable, self.summary.families)]
            widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
            gap = 2 if words else 1
            room = self.console.width - sum(widths[2:]) - widths[0] - gap * (len(widths) - 1)
            if room >= (widths[1] if words else min(widths[1], FEWEST)):
                break
        else:
            self._list()
            return
        table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
        for column, title in enumerate(head):
            folds = column == 1 and room < widths[1]
            table.add_column(Text(title), no_wrap=not folds, overflow="fold", width=room if folds else None)
        for row, implementation in zip(rows, self.summary.implementations, strict=True):
            styles = [
                implementation.sign.colour,
                "",
                *(self._style(implementation.families.get(name)) for name in self.summary.families),
            ]
            if len(row[1]) > room:
                row[1] = row[1].replace("[", "\n  [", 1)
            table.add_row(*(Text(cell, style=style) for cell, style in zip(row, styles, strict=True)))
        self.console.print(table)
        self._key()

    def _key(self) -> None:
        """What the signs in the matrix say, what its numbers count, and what its families are."""
        tallies = [tally for one in self.summary.implementations for tally in one.families.values()]
        states = [one.sign for one in self.summary.implementations]
        shown = signs_explained([*states, *(tally.sign for tally in tallies)])
        self.beside((f"{sign.symbol} {sign.meaning}", sign.colour) for sign in shown)
        if any(tally.at_worst for tally in tallies):
            self.line(CELL_MEANING, "dim")
        titles = {family: family_title(family) for family in self.summary.families if tallies}
        if titles:
            self.line(", ".join(f"{family} {title}" for family, title in titles.items() if title), "dim")

    def _row(self, implementation: ImplementationSummary, words: bool) -> list[str]:
        cells = [self._cell(implementation.families.get(family), words) for family in self.summary.families]
        name = self.encodable(one_line(implementation.name))
        return [self.encodable(implementation.sign.symbol), name, *map(self.encodable, cells)]

    @staticmethod
    def _cell(tally: Tally | None, words: bool) -> str:
        """The sign of the gravest verdict and how many cases have it, in words with the gravest outcome."""
        if tally is None:
            return ""
        word = f" {tally.kind.name} " if words else ""
        return f"{tally.sign.symbol}{word}{tally.at_worst or ''}".strip()

    @staticmethod
    def _style(tally: Tally | None) -> str:
        return tally.sign.colour if tally else ""

    def _list(self) -> None:
        for implementation in self.summary.implementations:
            self.line(
                f"{implementation.sign.symbol} {implementation.name}: {implementation.headline}",
                implementation.sign.colour,
                hang=2,
            )
            bad = [(name, tally) for name, tally in implementation.families.items() if tally.at_worst]
            if bad:
                self.line(", ".join(f"{name} {self._cell(tally, False)}" for name, tally in bad), indent=2)
        self._key()

    def _problems(self, verdict: ItemVerdict, title: str) -> None:
        """What has a verdict, the gravest first; what is missing has a part of its own."""
        problems = [problem for problem in self.summary.problems(verdict) if problem.outcome != MISSING]
        if problems:
            name, colon, meaning = title.partition(":")
            cases = counted(sum(len(problem.entries) for problem in problems), "case")
            self.title(f"{name} ({cases}){colon}{meaning}")
        told: set[str] = set()
        for problem in problems[:MOST_PROBLEMS]:
            self._problem(problem)
            if verdict is ItemVerdict.FAIL:
                self._numbers(problem)
            if verdict in (ItemVerdict.FAIL, ItemVerdict.WARN):
                self._clause(problem, told)
            if verdict is ItemVerdict.FAIL and problem.example.item.reproduce:
                self.line("run it again:", "dim", indent=6)
                self.command(problem.example.item.reproduce, indent=6)
        if len(problems) > MOST_PROBLEMS:
            self.line(f"and {len(problems) - MOST_PROBLEMS} more; bnconform report shows all", "dim", indent=2)

    def _problem(self, problem: SharedProblem) -> None:
        """What is wrong and where, in a sentence."""
        example = problem.example
        where = ", ".join(f"{part.implementation} ({counted(len(part.entries), 'case')})" for part in problem.parts)
        ratio = example.worst.ratio if example.worst else None
        up_to = "" if ratio is None or problem.verdict == ItemVerdict.FAIL else f", ratio up to {number(ratio)}"
        said = example.item.known_fault or f"{problem.sentence}{up_to}"
        self.line(f"{example.sign.symbol} {said}: {where}", example.sign.colour, indent=2, hang=2)

    def _numbers(self, problem: SharedProblem) -> None:
        """The worst number of a failure, and the case that gave it."""
        entry, worst = problem.example, problem.example.worst
        if worst and expected_and_got(worst):
            self.line("; ".join(filter(None, (expected_and_got(worst), error_and_allowed(worst)))), indent=6)
        if entry.why and one_line(entry.why) != problem.what:
            self.line(entry.why, indent=6)
        at = f"{place(worst.name, worst.index)} of " if worst else ""
        which = (", the worst case" if worst else ", for example") if len(problem.entries) > 1 else ""
        self.line(f"{'at' if worst else 'in'} {at}{entry.item.case}{which}", indent=6)

    def _clause(self, problem: SharedProblem, told: set[str]) -> None:
        """The text of the clause that decides, the first time it is met; an error under several clauses has none."""
        if len(problem.clauses) > 1 and not problem.quantities:
            return
        clause = self.summary.clauses.get(problem.example.clause)
        if clause and clause.id not in told:
            told.add(clause.id)
            self.line(f"{clause.id} ({clause.requirement}): {clause.text}", "dim", indent=6)

    def _diagnoses(self) -> None:
        diagnoses = self.summary.results.diagnoses
        if diagnoses:
            self.title("Diagnosis")
        for diagnosis in diagnoses:
            first, *further = diagnosis.message.splitlines() or [""]
            self.line(f"{diagnosis.implementation}: {first}", indent=2, hang=2)
            for line in further:
                self.line(line, indent=4, hang=2)

    def _conventions(self) -> None:
        """Choices that differ within the matrix, and nonstandard ones with what they mean."""
        choices: dict[str, dict[str, list[str]]] = {}
        nonstandard: dict[tuple[str, str], list[str]] = {}
        for implementation in self.summary.implementations:
            for name, value in implementation.environment.convention.items():
                choices.setdefault(name, {}).setdefault(plain(value), []).append(implementation.name)
            for name, meaning in implementation.environment.nonstandard.items():
                nonstandard.setdefault((name, meaning), []).append(implementation.name)
        differing = {name: values for name, values in choices.items() if len(values) > 1}
        self.section(
            "Conventions that differ: legitimate, but to be converted",
            (_differing(name, values) for name, values in differing.items()),
        )
        self.section(
            "Nonstandard conventions: unusual, declared, and judged as declared",
            (f"{', '.join(names)}: {name}: {meaning}" for (name, meaning), names in nonstandard.items()),
        )

    def _missing(self) -> None:
        results = self.summary.results
        missing = () if results.interrupted else results.missing()
        more = [f"and {len(missing) - MOST_MISSING} more"] if len(missing) > MOST_MISSING else []
        self.section(f"{MISSING.title()}: planned, but never reported", iter([*missing[:MOST_MISSING], *more]))

    def _legend(self) -> None:
        """The outcomes in the matrix and among the problems, a line each."""
        told = {
            problem.outcome
            for verdict in (ItemVerdict.FAIL, ItemVerdict.KNOWN, ItemVerdict.WARN)
            for problem in self.summary.problems(verdict)[:MOST_PROBLEMS]
        }
        cells = {
            tally.worst for implementation in self.summary.implementations for tally in implementation.families.values()
        }
        rows = explained(told | cells)
        if any(problem.example.worst for problem in self.summary.problems(ItemVerdict.WARN)):
            rows.append(("ratio", RATIO_MEANING))
        self.glossary("What the words mean", rows)

    def _next(self) -> None:
        """Commands that help with what fails."""
        failing = [problem for problem in self.summary.problems(ItemVerdict.FAIL) if problem.outcome != MISSING]
        if not failing:
            return
        self.title("What to do next")
        self.line("see the data of a case, with code to paste:", indent=2)
        self.command(f"bnconform show {shlex.quote(failing[0].example.case.id)}", indent=4)
        self.line("write all of this as one HTML page:", indent=2)
        self.command(f"bnconform report {shlex.quote(self.summary.results.path)}", indent=4)

    def _closing(self) -> None:
        summary, verdicts = self.summary, self.summary.tally.verdicts
        self.console.print()
        for note in summary.notes:
            self.line(f"Note: {note}", "yellow")
        counts = ", ".join(
            f"{verdicts[verdict]:,} {VERDICT_COUNTS[verdict]}" for verdict in ItemVerdict if verdicts[verdict]
        )
        self.line(f"{items(summary)}{': ' * bool(counts)}{counts}")
        self.line(summary.headline, "bold")


def items(summary: Summary) -> str:
    """How many items there are: cases of one implementation, or pairs of an implementation and a case."""
    if len(summary.implementations) == 1:
        return counted(summary.tally.total, "case")
    return f"{counted(summary.tally.total, 'item')} (one implementation on one case each)"


def _differing(name: str, values: dict[str, list[str]]) -> str:
    """A choice with its most frequent value, and who makes another."""
    usual = max(values, key=lambda value: len(values[value]))
    others = (f"{value} in {', '.join(names)}" for value, names in values.items() if value != usual)
    return f"{name}: {usual}, but {'; '.join(others)}"
