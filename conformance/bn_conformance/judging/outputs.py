"""Judges the outputs and gradients of one step, from the running statistics that were observed before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bn_conformance.hosting.operations import Returned
from bn_conformance.hosting.wire import describe_foreign
from bn_conformance.judging.arrays import judge_output
from bn_conformance.judging.clauses import judged_clauses
from bn_conformance.judging.context import StepContext
from bn_conformance.judging.permitted import as_permitted
from bn_conformance.judging.sampling_band import judge_band
from bn_conformance.judging.statistics import comparable_pair, unreadable
from bn_conformance.results.records import Quantity
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected


def judge_outputs(step: StepContext) -> Iterator[Quantity]:
    """A quantity for each output and gradient that the case judges."""
    case = step.case
    expected = expected_outputs(step)
    if expected is None:
        yield unreadable(step, step.observation.before)
        return
    if case.band and not step.step.training and step.updates:
        yield judge_band(step)
    for name, got in given_outputs(step).items():
        if name in case.judges:
            clauses = judged_clauses(case, step.clause_of(name))
            yield as_permitted(step, name, judge_output(step, step.name, name, expected[name], got, clauses), got)


def expected_outputs(step: StepContext) -> Mapping[str, Expected] | None:
    """The goldens of outputs and gradients, by name; None where inference has no readable statistics to start from."""
    if step.training:
        return step.golden.training or {}
    before = comparable_pair(step.context, step.observation.before)
    if before is None:
        return None
    known = Statistics.known(*before)
    return step.golden.golden.inference(known, step.golden.dy) | step.golden.second_order(known)


def given_outputs(step: StepContext) -> dict[str, Returned]:
    """The results of the step that are judged, by name.

    A layer must give the gradient of each parameter that it has. Gradients of other parameters are ignored.
    """
    config, observation = step.case.config, step.observation
    given = {"y": observation.forward.y}
    if observation.backward is not None:
        backward = observation.backward
        given["dx"] = backward.dx
        given |= {"dgamma": _owed(backward.dgamma)} if config.gamma else {}
        given |= {"dbeta": _owed(backward.dbeta)} if config.beta else {}
    if observation.saved is not None:
        given |= vars(observation.saved)
    if observation.given is not None:
        given["dx_given"] = observation.given.dx_given
        given |= {"dgamma_given": _owed(observation.given.dgamma_given)} if config.gamma else {}
        given |= {"dbeta_given": _owed(observation.given.dbeta_given)} if config.beta else {}
    if observation.second is not None:
        second = observation.second
        given |= {"ds_dx": second.ds_dx, "ds_ddy": second.ds_ddy}
        given |= {"ds_dgamma": _owed(second.ds_dgamma)} if config.gamma else {}
    return given


def _owed(gradient: Returned | None) -> Returned:
    return describe_foreign(None) if gradient is None else gradient
