"""Diagnosis of an implementation: the deviation, or two, that explain its failures and contradict nothing that passes.

It is made from the records of a run: which deviations explain each failing case that was examined
(`bn_conformance.diagnosis.search`), and which cases pass. It never guesses: where nothing explains everything, it says
so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from bn_conformance.adapter import Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.search import MOST_STEPS
from bn_conformance.results.outcomes import Verdict
from bn_conformance.results.records import Diagnosis, Item
from bn_conformance.text import counted
from bn_reference.deviations import Deviation, catalogue

WITNESSES = 160
"""Cases that a candidate is compared with, failing ones first."""

FEWEST_WITNESSES = 8
"""Cases that a candidate must agree with before anybody can be sure of it."""

MOST_CANDIDATES = 12
"""Candidates that are compared with passing cases."""


MOST_TIED, MOST_APART = 4, 250
"""Candidates that explain a failure equally well and are told apart by more cases, and how many of those."""


@dataclass(frozen=True)
class _Candidate:
    """Deviations that act together, and where they disagree with the implementation."""

    deviations: tuple[Deviation, ...]
    contradictions: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.deviations)


def diagnose(
    implementation: str, convention: Convention, items: Iterable[Item], predictions: Predictions | None = None
) -> Diagnosis | None:
    """The diagnosis of one implementation; None where no failing item was examined.

    Args:
        implementation: its name.
        convention: what it declares.
        items: its items.
        predictions: under its convention, where those of an earlier diagnosis are at hand.
    """
    predictions = predictions or Predictions(convention)
    items = list(items)
    examined = [item for item in items if item.explained_by is not None and item.verdict == Verdict.FAIL.value]
    if not examined:
        return None
    explained = [set(item.explained_by or ()) for item in examined]
    candidates = _candidates(explained)
    witnesses = _witnesses(items)
    ranked = _ranked(candidates, predictions, witnesses)
    best = [one for one in ranked if one.contradictions == 0]
    best = _told_apart(best[:MOST_TIED], predictions, items, witnesses) + best[MOST_TIED:]
    if best:
        return Diagnosis(
            implementation=implementation,
            deviations=best[0].names,
            message=_words(best, len(examined), len(witnesses)),
            confident=len(witnesses) >= FEWEST_WITNESSES and _at_once(best[0].names, explained),
            examined=len(examined),
        )
    return Diagnosis(
        implementation=implementation,
        deviations=(),
        message=_partial(explained, ranked),
        confident=False,
        examined=len(examined),
    )


def _candidates(explained: Sequence[set[str]]) -> list[tuple[str, ...]]:
    """Single deviations that explain every examined case; else pairs of which each explains some, or both together."""
    singles = set.intersection(*explained)
    found: list[tuple[str, ...]] = [(name,) for name in catalogue() if name in singles]
    found += [tuple(name.split("+")) for name in sorted(singles) if "+" in name]
    if found:
        return found[:MOST_CANDIDATES]
    counts = Counter(name for names in explained for name in names if "+" not in name)
    counts.update(part for names in explained for name in names if "+" in name for part in set(name.split("+")))
    likely = [name for name, _ in counts.most_common(16)]
    pairs: list[tuple[str, ...]] = [
        (one, other)
        for one, other in combinations(likely, 2)
        if all(names & {one, other, "+".join(sorted((one, other)))} for names in explained)
    ]
    return pairs[:MOST_CANDIDATES]


def _at_once(names: Sequence[str], explained: Iterable[set[str]]) -> bool:
    """Whether some case shows all of the deviations together.

    Two of which each explains cases of its own fit more easily than what was never tried together deserves.
    """
    return len(names) == 1 or any("+".join(sorted(names)) in found for found in explained)


def _usable(items: Iterable[Item]) -> list[Item]:
    return [
        item
        for item in items
        if item.case in all_cases()
        and len(all_cases()[item.case].steps) <= MOST_STEPS
        and item.verdict in (Verdict.FAIL.value, Verdict.PASS.value)
    ]


def _witnesses(items: Sequence[Item]) -> list[Item]:
    """Items that a candidate must agree with: failing ones, and passing ones spread over all cases."""
    usable = _usable(items)
    failing = [item for item in usable if item.verdict == Verdict.FAIL.value]
    passing = [item for item in usable if item.verdict == Verdict.PASS.value]
    failing = failing[:: len(failing) // (WITNESSES // 2) + 1]
    return failing + passing[:: len(passing) // (WITNESSES - len(failing)) + 1]


def _ranked(
    candidates: Iterable[tuple[str, ...]], predictions: Predictions, witnesses: Sequence[Item]
) -> list[_Candidate]:
    """The candidates by the witnesses that contradict them; of equals, choices of a convention before mistakes.

    No more contradictions are counted than the best one has and one more.
    """
    found: list[_Candidate] = []
    for names in candidates:
        deviations = tuple(catalogue()[name] for name in names)
        contradicting = (item for item in witnesses if _contradicts(predictions, deviations, item))
        most = min((one.contradictions + 1 for one in found), default=len(witnesses))
        found.append(_Candidate(deviations, sum(1 for _ in islice(contradicting, most))))
    return sorted(found, key=lambda one: (one.contradictions, not all(entry.convention for entry in one.deviations)))


def _contradicts(predictions: Predictions, deviations: Sequence[Deviation], item: Item) -> bool:
    return predictions.contradicts(deviations, item, all_cases()[item.case])


def _told_apart(
    tied: list[_Candidate], predictions: Predictions, items: Sequence[Item], witnesses: Sequence[Item]
) -> list[_Candidate]:
    """Those of several candidates that go on to agree with the implementation, over cases that were no witnesses yet.

    Cases of the clauses that the candidates break come first: they are the likeliest to tell one from the other.
    """
    clauses = {entry.clause for one in tied for entry in one.deviations}
    seen = {item.case for item in witnesses}
    others = [item for item in _usable(items) if item.case not in seen]
    others.sort(key=lambda item: clauses.isdisjoint(all_cases()[item.case].clauses))
    for item in others[:MOST_APART]:
        if len(tied) < 2:
            break
        tied = [one for one in tied if not _contradicts(predictions, one.deviations, item)]
    return tied


def _all(examined: int) -> str:
    if examined == 1:
        return "the one failing case that was examined"
    return f"all {examined} failing cases that were examined"


def _words(best: Sequence[_Candidate], examined: int, witnesses: int) -> str:
    first = best[0]
    what = " and ".join(
        f"{entry.name}: {entry.sentence[0].lower()}{entry.sentence[1:].rstrip('.')}" for entry in first.deviations
    )
    declared = [f"{name}={value!r}" for entry in first.deviations for name, value in entry.convention.items()]
    advice = f"; if that is meant, declare {', '.join(declared)}" if declared else ""
    others = [" and ".join(one.names) for one in best[1:4]]
    also = f" (these cases cannot tell it from {' or '.join(others)})" if others else ""
    return f"{what}{advice}. It explains {_all(examined)}{also} and agrees with {witnesses} others."


def _partial(explained: Sequence[set[str]], ranked: Sequence[_Candidate]) -> str:
    if ranked:
        nearest = ranked[0]
        return (
            f"no known deviation explains it; nearest is {' and '.join(nearest.names)}, which explains what fails and "
            f"contradicts {counted(nearest.contradictions, 'other case')}"
        )
    counts = Counter(name for names in explained for name in names)
    if not counts:
        return "no known deviation explains it"
    name, count = counts.most_common(1)[0]
    return f"no known deviation explains all of it; {name} explains {count} of {len(explained)} failing cases"
