"""A case that is begun: its first calls are sent and not waited for, so that a layer runs while others are judged."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import missing_default
from bn_conformance.hosting.host import Host, HostLost, LayerError
from bn_conformance.hosting.operations import SupportsCall
from bn_conformance.judging.goldens import Goldens
from bn_conformance.laws.verdicts import configs_of_laws
from bn_conformance.observing.observe import begin
from bn_conformance.observing.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A case that is begun.

    Attributes:
        lack: what the convention leaves open and the case needs; empty for nothing.
        declined: why the adapter does not support it; empty where it does.
        pipeline: whose first calls are sent; None where none are.
        error: what went wrong; None for nothing.
        calls_before: seconds spent in the implementation's own calls before the case.
        seconds: that it took.
    """

    lack: str = ""
    declined: str = ""
    pipeline: Pipeline | None = None
    error: HostLost | LayerError | None = None
    calls_before: float
    seconds: float


def begin_case(case: Case, host: Host, convention: Convention, goldens: Goldens) -> Begun:
    """Ask whether a case is supported, and send its first calls. Nothing of an earlier one may be waited for.

    Args:
        case: the case.
        host: where its layers run.
        convention: what it declares.
        goldens: of this and other cases.
    """
    start, before = time.perf_counter(), host.seconds
    lack, declined, pipeline, error = missing_default(case.config, convention) or "", "", None, None
    try:
        if not lack:
            declined = _declined(case, host, goldens) or ""
        if not lack and not declined:
            pipeline = begin(case, goldens.data(case), host, convention.statistics_move == "explicit")
    except (HostLost, LayerError) as raised:  # the latter of supports(); what a layer raises is part of its observation
        error = raised
    seconds = time.perf_counter() - start
    return Begun(lack=lack, declined=declined, pipeline=pipeline, error=error, calls_before=before, seconds=seconds)


def _declined(case: Case, host: Host, goldens: Goldens) -> str | None:
    """Why a layer of the case, or one that its laws build, is declined; None where each is supported."""
    others = configs_of_laws(case, goldens.data(case)) if case.laws else ()
    reasons = (host.ask(SupportsCall(config)) for config in (case.config, *others))
    return next((reason for reason in reasons if reason), None)
