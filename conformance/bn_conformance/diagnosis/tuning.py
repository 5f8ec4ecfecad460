"""The numbers that steer the diagnosis: how much it tries, and what it counts as near.

They decide which deviations are tried and how long, never a verdict: every bound of a verdict is derived in
`bn_reference.bounds`. They were set by `python -m tests.measure.diagnosed`, which diagnoses the whole catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """All tuning constants of the diagnosis."""

    # Which failing cases of an implementation are examined.
    cases_per_clause: int = 3
    """Failing cases examined for each deciding clause: more of one clause tell little that is new."""
    cases_per_family: int = 4
    """Failing cases examined in each family. Sequences come late and tell apart what a single step does not, so earlier
    families must leave room for them."""
    cases_in_all: int = 24
    """Failing cases examined for one implementation."""
    steps_per_case: int = 40
    """Steps that an examined case may have: every mutant runs all of them."""
    unexplained_cases: int = 6
    """Cases without an explanation after which no more are examined: each of them costs the whole catalogue."""
    cases_without_pair: int = 2
    """Cases that no pair explains after which no more pairs are tried: they would cost minutes and find nothing."""

    # Which deviations are tried on an examined case.
    tried_with_allowance: int = 24
    """Single deviations that are tried with every allowance: those that come nearest."""
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
    parts_of_pairs: int = 16
    """Deviations from which pairs are formed, those that explain most cases first."""
    witnesses: int = 160
    """Cases that a candidate is compared with; at most about half of them fail."""
    witnesses_for_confidence: int = 8
    """Witnesses that must agree before a diagnosis is confident."""
    tied_candidates: int = 4
    """Candidates without a contradiction that more cases are to tell apart."""
    tie_breakers: int = 250
    """Further cases that are tried to tell tied candidates apart."""


TUNING = Tuning()
"""The values in use."""
