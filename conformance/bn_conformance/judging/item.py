"""One item of the matrix: a case on an implementation, from building the layer to the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.hosting.host import Host, HostLost, LayerError
from bn_conformance.judging.begun import Begun, begin_case
from bn_conformance.judging.case import quantities_of
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.original import judge_original
from bn_conformance.judging.refusal import refuses
from bn_conformance.observing.observation import Observation
from bn_conformance.observing.observe import observe
from bn_conformance.observing.pipeline import Pipeline
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.results.records import Item, Quantity
from bn_reference.arithmetic.quad import quietly

SOUND = 2
"""Rank of the level `stable`, the worst that a sound algorithm has."""

Runs = tuple[Observation, Observation | None]
"""What a case gave, and what it gave when it was repeated on a fresh layer; None where it is not."""


@dataclass(frozen=True)
class Policy:
    """What decides a verdict, given a level.

    Attributes:
        threshold: the worst level that passes or warns.
        requirements: MUST, SHOULD or MAY, by id of the clause.
    """

    threshold: Threshold
    requirements: Mapping[str, str]

    def requirement(self, case: Case) -> str:
        """MUST or SHOULD: that of the case's first clause."""
        return self.requirements.get(case.clauses[0], "MUST")


def run_case(
    implementation: str,
    case: Case,
    host: Host,
    convention: Convention,
    goldens: Goldens,
    policy: Policy,
    begun: Begun | None = None,
    then: Callable[[], None] = lambda: None,
) -> Item:
    """Observe a case (twice if it is a case with `repeat`), judge it, and record it.

    Errors of the implementation end up in the record; none is raised.

    Args:
        implementation: its name, for the record.
        case: the case.
        host: where its layers run.
        convention: what it declares.
        goldens: of this and other cases.
        policy: what decides the verdict beside the levels.
        begun: the case, where it is begun already; None where it is begun here.
        then: called once all is observed and nothing judged yet; the host is free to begin another case.
    """
    begun = begun or begin_case(case, host, convention, goldens)
    start = time.perf_counter()
    try:
        if begun.error is not None:
            raise begun.error
        if begun.lack or begun.declined:
            return Item(
                implementation=implementation,
                case=case.id,
                outcome=outcomes.UNSUPPORTED,
                verdict=ItemVerdict.UNSUPPORTED.value,
                message=begun.lack or begun.declined,
                declined=not begun.lack,
            )
        runs = observe_runs(case, convention, goldens, host, begun.pipeline)
    except HostLost as lost:
        return lost_item(implementation, case, lost.outcome, lost.message)
    except LayerError as error:  # of supports(); what a layer raises is part of its observation
        return lost_item(implementation, case, outcomes.ERRORED, error.with_place)
    in_calls, own_seconds = host.seconds - begun.calls_before, begun.seconds + time.perf_counter() - start
    then()
    start = time.perf_counter()
    item = judge_runs(implementation, case, runs, convention, goldens, policy)
    own_seconds += time.perf_counter() - start - in_calls
    # Of a case that was begun before, calls took their time while another one was judged.
    return replace(item, seconds=round(in_calls, 6), harness_seconds=round(max(own_seconds, 0.0), 6))


def observe_runs(
    case: Case, convention: Convention, goldens: Goldens, host: Host, begun: Pipeline | None = None
) -> Runs:
    """Observe a case, and repeat it if the case says so and the first run raised no error.

    Args:
        case: the case.
        convention: what its implementation declares.
        goldens: of this and other cases.
        host: where its layers run.
        begun: see `observe`.

    Raises:
        HostLost: the process of the implementation is gone.
    """
    data, explicit = goldens.data(case), convention.statistics_move == "explicit"
    observation = observe(case, data, host, explicit, begun)
    return observation, observe(case, data, host, explicit) if case.repeat and observation.error is None else None


def judge_runs(
    implementation: str, case: Case, runs: Runs, convention: Convention, goldens: Goldens, policy: Policy
) -> Item:
    """The item of a case, judged from its observations, without the time that it took."""
    outcome, message, quantities = _outcome(case, convention, goldens, *runs)
    return Item(
        implementation=implementation,
        case=case.id,
        outcome=outcome,
        verdict=verdict_of(outcome, policy.requirement(case), policy.threshold).value,
        message=message,
        quantities=quantities,
        reproduce=reproduce(implementation, case.id),
    )


