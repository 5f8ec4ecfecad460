"""What changed between two runs, so that a person is told only that.

An item is *good* when it passes, warns or is refused as it may be, *bad* when it fails or is missing, *silent* when
nothing of it was judged, and otherwise *excused*: a known fault. What got worse makes `Changes.regressed`; what merely
changed does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import MISSING, RIGHT, SILENT, ItemVerdict, outcome_rank
from bn_conformance.results.records import CaseInfo, Environment, Item, StaleFault, split_id
from bn_conformance.user_error import UserError

_GOOD, _NOT_ASKED = (*RIGHT, ItemVerdict.WARN), (ItemVerdict.NOT_ASKED,)

_NO_CHANGE = frozenset({"same_suite", "cut_off", "both", "cases", "left_out"})
"""Fields of `Changes` that are no change of a judgement."""


@dataclass(frozen=True)
class ItemChange:
    """One item in both runs; None where a run does not have it."""

    id: str
    old: Item | None
    new: Item | None

    @property
    def implementation(self) -> str:
        """The implementation's name."""
        return split_id(self.id)[0]

    @property
    def case(self) -> str:
        """The case's id."""
        return split_id(self.id)[1]

    @property
    def same_verdict(self) -> bool:
        """Whether both runs have it, with the same outcome and verdict."""
        old, new = self.old, self.new
        return bool(old and new and (old.outcome, old.verdict) == (new.outcome, new.verdict))

    def went(self, before: Sequence[ItemVerdict], after: Sequence[ItemVerdict]) -> bool:
        """Whether its verdict was one of `before` and is one of `after`."""
        return _is(self.old, before) and _is(self.new, after)

    @property
    def changed_level(self) -> bool:
        """Whether it has another outcome, with the same verdict or one that is as good."""
        old, new = self.old, self.new
        if not (old and new) or old.outcome == new.outcome:
            return False
        return old.verdict == new.verdict or self.went((*RIGHT, ItemVerdict.NOT_JUDGED), RIGHT)

    @property
    def newly_bad(self) -> bool:
        """Whether it is bad now and was not. What failed to report before and is wrong now is news too."""
        was_missing = self.old is not None and self.old.outcome == MISSING
        return _is(self.new, (ItemVerdict.FAIL,)) and (
            not _is(self.old, (ItemVerdict.FAIL,)) or (was_missing and self.new != self.old)
        )

    @property
    def worse(self) -> bool:
        """Whether its outcome is graver than before."""
        return bool(self.old and self.new and outcome_rank(self.new.outcome) > outcome_rank(self.old.outcome))


