"""The numbers that steer the diagnosis: how much it tries, and what it counts as near.

They decide which deviations are tried and how long, never a verdict: every bound of a verdict is derived in
`bn_reference.bounds`. They were set by `python -m tests.measure.diagnosed`, which diagnoses the whole catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """All tuning constants of the diagnosis."""

    # How much it computes.
    budget: float = 24_000.0
    """Steps that are computed for one implementation, in all mutants. When they are spent, what was found by then is
    told. On a core of 2026 they take about 3 s; most diagnoses need a twentieth of them. A case of thirty steps costs
    as many times all deviations, which must fit."""

    # Which failing cases of an implementation are examined.
    cases_in_all: int = 16
    """Failing cases examined together: some of every symptom."""
    cases_of_an_edge: int = 3
    """Failing cases examined at each of the usual edges."""
    steps_per_case: int = 40
    """Steps that an examined case may have: every mutant runs all of them."""
    numbers_of_a_step: int = 200
    """As many numbers take the time that a step takes whatever its size."""
    numbers_of_work: int = 10_000
    """As many numbers take the time that a small step takes when a mutant is compared with a case."""
    numbers_of_a_witness: int = 20_000
    """Size of the largest cases that a candidate is compared with, unless they are examined."""
    unexplained_cases: int = 4
    """Cases without an explanation after which no more are examined: each of them costs the whole catalogue."""
    cases_without_pair: int = 1
    """Cases that no pair explains after which no more pairs are tried: they would cost seconds and find nothing."""

    # Which deviations are tried on an examined case.
    part_of_a_look: float = 0.6
    """Part of the budget that a look at every deviation may take: with the rest it is checked what was found."""
    clearly_nearer: float = 0.9
    """A deviation is looked at closely if its distance to some wrong number is less than this part of the distance
    of the layer without it."""
    tried_with_allowance: int = 24
    """Single deviations that are tried with every allowance: those that come nearest."""
    tried_beside_others: int = 8
    """As many are tried with every allowance where others explain the case without: those may do so by luck."""
    noticeable_difference: float = 1e-3
    """By how much the weight of what a mutant leaves unexplained must differ from the reference layer's. A mutant that
    leaves just what the reference layer leaves has no part in the failure."""
    leaders: int = 3
    """Nearest deviations that are tried in a pair with every other one."""
    partners: int = 8
    """Nearest deviations that are tried in pairs among themselves."""

    # What counts as a match.
    bound_growth: float = 4.0
    """How many times a mutant may exceed the bounds, which are derived for the reference layer's arithmetic."""
    nearer: float = 0.5
    """A mutant is nearer to an observation than the reference layer is if its distance is at most this part."""
    most_factor: float = 1e30
    """Factor by which a number is too far at which its weight stops growing: infinities are no worse."""
    weight_without_numbers: float = 1e6
    """Weight of a residual without numbers to compare, such as an error that one run raises alone; also the most that a
    distance weighs."""

    # How a diagnosis is checked against all other cases.
    candidates: int = 12
    """Candidates that are compared with cases that nobody examined."""
    witnesses: int = 60
    """Passing cases in which a candidate acts that it is compared with."""
    explained_for_a_contradiction: int = 8
    """Cases that a candidate must explain wholly for each passing case that may contradict it."""
    witnesses_for_confidence: int = 8
    """Witnesses that must agree before a diagnosis is confident."""
    tied_candidates: int = 4
    """Candidates without a contradiction that more cases are to tell apart."""
    cases_to_tell_apart: int = 2000
    """Further passing cases that are to tell apart candidates that rank alike."""
    cases_more: int = 80
    """Cases that were not asked and that are looked at to tell candidates apart; few of them are run."""
    tie_breakers: int = 60
    """Failing cases that nobody examined and that are to tell candidates apart."""
    alike: int = 3
    """Other deviations that are named where no case tells them apart."""


TUNING = Tuning()
"""The values in use."""
