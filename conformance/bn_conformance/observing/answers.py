"""Builds the observation of a case from the answers to its schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.hosting.operations import Returned
from bn_conformance.observing.observation import NO_STATISTICS, Observation, StepObservation
from bn_conformance.observing.pipeline import AnsweredCall


def observation_of(answers: Iterable[AnsweredCall], changed_at_last: Sequence[str], **rest: Any) -> Observation:
    """The observation of a case.

    Args:
        answers: what its operations gave, up to the first that raised.
        changed_at_last: arrays that the last drops found changed.
        rest: the fields of the observation that no operation of a schedule gives.
    """
    steps: list[dict[str, Any]] = []
    changed: list[str] = []
    statistics, initial, kept = NO_STATISTICS, None, True
    vectors_set: tuple[Array, ...] = ()
    for answer in answers:
        operation, result = answer.operation, answer.result
        if operation.position is not None:
            if operation.name == "forward":
                steps.append({"before": statistics})
            steps[operation.position].update(dict.fromkeys(operation.into, result))
        elif operation.name == "drop":
            changed += [f"{name}{operation.whose}" for name in result]
        elif "initial" in operation.into:
            initial = result
        elif "kept" in operation.into:
            kept = kept and all(map(_holds, result, vectors_set))
        elif operation.name == "set_running_statistics":
            vectors_set = answer.arguments["mean"], answer.arguments["variance"]
        if operation.name == "running_statistics":
            statistics = result
    return Observation(
        steps=tuple(StepObservation(**step) for step in steps),
        initial=initial,
        kept=kept,
        changed=(*changed, *changed_at_last),
        **rest,
    )


def _holds(got: Returned, vector: Array) -> bool:
    """Whether a statistic holds the vector that was set; True for a result of the wrong shape, judged elsewhere."""
    if not isinstance(got, np.ndarray) or got.shape != vector.shape:
        return True
    return bool(np.all((got == vector) | ((got != got) & (vector != vector))))  # NaN is kept too
