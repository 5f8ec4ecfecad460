"""The summary that a terminal shows after a run. It needs no colour, and fits itself to the width."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bn_conformance.report.entries import Tally
from bn_conformance.report.faults import Fault
from bn_conformance.report.levels import KINDS, readable
from bn_conformance.report.summary import Implementation, Summary, summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import MISSING, Verdict
from bn_conformance.text import counted, element, exact_number, number, one_line, plain

MOST_FAULTS = 20
"""Faults that are shown of each verdict; the reports have all."""

FEWEST = 14
"""Columns that a name must have at least; a longer one goes on in the next line."""

_STYLES = {"ok": "green", "warn": "yellow", "known": "magenta", "fail": "bold red", "absent": "dim"}
_SYMBOL_STYLES = {"✓": "green", "▲": "yellow", "◆": "magenta", "✕": "bold red", "?": "dim", "–": "dim"}
_ASCII = str.maketrans({"✓": "+", "▲": "!", "✕": "x", "◆": "*", "–": "-", "…": "."})


def print_summary(results: Results, console: Console) -> None:
    """Print what a run found: the matrix, then faults in groups, then what else a person should know."""
    _Printer(summarise(results), console).print()


class Lines:
    """Lines of text of results, as any terminal can show them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ascii_only = console.options.ascii_only

    def line(self, text: str, style: str = "", indent: int = 0) -> None:
        """One line of text, wrapped with its indent; text of results is never taken as markup."""
        shown = Text(self.plain(one_line(text, 1000)), style=style, overflow="fold")
        self.console.print(Padding(shown, (0, 0, 0, indent), expand=False), highlight=False)

    def command(self, text: str, indent: int = 0) -> None:
        """A command to copy: never broken into lines."""
        shown = Text(" " * indent + self.plain(one_line(text, 1000)), style="cyan")
        self.console.print(shown, highlight=False, soft_wrap=True)

    def title(self, text: str, style: str = "bold") -> None:
        """An empty line and a title."""
        self.console.print()
        self.line(text, style or "bold")

    def section(self, title: str, lines: Iterable[str]) -> None:
        """A title and lines under it; nothing where there are no lines."""
        for place, line in enumerate(lines):
            if place == 0:
                self.title(title)
            self.line(line, indent=2)

    def plain(self, text: str) -> str:
        """The text as the terminal's encoding can show it."""
        return text.translate(_ASCII).encode("ascii", "replace").decode() if self.ascii_only else text