def reproduce(implementation: str, case_id: str) -> str:
    """The command that runs one item again."""
    return f"bnconform run -i '{implementation}' --case '{case_id}'"


def lost_item(implementation: str, case: Case, outcome: str, message: str) -> Item:
    """The record of an item without an observation: its process ended, or the layer could not be asked."""
    return Item(
        implementation=implementation,
        case=case.id,
        outcome=outcome,
        verdict=ItemVerdict.FAIL.value,
        message=message,
        reproduce=reproduce(implementation, case.id),
    )


def _outcome(
    case: Case, convention: Convention, goldens: Goldens, observation: Observation, repeat: Observation | None
) -> tuple[str, str, tuple[Quantity, ...]]:
    """Outcome, message, and the quantities judged."""
    beside = judge_original(observation)
    if any(quantity.outcome == outcomes.WRONG for quantity in beside):
        return *_worst(beside), beside
    if observation.error is not None:
        outcome, message = _outcome_of_error(case, goldens, observation, observation.error)
        if outcome != outcomes.REFUSED or case.expects == "refusal" or not observation.steps:
            return outcome, message, ()
        # Steps before a refusal are judged all the same: a late refusal excuses no wrong number.
        quantities = _quantities(case, convention, goldens, observation, None)
        wrong = tuple(quantity for quantity in quantities if quantity.outcome == outcomes.WRONG)
        return (*_worst(wrong), wrong) if wrong else (outcome, message, ())
    if case.expects == "refusal":
        return outcomes.WRONG, f"it was accepted without an error, and should have raised one: {case.title}", ()
    quantities = (*_quantities(case, convention, goldens, observation, repeat), *beside)
    return *_worst(quantities), quantities


@quietly
def _quantities(
    case: Case, convention: Convention, goldens: Goldens, observation: Observation, repeat: Observation | None
) -> tuple[Quantity, ...]:
    context = JudgingContext(case, goldens.data(case), goldens.steps(case, convention), convention)
    return quantities_of(context, observation, repeat)


def _outcome_of_error(case: Case, goldens: Goldens, observation: Observation, error: LayerError) -> tuple[str, str]:
    refused = refuses(case, goldens.data(case), observation)
    if case.expects == "numbers" and not refused:
        return outcomes.ERRORED, error.with_place
    if not refused:
        return outcomes.ERRORED, f"{error.with_place} ({outcomes.NO_REFUSAL})"
    if not error.message:
        return outcomes.ERRORED, f"{error.with_place} (an error without a message is not a clear refusal)"
    return outcomes.REFUSED, str(error)


def _worst(quantities: tuple[Quantity, ...]) -> tuple[str, str]:
    """Outcome and message of the worst quantity.

    The item is not judged where some quantity has only vacuous bounds and all other quantities are sound.
    """
    judged = [quantity for quantity in quantities if quantity.outcome != outcomes.NOT_JUDGED]
    if not judged:
        return outcomes.NOT_JUDGED, "no bound means anything for this case"
    worst = max(judged, key=lambda quantity: (outcomes.outcome_rank(quantity.outcome), quantity.ratio or 0.0))
    not_judged = [quantity.name for quantity in quantities if quantity.outcome == outcomes.NOT_JUDGED]
    if not_judged and outcomes.is_level(worst.outcome) and outcomes.level_rank(worst.outcome) <= SOUND:
        return outcomes.NOT_JUDGED, f"no bound means anything for {', '.join(not_judged)}; the rest is {worst.outcome}"
    return worst.outcome, worst.message


def verdict_of(outcome: str, requirement: str, threshold: Threshold) -> ItemVerdict:
    """What an outcome means for a run, of a case whose first clause has a requirement (MUST, SHOULD or MAY)."""
    if outcome in (outcomes.REFUSED, outcomes.NOT_JUDGED):
        return ItemVerdict(outcome)
    if requirement == "MAY" and outcomes.is_level(outcome) and outcome != outcomes.WRONG:
        return ItemVerdict.PASS
    if outcomes.is_level(outcome) and threshold.tolerates(outcome):
        return ItemVerdict.WARN if outcomes.level_rank(outcome) > SOUND else ItemVerdict.PASS
    return ItemVerdict.FAIL if requirement == "MUST" else ItemVerdict.WARN
