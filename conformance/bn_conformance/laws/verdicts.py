"""Running and judging the laws of a case: the trials of each law, and a verdict on each of its claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.comparison.array import judge
from bn_conformance.hosting.host import Host
from bn_conformance.laws.claims import NoNumbers, TrialResult
from bn_conformance.laws.statements import LAWS, Law
from bn_conformance.laws.trials import Setup, Trial, base_of, run_trial
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.golden.expected import Expected


def observe_laws(
    case: Case, data: CaseData, host: Host, explicit_update: bool, standing: list[int]
) -> dict[str, tuple[Trial, ...]]:
    """Run the trials of every law of a case, and append the numbers of the layers that are built to `standing`.

    Returns:
        The trials, by the name of the law.

    Raises:
        LayerError: the implementation raised.
        HostLost: its process is gone.
    """
    trials = {}
    for name in case.laws:
        setups = setups_of(name, case, data)
        trials[name] = tuple(run_trial(host, setup, explicit_update, standing) for setup in setups)
    return trials


def setups_of(name: str, case: Case, data: CaseData) -> Sequence[Setup]:
    """The setups that a law makes of a case."""
    return LAWS[name].setups(base_of(case, data))


def configs_of_laws(case: Case, data: CaseData) -> tuple[LayerConfig, ...]:
    """The configurations beside that of the case of the layers that its laws build: another eps, or another layout."""
    configs = dict.fromkeys(setup.config for name in case.laws for setup in setups_of(name, case, data))
    return tuple(config for config in configs if config != case.config)


def judge_laws(case: Case, convention: Convention, trials: Mapping[str, tuple[Trial, ...]]) -> Iterator[Quantity]:
    """Judge each claim of each law; each gives a quantity."""
    for name, trials_of_law in trials.items():
        law = LAWS[name]
        clauses = (law.clause, *(clause for clause in case.clauses if clause != law.clause))
        try:
            yield from _claims(law, [TrialResult(trial, convention) for trial in trials_of_law], clauses, case)
        except NoNumbers as fault:
            message, clauses = str(fault), (*clauses, "DTYPE-1")
            yield Quantity(name=f"law.{name}", outcome=outcomes.WRONG, clauses=clauses, message=message)


def _claims(
    law: Law, outcomes_of_trials: list[TrialResult], clauses: tuple[str, ...], case: Case
) -> Iterator[Quantity]:
    for claim in law.claims(outcomes_of_trials):
        name = f"law.{law.name}.{claim.name}" if claim.name else f"law.{law.name}"
        expected = Expected(claim.values, claim.allowed)
        quantity = judge(name, expected, claim.got, 0, clauses, nonfinite_alike=case.nonfinite_alike)
        yield replace(quantity, ulp=None)  # the unit of a sum, or of a difference, says nothing