class _Printer(Lines):
    def __init__(self, summary: Summary, console: Console) -> None:
        super().__init__(console)
        self.summary = summary

    def print(self) -> None:
        summary = self.summary
        self._matrix()
        self._faults(Verdict.FAIL, "Failures")
        self.section("Diagnosis", (f"{one.implementation}: {one.message}" for one in summary.results.diagnoses))
        self._faults(Verdict.KNOWN, "Known faults")
        self._faults(Verdict.WARN, "Warnings")
        self._conventions()
        absent = [one for one in summary.implementations if one.environment.message]
        self.section("Not installed, or broken", (f"{one.name}: {one_line(one.environment.message)}" for one in absent))
        stale = summary.results.stale_faults
        self.section(
            "Stale known-fault entries",
            (f"{one.file}:{one.line} {one.entry}: {one_line(one.message)}" for one in stale),
        )
        self._missing()
        self._closing()

    def _matrix(self) -> None:
        """The matrix in words where the width allows, in letters where not, as a list where even that is too wide."""
        for words in (True, False):
            rows = [self._row(one, words) for one in self.summary.implementations]
            head = ["", "implementation", *map(self.plain, self.summary.families)]
            widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
            gap = 2 if words else 1
            room = self.console.width - sum(widths[2:]) - widths[0] - gap * (len(widths) - 1)
            if room >= (widths[1] if words else min(widths[1], FEWEST)):
                break
        else:
            self._list()
            return
        table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False)
        for place, title in enumerate(head):
            folds = place == 1 and room < widths[1]
            table.add_column(Text(title), no_wrap=not folds, overflow="fold", width=room if folds else None)
        for row, one in zip(rows, self.summary.implementations, strict=True):
            styles = [_STYLES[one.state], "", *(self._style(one.families.get(name)) for name in self.summary.families)]
            if len(row[1]) > room:
                row[1] = row[1].replace("[", "\n  [", 1)
            table.add_row(*(Text(cell, style=style) for cell, style in zip(row, styles, strict=True)))
        self.console.print(table)
        if not words:
            used = {tally.kind for one in self.summary.implementations for tally in one.families.values()}
            legend = ", ".join(f"{kind.letter} {kind.name}" for kind in KINDS if kind in used)
            self.line(f"{legend}; with how many cases fail, or only warn (lower case)", "dim")

    def _row(self, one: Implementation, words: bool) -> list[str]:
        cells = [self._cell(one.families.get(family), words) for family in self.summary.families]
        return [self.plain(one.symbol), self.plain(one_line(one.name)), *map(self.plain, cells)]

    @staticmethod
    def _cell(tally: Tally | None, words: bool) -> str:
        """The gravest outcome, and how many cases fail or warn; in words those that warn have a symbol."""
        if tally is None:
            return ""
        mark, count = tally.mark, str(tally.at_worst or "")
        known = "◆" if tally.verdict == Verdict.KNOWN else ""
        if not words:
            return f"{known}{mark.letter}{count}"
        name = {"degraded": "degr.", "unsupported": "unsup.", "not-judged": "n/j"}.get(tally.kind.name, tally.kind.name)
        return f"{mark.symbol if count else ''}{name} {count}".strip()

    @staticmethod
    def _style(tally: Tally | None) -> str:
        return _SYMBOL_STYLES[tally.mark.symbol] if tally else ""

    def _list(self) -> None:
        for one in self.summary.implementations:
            self.line(f"{one.symbol} {one.name}: {one.headline}", _STYLES[one.state])
            bad = [(name, tally) for name, tally in one.families.items() if tally.at_worst]
            if bad:
                self.line(", ".join(f"{name} {self._cell(tally, True)}" for name, tally in bad), indent=2)

    def _faults(self, verdict: Verdict, title: str) -> None:
        """What has a verdict, the gravest first; what is missing has a part of its own."""
        faults = [fault for fault in self.summary.faults(verdict) if fault.outcome != MISSING]
        if faults:
            self.title(f"{title} ({counted(sum(len(fault.entries) for fault in faults), 'case')})")
        explained: set[str] = set()
        for fault in faults[:MOST_FAULTS]:
            self._fault(fault)
            if verdict is Verdict.FAIL:
                self._details(fault, explain=fault.example.clause not in explained)
                explained.add(fault.example.clause)
        if len(faults) > MOST_FAULTS:
            self.line(f"and {len(faults) - MOST_FAULTS} more; bnconform report shows all", "dim", indent=2)

    def _fault(self, fault: Fault) -> None:
        example = fault.example
        who = ", ".join(f"{group.implementation} ({len(group.entries)})" for group in fault.groups)
        ratio = example.worst.ratio if example.worst else None
        up_to = "" if ratio is None or fault.verdict == Verdict.FAIL else f", ratio up to {number(ratio)}"
        what = f"{readable(fault.outcome)} {', '.join(fault.clauses)} {fault.what}{up_to}"
        said = example.item.known_fault or what
        self.line(f"{example.mark.symbol} {said}: {who}", _SYMBOL_STYLES[example.mark.symbol], indent=2)

    def _details(self, fault: Fault, explain: bool) -> None:
        entry, worst = fault.example, fault.example.worst
        if explain and entry.clause in self.summary.clauses:
            self.line(self.summary.clauses[entry.clause].text, "dim", indent=6)
        self.line(f"{'worst' if len(fault.entries) > 1 else 'in'} {entry.item.id}", indent=6)
        if worst and worst.error is not None:
            self.line(
                f"{worst.name}{element(worst.index)}: expected {exact_number(worst.expected)}, got "
                f"{exact_number(worst.got)}, error {number(worst.error)}, allowed {number(worst.bound)}, "
                f"ratio {number(worst.ratio)}",
                indent=6,
            )
        if entry.why and one_line(entry.why) != fault.what:
            self.line(entry.why, indent=6)
        if entry.item.reproduce:
            self.command(entry.item.reproduce, indent=6)

    def _conventions(self) -> None:
        """Choices that differ within the matrix, and nonstandard ones with what they mean."""
        choices: dict[str, dict[str, list[str]]] = {}
        nonstandard: dict[tuple[str, str], list[str]] = {}
        for one in self.summary.implementations:
            for name, value in one.environment.convention.items():
                choices.setdefault(name, {}).setdefault(plain(value), []).append(one.name)
            for name, meaning in one.environment.nonstandard.items():
                nonstandard.setdefault((name, meaning), []).append(one.name)
        differing = {name: values for name, values in choices.items() if len(values) > 1}
        self.section("Conventions that differ", (_differing(name, values) for name, values in differing.items()))
        self.section(
            "Nonstandard conventions",
            (f"{', '.join(names)}: {name}: {meaning}" for (name, meaning), names in nonstandard.items()),
        )

    def _missing(self) -> None:
        missing = self.summary.results.missing()
        more = [f"and {len(missing) - 10} more"] if len(missing) > 10 else []
        self.section(f"{MISSING.title()}: planned, but never reported", iter([*missing[:10], *more]))

    def _closing(self) -> None:
        summary, verdicts = self.summary, self.summary.tally.verdicts
        self.console.print()
        for note in summary.notes:
            self.line(f"Note: {note}", "yellow")
        counts = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict if verdicts[verdict])
        self.line(f"{counted(summary.tally.total, 'item')}{': ' * bool(counts)}{counts}")
        self.line(summary.headline, "bold")


def _differing(name: str, values: dict[str, list[str]]) -> str:
    """A choice with its most frequent value, and who makes another."""
    usual = max(values, key=lambda value: len(values[value]))
    others = (f"{value} in {', '.join(names)}" for value, names in values.items() if value != usual)
    return f"{name}: {usual}, but {'; '.join(others)}"
