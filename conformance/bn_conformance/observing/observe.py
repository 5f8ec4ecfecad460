"""Runs a case on a host: makes its schedule, sends it, and builds the observation from the answers."""

from __future__ import annotations

from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.operations import DropCall, SetThreadsCall
from bn_conformance.laws.trials import Trial
from bn_conformance.laws.verdicts import observe_laws
from bn_conformance.observing.answers import observation_of
from bn_conformance.observing.concurrency import disturbed_by_threads
from bn_conformance.observing.observation import Observation
from bn_conformance.observing.pipeline import Pipeline
from bn_conformance.observing.schedule import schedule_of


def begin(case: Case, data: CaseData, host: Host, explicit_update: bool) -> Pipeline | None:
    """Send the first calls of a case without waiting for them; None for a case that begins with something else.

    Args:
        case: what to run.
        data: its tensors.
        host: where.
        explicit_update: whether the convention says that statistics move by an explicit update.
    """
    if case.original or case.threads != 1:
        return None
    pipeline = Pipeline(host, copies=case.overwrites)
    pipeline.begin(schedule_of(case, data, explicit_update))
    return pipeline


def observe(
    case: Case, data: CaseData, host: Host, explicit_update: bool, begun: Pipeline | None = None
) -> Observation:
    """Run a case once on a fresh layer.

    Args:
        case: what to run.
        data: its tensors.
        host: where.
        explicit_update: whether the convention says that statistics move by an explicit update.
        begun: what `begin` gave for all of these; None where nothing is sent yet.

    Raises:
        HostLost: the process of the implementation is gone.
    """
    original = _observe_original(case, data, host, explicit_update) if case.original else None
    pipeline = begun or Pipeline(host, copies=case.overwrites)
    threads_were_set, error = False, None
    disturbed: tuple[str, ...] = ()
    trials: dict[str, tuple[Trial, ...]] = {}
    try:
        if case.threads != 1:
            host.ask(SetThreadsCall(case.threads))
            threads_were_set = True
        if begun is None:
            pipeline.begin(schedule_of(case, data, explicit_update))
        pipeline.finish()
        if case.concurrent:
            disturbed = disturbed_by_threads(case, data, host, pipeline.standing)
        trials = observe_laws(case, data, host, explicit_update, pipeline.standing)
    except LayerError as raised:
        error = raised
    drops = [DropCall(layer) for layer in pipeline.standing]
    changed = [name for names in host.run(drops)[0] for name in names]
    if threads_were_set:
        host.ask(SetThreadsCall(1))
    return observation_of(
        pipeline.answers,
        changed_at_last=changed,
        disturbed=disturbed,
        laws=trials,
        original=original,
        error=error,
        error_step=pipeline.failed_step,
        error_operation=pipeline.failed_operation,
    )


def _observe_original(case: Case, data: CaseData, host: Host, explicit_update: bool) -> Observation:
    """Run the steps of a case on the layer that the implementation was compiled or exported from."""
    pipeline, error = Pipeline(host, copies=False), None
    try:
        pipeline.begin(schedule_of(case, data, explicit_update, original=True))
        pipeline.finish()
    except LayerError as raised:
        error = raised
    host.run([DropCall(layer) for layer in pipeline.standing])
    return observation_of(
        pipeline.answers,
        changed_at_last=(),
        error=error,
        error_step=pipeline.failed_step,
        error_operation=pipeline.failed_operation,
    )
