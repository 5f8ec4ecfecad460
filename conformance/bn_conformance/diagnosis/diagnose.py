"""Diagnoses an implementation: one deviation, or two, that explain its failures and contradict no case that passes.

A diagnosis is made from the records of a run: the deviations that explain each examined failing case
(`bn_conformance.diagnosis.search`), and the cases that pass. It never guesses: where nothing explains everything, it
says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from bn_conformance.adapter import Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Diagnosis, Item
from bn_conformance.text import counted
from bn_reference.deviations import Deviation, catalogue


@dataclass(frozen=True)
class _Candidate:
    """Deviations that act together, and how many cases contradict them."""

    deviations: tuple[Deviation, ...]
    contradictions: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(deviation.name for deviation in self.deviations)

    @property
    def is_convention(self) -> bool:
        """Whether an implementation could declare all of it."""
        return all(deviation.convention for deviation in self.deviations)


def diagnose(
    implementation: str, convention: Convention, items: Iterable[Item], predictions: Predictions | None = None
) -> Diagnosis | None:
    """The diagnosis of one implementation; None where no failing item was examined.

    Args:
        implementation: its name.
        convention: what it declares.
        items: its items.
        predictions: under its convention, where an earlier diagnosis has made some; they are slow to make.
    """
    predictions = predictions or Predictions(convention)
    items = list(items)
    examined = [item for item in items if item.explained_by is not None and item.verdict == ItemVerdict.FAIL.value]
    if not examined:
        return None
    explanations = [set(item.explained_by or ()) for item in examined]
    witnesses = _witnesses(items)
    ranked = _ranked(_candidates(explanations), predictions, witnesses)
    agreeing = [candidate for candidate in ranked if candidate.contradictions == 0]
    tied, rest = agreeing[: TUNING.tied_candidates], agreeing[TUNING.tied_candidates :]
    agreeing = _told_apart(tied, predictions, items, witnesses) + rest
    if not agreeing:
        return Diagnosis(
            implementation=implementation,
            deviations=(),
            message=_without_diagnosis(explanations, ranked),
            confident=False,
            examined=len(examined),
        )
    first = agreeing[0]
    enough = len(witnesses) >= TUNING.witnesses_for_confidence
    return Diagnosis(
        implementation=implementation,
        deviations=first.names,
        message=_sentence(agreeing, len(examined), len(witnesses)),
        confident=enough and _shown_together(first.names, explanations),
        examined=len(examined),
    )


def _candidates(explanations: Sequence[set[str]]) -> list[tuple[str, ...]]:
    """Singles and pairs that explain every examined case; else pairs, of which each case needs the one or the other."""
    everywhere = set.intersection(*explanations)
    candidates: list[tuple[str, ...]] = [(name,) for name in catalogue() if name in everywhere]
    candidates += [tuple(name.split("+")) for name in sorted(everywhere) if "+" in name]
    if candidates:
        return candidates[: TUNING.candidates]
    counts = Counter(name for names in explanations for name in names if "+" not in name)
    counts.update(part for names in explanations for name in names if "+" in name for part in set(name.split("+")))
    likely = [name for name, _ in counts.most_common(TUNING.parts_of_pairs)]
    pairs: list[tuple[str, ...]] = [
        pair for pair in combinations(likely, 2) if all(names & {*pair, _joined(pair)} for names in explanations)
    ]
    return pairs[: TUNING.candidates]


def _joined(names: Sequence[str]) -> str:
    """The name of several deviations that act together."""
    return "+".join(sorted(names))


def _shown_together(names: Sequence[str], explanations: Iterable[set[str]]) -> bool:
    """Whether some case shows all of the deviations together.

    Two deviations of which each explains other cases fit easily, and nobody has tried them together.
    """
    return len(names) == 1 or any(_joined(names) in explanation for explanation in explanations)


def _usable(items: Iterable[Item]) -> list[Item]:
    """Items of cases that mutants can run, with a verdict that they can agree with."""
    return [
        item
        for item in items
        if item.case in all_cases()
        and len(all_cases()[item.case].steps) <= TUNING.steps_per_case
        and item.verdict in (ItemVerdict.FAIL.value, ItemVerdict.PASS.value)
    ]


def _witnesses(items: Sequence[Item]) -> list[Item]:
    """Items that a candidate must agree with, failing ones and passing ones, spread over all cases."""
    usable = _usable(items)
    failing = [item for item in usable if item.verdict == ItemVerdict.FAIL.value]
    passing = [item for item in usable if item.verdict == ItemVerdict.PASS.value]
    failing = failing[:: len(failing) // (TUNING.witnesses // 2) + 1]
    return failing + passing[:: len(passing) // (TUNING.witnesses - len(failing)) + 1]


def _ranked(
    candidates: Iterable[tuple[str, ...]], predictions: Predictions, witnesses: Sequence[Item]
) -> list[_Candidate]:
    """The candidates by how many witnesses contradict them; of equals, those that could be declared come first.

    Counting stops at one contradiction more than the best candidate has.
    """
    ranked: list[_Candidate] = []
    for names in candidates:
        deviations = tuple(catalogue()[name] for name in names)
        contradicting = (item for item in witnesses if _contradicts(predictions, deviations, item))
        most = min((candidate.contradictions + 1 for candidate in ranked), default=len(witnesses))
        ranked.append(_Candidate(deviations, sum(1 for _ in islice(contradicting, most))))
    return sorted(ranked, key=lambda candidate: (candidate.contradictions, not candidate.is_convention))


def _contradicts(predictions: Predictions, deviations: Sequence[Deviation], item: Item) -> bool:
    return predictions.contradicts(deviations, item, all_cases()[item.case])


def _told_apart(
    tied: list[_Candidate], predictions: Predictions, items: Sequence[Item], witnesses: Sequence[Item]
) -> list[_Candidate]:
    """Those of several candidates that agree with further cases too.

    Cases of the clauses that the candidates break come first, since they are likeliest to tell one from another.
    """
    clauses = {deviation.clause for candidate in tied for deviation in candidate.deviations}
    compared = {item.case for item in witnesses}
    others = [item for item in _usable(items) if item.case not in compared]
    others.sort(key=lambda item: clauses.isdisjoint(all_cases()[item.case].clauses))
    for item in others[: TUNING.tie_breakers]:
        if len(tied) < 2:
            break
        tied = [candidate for candidate in tied if not _contradicts(predictions, candidate.deviations, item)]
    return tied


def _sentence(agreeing: Sequence[_Candidate], examined: int, witnesses: int) -> str:
    """The diagnosis in words: the deviation, what to declare if it is meant, and what speaks for it."""
    first = agreeing[0]
    what = " and ".join(
        f"{deviation.name}: {deviation.sentence[0].lower()}{deviation.sentence[1:].rstrip('.')}"
        for deviation in first.deviations
    )
    declared = [f"{name}={value!r}" for deviation in first.deviations for name, value in deviation.convention.items()]
    advice = f"; if that is meant, declare {', '.join(declared)}" if declared else ""
    others = [" and ".join(candidate.names) for candidate in agreeing[1:4]]
    alike = f" (these cases cannot tell it from {' or '.join(others)})" if others else ""
    explained = "the one failing case" if examined == 1 else f"all {examined} failing cases"
    return (
        f"{what}{advice}. It explains {explained} that {'was' if examined == 1 else 'were'} examined{alike} "
        f"and agrees with {witnesses} others."
    )


def _without_diagnosis(explanations: Sequence[set[str]], ranked: Sequence[_Candidate]) -> str:
    """What comes nearest where nothing explains all."""
    if ranked:
        nearest = ranked[0]
        return (
            f"no known deviation explains it; nearest is {' and '.join(nearest.names)}, which explains what fails and "
            f"contradicts {counted(nearest.contradictions, 'other case')}"
        )
    counts = Counter(name for names in explanations for name in names)
    if not counts:
        return "no known deviation explains it"
    name, count = counts.most_common(1)[0]
    return f"no known deviation explains all of it; {name} explains {count} of {len(explanations)} failing cases"
