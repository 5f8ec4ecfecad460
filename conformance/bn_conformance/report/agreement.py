"""Which implementations agree: in every case that two ran, is it the same that conforms and the same that fails?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from bn_conformance.report.entries import Entry
from bn_conformance.report.summary import ImplementationSummary, Summary
from bn_conformance.results.outcomes import ItemVerdict

_FAILS = (ItemVerdict.FAIL.value, ItemVerdict.KNOWN.value)


@dataclass(frozen=True)
class Pair:
    """Two implementations side by side.

    Attributes:
        choices: choices of the convention in which they differ; None where one of them declares no convention.
        both: cases in which both were judged.
        apart: of these, cases in which one fails and the other does not.
    """

    choices: int | None
    both: int
    apart: int


@dataclass(frozen=True)
class Agreement:
    """How far the implementations of a run agree.

    Attributes:
        names: implementations of which something was judged.
        pairs: every two of them, in both orders.
        groups: those of which no two are told apart by any case that both ran, and which share at least half of their
            cases; only groups of two and more.
    """

    names: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Pair]
    groups: tuple[tuple[str, ...], ...]


def agreement_of(summary: Summary) -> Agreement:
    """How far the implementations of a run agree. The time is that of all pairs times the cases."""
    fails = {
        one.name: judged for one in summary.implementations if (judged := {e.case.id: _fails(e) for e in _judged(one)})
    }
    declared = {one.name: one.environment.convention for one in summary.implementations}
    pairs: dict[tuple[str, str], Pair] = {}
    for a, b in combinations(fails, 2):
        shared = fails[a].keys() & fails[b].keys()
        apart = sum(fails[a][case] != fails[b][case] for case in shared)
        known = declared[a].keys() & declared[b].keys()
        choices = sum(declared[a][name] != declared[b][name] for name in known) if known else None
        pairs[a, b] = pairs[b, a] = Pair(choices, len(shared), apart)
    groups: list[list[str]] = []
    for name in fails:
        fitting = (
            group
            for group in groups
            if all(_alike(pairs[name, member], max(len(fails[name]), len(fails[member]))) for member in group)
        )
        group = next(fitting, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return Agreement(tuple(fails), pairs, tuple(tuple(group) for group in groups if len(group) > 1))


def _judged(implementation: ImplementationSummary) -> list[Entry]:
    return [entry for entry in implementation.entries if entry.sign.name != "absent"]


def _fails(entry: Entry) -> bool:
    return entry.item.verdict in _FAILS


def _alike(pair: Pair, judged: int) -> bool:
    return not pair.apart and 2 * pair.both >= judged