@dataclass(frozen=True)
class ConventionChange:
    """A choice of convention that an implementation declares otherwise than before; None where it did not say."""

    implementation: str
    choice: str
    old: Any
    new: Any
    nonstandard: bool
    """Whether the new value is nonstandard."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed from an old run to a new one.

    Attributes:
        new_failures: bad now, and not bad before (a case that is new and bad is one of them).
        fixed: bad or a known fault before, good now.
        warned: passed before, warns now.
        newly_excused: judged before, a known fault now.
        dropped: good before, and not judged or not supported now, such as a capability that is no longer declared.
        changed_level: another outcome, with the same verdict or one that is as good; `ItemChange.worse` says which
            of them got worse.
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
        both: every item that both runs have and that is not just the same.
        cases: the cases of both runs, by id.
        left_out: what was not compared, in words; empty where all was.
    """

    new_failures: tuple[ItemChange, ...]
    fixed: tuple[ItemChange, ...]
    warned: tuple[ItemChange, ...]
    newly_excused: tuple[ItemChange, ...]
    dropped: tuple[ItemChange, ...]
    changed_level: tuple[ItemChange, ...]
    conventions: tuple[ConventionChange, ...]
    versions: tuple[tuple[str, str, str, str], ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    not_installed: tuple[tuple[str, str], ...]
    appeared_cases: tuple[str, ...]
    vanished_cases: tuple[str, ...]
    stale_faults: tuple[StaleFault, ...]
    same_suite: bool
    cut_off: bool
    both: tuple[ItemChange, ...]
    cases: Mapping[str, CaseInfo]
    left_out: str = ""

    @property
    def part_of(self) -> bool:
        """Whether the new run lacks cases or implementations of the old one, or asks fewer, and has none of its own."""
        fewer = self.vanished or self.vanished_cases or any(_is(change.new, _NOT_ASKED) for change in self.dropped)
        return bool(fewer) and not (self.appeared or self.appeared_cases)

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
        parts = (getattr(self, name) for name in self.__dataclass_fields__ if name not in _NO_CHANGE)
        return self.same_suite and not self.cut_off and not any(parts)


def changes_between(old: Results, new: Results) -> Changes:
    """Compare two runs, item by item. Linear in the items."""
    before, after = _items(old), _items(new)
    changes = [ItemChange(name, before.get(name), item) for name, item in after.items()]
    both = [change for change in changes if change.old and change.old != change.new]
    old_ok, new_ok = _judged(old), _judged(new)
    named = {environment.implementation: environment for environment in new.environments}
    lost = [name for name in old_ok if name not in new_ok]
    old_cases, new_cases = ({case.id: None for case in results.header.cases} for results in (old, new))
    known_stale = {(stale.file, stale.entry) for stale in old.stale_faults}
    not_known = [verdict for verdict in ItemVerdict if verdict is not ItemVerdict.KNOWN]

    def which(before: Sequence[ItemVerdict], after: Sequence[ItemVerdict]) -> tuple[ItemChange, ...]:
        return tuple(change for change in both if change.went(before, after))

    return Changes(
        new_failures=tuple(change for change in changes if change.newly_bad),
        fixed=which((ItemVerdict.FAIL, ItemVerdict.KNOWN), _GOOD),
        warned=which((*RIGHT, ItemVerdict.NOT_JUDGED), (ItemVerdict.WARN,)),
        newly_excused=which(not_known, (ItemVerdict.KNOWN,)),
        dropped=which(_GOOD, SILENT),
        changed_level=tuple(change for change in both if change.changed_level),
        conventions=tuple(_convention_changes(old_ok, new_ok)),
        versions=tuple(_versions(old_ok, new_ok)),
        appeared=tuple(name for name in new_ok if name not in old_ok),
        vanished=tuple(name for name in lost if name not in named),
        not_installed=tuple((name, named[name].message or named[name].status) for name in lost if name in named),
        appeared_cases=tuple(name for name in new_cases if name not in old_cases),
        vanished_cases=tuple(name for name in old_cases if name not in new_cases),
        stale_faults=tuple(stale for stale in new.stale_faults if (stale.file, stale.entry) not in known_stale),
        same_suite=old.header.suite == new.header.suite,
        cut_off=new.end is None,
        both=tuple(both),
        cases={case.id: case for results in (old, new) for case in results.header.cases},
    )


def common_changes(old: Results, new: Results) -> Changes:
    """Compare what both runs have asked: items of the one alone are left out, which `left_out` says.

    Raises:
        UserError: they have nothing in common, so that nothing would be compared.
    """
    names = set(_judged(old)) & set(_judged(new))
    asked = [{item.id for item in run.items if not _is(item, _NOT_ASKED)} for run in (old, new)]
    items = {item.id for item in old.items if item.implementation in names} & asked[0] & asked[1]
    if not items:
        raise UserError(f"{old.path} and {new.path} have no item in common: there is nothing to compare")
    parts = [_part(results, items, names) for results in (old, new)]
    said = (
        f"{len(part.items):,} of {len(results.items):,} items of the {which} run"
        for part, results, which in zip(parts, (old, new), ("old", "new"), strict=True)
    )
    return replace(changes_between(*parts), left_out=" and ".join(said))


def _part(results: Results, items: Collection[str], names: Collection[str]) -> Results:
    """Results of these items of these implementations alone."""
    kept = tuple(item for item in results.items if item.id in items and item.implementation in names)
    cases = {item.case for item in kept}
    header = replace(
        results.header,
        cases=tuple(case for case in results.header.cases if case.id in cases),
        implementations=tuple(name for name in results.header.implementations if name in names),
        planned=tuple(item.id for item in kept),
    )
    environments = tuple(entry for entry in results.environments if entry.implementation in names)
    return replace(results, header=header, items=kept, environments=environments)


def _items(results: Results) -> dict[str, Item]:
    """Items by id; planned items that never reported are there with the outcome `missing`."""
    items = {item.id: item for item in results.items}
    for planned in results.missing():
        implementation, case = split_id(planned)
        items[planned] = Item(implementation=implementation, case=case, outcome=MISSING, verdict=ItemVerdict.FAIL)
    return items


def _is(item: Item | None, verdicts: Sequence[str]) -> bool:
    return item is not None and item.verdict in verdicts


def _judged(results: Results) -> dict[str, Environment]:
    return {
        environment.implementation: environment for environment in results.environments if environment.status == "ok"
    }


def _convention_changes(old: Mapping[str, Environment], new: Mapping[str, Environment]) -> Iterator[ConventionChange]:
    for name, after in new.items():
        before = old[name].convention if name in old else after.convention
        for choice, values in _differing(before, after.convention, None):
            yield ConventionChange(name, choice, *values, choice in after.nonstandard)


def _versions(old: Mapping[str, Environment], new: Mapping[str, Environment]) -> Iterator[tuple[str, str, str, str]]:
    for name, after in new.items():
        before = old[name].versions if name in old else after.versions
        for distribution, values in _differing(before, after.versions, "none"):
            yield name, distribution, *values


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], absent: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Names whose values differ, with both values; `absent` stands for one that is not there."""
    for name in dict.fromkeys([*old, *new]):
        values = old.get(name, absent), new.get(name, absent)
        if values[0] != values[1]:
            yield name, values
