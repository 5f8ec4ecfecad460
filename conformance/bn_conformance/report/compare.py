"""What changed between two runs, so that a person is told only that.

An item is *good* when it passes or warns, *bad* when it fails or is missing, and otherwise *excused*: a known fault, or
unsupported. What got worse makes `Comparison.regressed`; what merely changed does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import MISSING, Verdict, outcome_rank
from bn_conformance.results.records import Environment, Item, StaleFault, split_id

if TYPE_CHECKING:
    from rich.console import Console

MOST_LINES = 40
"""Lines that are printed of each part."""

_GOOD = (Verdict.PASS, Verdict.WARN)


@dataclass(frozen=True)
class Change:
    """One item in both runs; None where a run does not have it."""

    id: str
    old: Item | None
    new: Item | None

    @property
    def sentence(self) -> str:
        """Before and after, in words."""
        return f"{self.id}: {_said(self.old)} -> {_said(self.new)}"


@dataclass(frozen=True)
class Redeclared:
    """A choice of convention that an implementation declares otherwise than before; None where it did not say."""

    implementation: str
    choice: str
    old: Any
    new: Any
    nonstandard: bool
    """Whether the new value is nonstandard."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed from an old run to a new one.

    Attributes:
        new_failures: bad now, and not bad before (a case that is new and bad is one of them).
        fixed: bad or a known fault before, good now.
        warned: passed before, warns now.
        newly_excused: judged before, a known fault now.
        dropped: good before, unsupported now: a capability that is no longer declared.
        changed_level: another outcome, with the same verdict; `worse` says which of them got worse.
        conventions: choices that are declared otherwise.
        versions: per implementation and distribution, the version before and after.
        appeared: implementations that are judged now and were not before.
        vanished: implementations that were judged before and are not even named now.
        not_installed: implementations that were judged before and cannot be now, with the reason.
        appeared_cases: cases that the old run does not have.
        vanished_cases: cases that the new run does not have.
        stale_faults: known-fault entries that the new run found stale and the old did not.
        same_suite: whether both runs were judged by the same version of the suite.
        cut_off: whether the new run did not come to its end.
    """

    new_failures: tuple[Change, ...]
    fixed: tuple[Change, ...]
    warned: tuple[Change, ...]
    newly_excused: tuple[Change, ...]
    dropped: tuple[Change, ...]
    changed_level: tuple[Change, ...]
    conventions: tuple[Redeclared, ...]
    versions: tuple[tuple[str, str, str, str], ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    not_installed: tuple[tuple[str, str], ...]
    appeared_cases: tuple[str, ...]
    vanished_cases: tuple[str, ...]
    stale_faults: tuple[StaleFault, ...]
    same_suite: bool
    cut_off: bool

    @property
    def regressed(self) -> bool:
        """Whether something got worse: new failures or warnings, stale entries, or less that is judged.

        Cases that vanished count only within one version of the suite: another version may have other cases.
        """
        lost = self.vanished or self.not_installed or self.dropped or (self.same_suite and self.vanished_cases)
        return bool(self.new_failures or self.warned or self.stale_faults or lost or self.cut_off)

    @property
    def empty(self) -> bool:
        """Whether nothing at all changed."""
        parts = (getattr(self, name) for name in self.__dataclass_fields__ if name not in ("same_suite", "cut_off"))
        return self.same_suite and not self.cut_off and not any(parts)


def worse(change: Change) -> bool:
    """Whether the outcome of an item is graver than before."""
    return bool(change.old and change.new and outcome_rank(change.new.outcome) > outcome_rank(change.old.outcome))


def compare(old: Results, new: Results) -> Comparison:
    """Compare two runs, item by item. Linear in the items."""
    before, after = _items(old), _items(new)
    changes = [Change(name, before.get(name), item) for name, item in after.items()]
    both = [change for change in changes if change.old and change.old != change.new]
    old_ok, new_ok = _judged(old), _judged(new)
    named = {environment.implementation: environment for environment in new.environments}
    lost = [name for name in old_ok if name not in new_ok]
    old_cases, new_cases = ({case.id: None for case in one.header.cases} for one in (old, new))
    known_stale = {(stale.file, stale.entry) for stale in old.stale_faults}
    return Comparison(
        new_failures=tuple(filter(_newly_bad, changes)),
        fixed=tuple(one for one in both if _is(one.new, _GOOD) and (_bad(one.old) or _is(one.old, (Verdict.KNOWN,)))),
        warned=tuple(one for one in both if _is(one.old, (Verdict.PASS,)) and _is(one.new, (Verdict.WARN,))),
        newly_excused=tuple(
            one for one in both if not _is(one.old, (Verdict.KNOWN,)) and _is(one.new, (Verdict.KNOWN,))
        ),
        dropped=tuple(one for one in both if _is(one.old, _GOOD) and _is(one.new, (Verdict.UNSUPPORTED,))),
        changed_level=tuple(
            one
            for one in both
            if one.old and one.new and one.old.outcome != one.new.outcome and one.old.verdict == one.new.verdict
        ),
        conventions=tuple(_redeclared(old_ok, new_ok)),
        versions=tuple(_versions(old_ok, new_ok)),
        appeared=tuple(name for name in new_ok if name not in old_ok),
        vanished=tuple(name for name in lost if name not in named),
        not_installed=tuple((name, named[name].message or named[name].status) for name in lost if name in named),
        appeared_cases=tuple(name for name in new_cases if name not in old_cases),
        vanished_cases=tuple(name for name in old_cases if name not in new_cases),
        stale_faults=tuple(stale for stale in new.stale_faults if (stale.file, stale.entry) not in known_stale),
        same_suite=old.header.suite == new.header.suite,
        cut_off=new.end is None,
    )


def _items(results: Results) -> dict[str, Item]:
    """Items by id, in which what is missing stands as such."""
    items = {item.id: item for item in results.items}
    for planned in results.missing():
        implementation, case = split_id(planned)
        items[planned] = Item(implementation=implementation, case=case, outcome=MISSING, verdict=Verdict.FAIL)
    return items


def _is(item: Item | None, verdicts: Sequence[str]) -> bool:
    return item is not None and item.verdict in verdicts


def _bad(item: Item | None) -> bool:
    return _is(item, (Verdict.FAIL,))


def _newly_bad(change: Change) -> bool:
    """Whether an item is bad now and was not; what failed to report before and is wrong now is news too."""
    was_missing = change.old is not None and change.old.outcome == MISSING
    return _bad(change.new) and (not _bad(change.old) or (was_missing and change.new != change.old))


def _said(item: Item | None) -> str:
    if item is None:
        return "not there"
    return item.outcome if item.verdict in (Verdict.PASS, item.outcome) else f"{item.outcome} ({item.verdict})"


def _judged(results: Results) -> dict[str, Environment]:
    return {
        environment.implementation: environment for environment in results.environments if environment.status == "ok"
    }


def _redeclared(old: Mapping[str, Environment], new: Mapping[str, Environment]) -> Iterator[Redeclared]:
    for name, after in new.items():
        before = old[name].convention if name in old else after.convention
        for choice in dict.fromkeys([*before, *after.convention]):
            values = before.get(choice), after.convention.get(choice)
            if values[0] != values[1]:
                yield Redeclared(name, choice, *values, choice in after.nonstandard)


def _versions(old: Mapping[str, Environment], new: Mapping[str, Environment]) -> Iterator[tuple[str, str, str, str]]:
    for name, after in new.items():
        before = old[name].versions if name in old else after.versions
        for distribution in dict.fromkeys([*before, *after.versions]):
            versions = before.get(distribution, "none"), after.versions.get(distribution, "none")
            if versions[0] != versions[1]:
                yield name, distribution, *versions


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print what changed; each part only where there is something in it, and what got worse first."""
    from bn_conformance.report.terminal import Lines

    lines = Lines(console)

    def part(title: str, entries: Iterable[str], style: str = "") -> None:
        found = list(entries)
        if found:
            lines.title(f"{title} ({len(found)})", style)
        for entry in found[:MOST_LINES]:
            lines.line(entry, indent=2)
        if len(found) > MOST_LINES:
            lines.line(f"and {len(found) - MOST_LINES} more", "dim", indent=2)

    part("New failures", map(_with_reason, comparison.new_failures), "bold red")
    part("New warnings", map(_with_reason, comparison.warned), "bold yellow")
    part(
        "No longer judged: implementations that cannot run now", (f"{n}: {why}" for n, why in comparison.not_installed)
    )
    part("No longer judged: implementations that are gone", comparison.vanished)
    part("No longer supported", (change.sentence for change in comparison.dropped))
    part(
        "Known-fault entries that are stale now",
        (f"{one.file}:{one.line} {one.message}" for one in comparison.stale_faults),
    )
    part("Fixed", (change.sentence for change in comparison.fixed), "bold green")
    part("Known faults now", map(_with_reason, comparison.newly_excused))
    part("Worse level, same verdict", (one.sentence for one in comparison.changed_level if worse(one)))
    part("Better level, same verdict", (one.sentence for one in comparison.changed_level if not worse(one)))
    part(
        "Changed conventions",
        (
            f"{one.implementation} {one.choice}: {one.old} -> {one.new}{' (nonstandard)' * one.nonstandard}"
            for one in comparison.conventions
        ),
    )
    part("Changed versions", (f"{name} {what}: {old} -> {new}" for name, what, old, new in comparison.versions))
    part("New implementations", comparison.appeared)
    part("New cases", comparison.appeared_cases)
    part("Cases that are gone", comparison.vanished_cases)
    if not comparison.same_suite:
        lines.line("Note: the two runs were judged by different versions of the suite.", "yellow")
    if comparison.cut_off:
        lines.line("Note: the new run did not come to its end; its file was cut off.", "yellow")
    verdict = (
        "Nothing changed."
        if comparison.empty
        else "Something got worse."
        if comparison.regressed
        else "Nothing got worse."
    )
    lines.line(verdict, "bold")


def _with_reason(change: Change) -> str:
    reason = change.new and (change.new.known_fault or change.new.message)
    return f"{change.sentence}{f': {reason}' if reason else ''}"
