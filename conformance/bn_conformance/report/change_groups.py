"""Changed items that changed in the same way, told once: what changed, of whom, by how much, in which cases.

Items are alike if they went from the same outcome to the same outcome, under the same clause and for the same reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from bn_conformance.report.changes import Changes, ItemChange
from bn_conformance.report.entries import Entry, badness
from bn_conformance.report.legend import readable
from bn_conformance.report.problems import key, quantity_kind
from bn_conformance.report.quantity_text import error_and_allowed, expected_and_got, place
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import CaseInfo, Item
from bn_conformance.text import counted, number, one_line

MOVED = 2.0
"""A margin moved where the largest ratio of error to allowed error grew or shrank by this factor."""

NOTICED = 0.05
"""A ratio below this is far from any bound: its growth is not told."""

MOST_CASES = 3
"""Cases that a group names."""


@dataclass(frozen=True)
class ChangeGroup:
    """Changed items that are alike.

    Attributes:
        changes: the items, the gravest first.
        before: the outcome before, in words.
        after: the outcome now, in words.
        clauses: that decide, the most frequent first.
        quantities: that are worst in some item, the most frequent first.
        reason: a message or the known fault, where one is told.
        old_ratio: largest ratio of error to allowed error before; None where nothing has one.
        new_ratio: the same, now.
    """

    changes: tuple[ItemChange, ...]
    before: str
    after: str
    clauses: tuple[str, ...]
    quantities: tuple[str, ...]
    reason: str
    old_ratio: float | None
    new_ratio: float | None

    @property
    def implementations(self) -> dict[str, int]:
        """Implementations with their number of items, the most first."""
        return dict(Counter(change.implementation for change in self.changes).most_common())

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases, each once."""
        return tuple(dict.fromkeys(change.case for change in self.changes))

    @property
    def example(self) -> ItemChange:
        """The gravest item."""
        return self.changes[0]

    @property
    def margin(self) -> str:
        """How far from its bound the worst item was and is: `ratio 0.3 -> 1.4`; empty where neither has a ratio."""
        if self.old_ratio is None and self.new_ratio is None:
            return ""
        old, new = ("none" if ratio is None else number(ratio) for ratio in (self.old_ratio, self.new_ratio))
        return f"ratio {old} -> {new}"

    @property
    def who(self) -> str:
        """The implementations in words: `torch.nn (3 cases), flax.linen (1 case)`."""
        return ", ".join(f"{name} ({counted(count, 'case')})" for name, count in self.implementations.items())

    @property
    def where(self) -> str:
        """The cases in words: the first ones, and how many more there are."""
        more = len(self.cases) - MOST_CASES
        return ", ".join(self.cases[:MOST_CASES]) + (f" and {counted(more, 'more case')}" if more > 0 else "")

    @property
    def sentence(self) -> str:
        """What changed: `y: tight -> wrong, clause FWD-1, ratio 0.3 -> 900`."""
        what = f"{', '.join(self.quantities)}: " if self.quantities else ""
        clauses = f"clause{'s' * (len(self.clauses) > 1)} {', '.join(self.clauses)}" if self.clauses else ""
        return f"{what}{', '.join(filter(None, (self.outcomes, clauses, self.margin)))}"

    @property
    def outcomes(self) -> str:
        """The outcome before and now, once where it is the same: `tight -> wrong (fail)`."""
        return self.after if self.before == self.after else f"{self.before} -> {self.after}"

    @property
    def numbers(self) -> str:
        """Expected and got of the gravest item now, and where; empty where it has no numbers."""
        item = self.example.new
        worst = None if item is None else max(item.quantities, key=badness, default=None)
        if item is None or worst is None or not expected_and_got(worst):
            return ""
        return f"{place(worst.name, worst.index)} of {item.case}: {expected_and_got(worst)}; {error_and_allowed(worst)}"


def groups(changes: Iterable[ItemChange], cases: Mapping[str, CaseInfo], by_old: bool = False) -> list[ChangeGroup]:
    """Put changes together that are alike, the largest group first.

    Args:
        changes: of items.
        cases: by id.
        by_old: whether the old item says what is alike: of what is fixed, the problem that is gone.

    Returns:
        The groups. What passed before is alike whatever its level was.
    """
    members: dict[tuple[object, ...], list[tuple[ItemChange, Entry]]] = {}
    for change in changes:
        item = change.old if by_old else change.new
        assert item is not None
        entry = Entry(item, cases[change.case], max(item.quantities, key=badness, default=None))
        members.setdefault((_level(change), *key(entry)), []).append((change, entry))
    made = [_group(pairs) for pairs in members.values()]
    return sorted(made, key=lambda group: -len(group.changes))


def _level(change: ItemChange) -> tuple[str, str] | None:
    """The outcomes before and now where only the level changed, which then is what is told."""
    return (outcome_in_words(change.old), outcome_in_words(change.new)) if change.changed_level else None


def _in_words(items: Iterable[Item | None]) -> str:
    """The outcomes of items, the most frequent first."""
    return " or ".join(name for name, _ in Counter(map(outcome_in_words, items)).most_common())


def outcome_in_words(item: Item | None) -> str:
    """The outcome of an item, and its verdict where that says more; `not there` for none."""
    if item is None:
        return "not there"
    shown = readable(item.outcome)
    return shown if item.verdict in (ItemVerdict.PASS, item.outcome) else f"{shown} ({item.verdict})"


def _group(pairs: Sequence[tuple[ItemChange, Entry]]) -> ChangeGroup:
    worst_first = sorted(pairs, key=lambda pair: pair[1].badness, reverse=True)
    entries = [entry for _, entry in worst_first]
    changes = tuple(change for change, _ in worst_first)
    clauses = Counter(entry.clause for entry in entries if entry.clause)
    quantities = Counter(quantity_kind(entry.worst.name) for entry in entries if entry.worst)
    return ChangeGroup(
        changes,
        _in_words(change.old for change in changes),
        _in_words(change.new for change in changes),
        tuple(clause for clause, _ in clauses.most_common()),
        tuple(name for name, _ in quantities.most_common()),
        one_line(entries[0].item.known_fault or entries[0].why),
        largest_ratio(change.old for change in changes),
        largest_ratio(change.new for change in changes),
    )


def largest_ratio(items: Iterable[Item | None]) -> float | None:
    """The largest ratio of error to allowed error; NaN counts as infinite; None where nothing has one."""
    ratios = (quantity.ratio for item in items if item is not None for quantity in item.quantities)
    return max((ratio if ratio == ratio else inf for ratio in ratios if ratio is not None), default=None)


def moved_margins(changes: Iterable[ItemChange]) -> list[ItemChange]:
    """Items of unchanged outcome and verdict whose largest ratio grew or shrank by the factor `MOVED`."""
    return [change for change in changes if change.same_verdict and _moved(change)]


def _moved(change: ItemChange) -> bool:
    old, new = largest_ratio([change.old]), largest_ratio([change.new])
    if old is None or new is None or max(old, new) < NOTICED:
        return False
    low, high = sorted((old, new))
    return high > MOVED * low


@dataclass(frozen=True)
class Part:
    """One part of a comparison: its title, whether it makes things worse, and its groups or lines."""

    name: str
    title: str
    worse: bool
    groups: tuple[ChangeGroup, ...] = ()
    lines: tuple[str, ...] = ()
    cases: int = 0

    @property
    def count(self) -> int:
        """Number of items, of cases where a line stands for several, or of lines."""
        return self.cases or sum(len(group.changes) for group in self.groups) or len(self.lines)


def change_parts(changes: Changes) -> list[Part]:
    """The parts of a comparison that hold anything: what got worse first, then what got better, then the rest."""
    cases = changes.cases
    worse = [change for change in changes.changed_level if change.worse]
    better = [change for change in changes.changed_level if not change.worse]

    def part(name: str, title: str, items: Iterable[ItemChange], worse: bool = False, by_old: bool = False) -> Part:
        return Part(name, title, worse, tuple(groups(items, cases, by_old)))

    conventions = (
        f"{one.implementation}, {one.choice}: {one.old} -> {one.new}{' (nonstandard)' * one.nonstandard}"
        for one in changes.conventions
    )
    versions = (f"{name}, {distribution}: {old} -> {new}" for name, distribution, old, new in changes.versions)
    stale = (f"{fault.file}:{fault.line} {fault.message}" for fault in changes.stale_faults)
    cannot = (f"{name}: {reason}" for name, reason in changes.not_installed)
    all_parts = (
        part("new-failures", "Fail now and did not before", changes.new_failures, worse=True),
        part("new-warnings", "Warn now and passed before", changes.warned, worse=True),
        Part("not-installed", "Implementations that cannot run any more", True, lines=tuple(cannot)),
        Part("vanished", "Implementations that are gone", True, lines=changes.vanished),
        part("dropped", "Cases that are not judged any more", changes.dropped, worse=True),
        Part("stale", "Known faults that are gone: delete these entries", True, lines=tuple(stale)),
        _cases_part("vanished-cases", "Cases that are gone", changes.same_suite, changes.vanished_cases),
        part("fixed", "Fixed", changes.fixed, by_old=True),
        part("newly-excused", "On the list of known faults now", changes.newly_excused),
        part("worse-level", "Worse outcome, same verdict", worse),
        part("better-level", "Better outcome, same verdict", better),
        part("margins", "Margins that moved, same outcome", moved_margins(changes.both)),
        Part("conventions", "Changed conventions", False, lines=tuple(conventions)),
        Part("versions", "Changed versions", False, lines=tuple(versions)),
        Part("appeared", "New implementations", False, lines=changes.appeared),
        _cases_part("appeared-cases", "New cases, judged for the first time", False, changes.appeared_cases),
    )
    return [one for one in all_parts if one.count]


def _cases_part(name: str, title: str, worse: bool, cases: Sequence[str]) -> Part:
    """Cases as a part with a line for each family: `edge: 12 cases, edge/nc/float32/empty and 11 more`."""
    families: dict[str, list[str]] = {}
    for case in cases:
        families.setdefault(case.partition("/")[0], []).append(case)
    lines = (f"{family}: {_first(members)}" for family, members in families.items())
    return Part(name, title, worse, lines=tuple(lines), cases=len(cases))


def _first(cases: Sequence[str]) -> str:
    more = f" and {len(cases) - 1:,} more" if cases[1:] else ""
    return f"{counted(len(cases), 'case')}, {cases[0]}{more}"


def verdict(changes: Changes) -> str:
    """The verdict on a comparison, in a line."""
    if changes.empty:
        return "✓ Nothing changed."
    if not changes.regressed:
        return "✓ Nothing got worse."
    worse = [counted(len(changes.new_failures), "new failure")] * bool(changes.new_failures)
    worse += [counted(len(changes.warned), "new warning")] * bool(changes.warned)
    return f"✕ Something got worse{': ' * bool(worse)}{' and '.join(worse)}."


def notes(changes: Changes) -> list[str]:
    """What a reader of a comparison must know first."""
    said = []
    if changes.left_out:
        said.append(f"Compared only what both runs have: {changes.left_out}.")
    if not changes.same_suite:
        said.append("The two runs were judged by different versions of the suite.")
    if changes.cut_off:
        said.append("The new run did not end; its file was cut off.")
    if changes.part_of:
        said.append("The new run is a part of the old one. If that is meant, compare with --common.")
    return said
