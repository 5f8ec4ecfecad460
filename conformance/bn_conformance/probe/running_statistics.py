"""Experiments on the running statistics: their start, when they move, what momentum weighs, which variance counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, Convention
from bn_conformance.probe.candidates import candidate_text, distinct_values, fit
from bn_conformance.probe.declaration import against_declaration
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import MOMENTUM, BadAnswer, Laboratory, ProbedLayer
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.convention import CHOICES
from bn_reference.specification.grades import STABLE

BATCHES = ((1.0, 1.0), (-3.0, 2.0), (6.0, 0.5))
"""Offset and scale of three training batches, chosen so that their means and variances differ clearly."""


FIRST_STEP = "stat/nc/float32/first-step"
"""The case of the matrix that judges the same."""


def initial_findings(laboratory: Laboratory) -> Iterator[Finding]:
    """The statistics of a fresh layer."""
    laboratory.need_statistics()
    mean, variance = laboratory.subject(laboratory.config()).statistics()
    if np.any(np.asarray(mean, np.float64) != 0.0):
        shown = ", ".join(f"{float(value):g}" for value in mean)
        yield Finding.fault(
            "initial running mean",
            shown,
            "STAT-3",
            "a fresh layer's running mean is 0",
            FIRST_STEP,
            "0",
        )
    else:
        yield Finding.observed("initial running mean", "0")
    starts = [
        value for value in CHOICES["initial_running_variance"] if np.all(np.asarray(variance, np.float64) == value)
    ]
    shown = ", ".join(f"{float(value):g}" for value in variance)
    yield against_declaration(laboratory, "initial_running_variance", starts, f"a fresh layer has {shown}", "STAT-3")


def moves(laboratory: Laboratory) -> Iterator[Finding]:
    """The moment at which the running statistics move."""
    laboratory.need_statistics()
    laboratory.need_mode("training")
    subject = laboratory.subject(laboratory.config())
    start = subject.statistics()
    x = subject.data("moves")
    subject.forward(x, True)
    after_forward = subject.statistics()
    moments = ["forward"] if _moved(start, after_forward) else []
    if "training" in laboratory.can.gradients:
        subject.backward(subject.data("dy"))
        if _moved(after_forward, subject.statistics()):
            moments.append("backward")
    if not moments:
        other = laboratory.subject(laboratory.config())
        other.forward(x, True)
        other.update()
        if _moved(start, other.statistics()):
            moments.append("explicit")
    where = ", ".join(moments) or "nothing (tried: forward, backward, explicit update)"
    how = f"a training step moved them in: {where}"
    fitting = moments if len(moments) == 1 else []
    yield against_declaration(laboratory, "statistics_move", fitting, how, "STAT-4", FIRST_STEP)
    before = subject.statistics()
    subject.forward(subject.data("moves in inference", offset=2.0), False)
    if _moved(before, subject.statistics()):
        yield Finding.fault(
            "statistics in inference", "move", "STAT-5", "running statistics moved in an inference forward"
        )
    else:
        yield Finding.observed("statistics in inference", "stay")


def _moved(before: tuple[Array, Array], after: tuple[Array, Array]) -> bool:
    return any(
        not np.array_equal(np.asarray(old, np.float64), np.asarray(new, np.float64), equal_nan=True)
        for old, new in zip(before, after, strict=True)
    )


@dataclass(frozen=True)
class TrainingStep:
    """A training step of a layer: its x, the state before it, and running mean and variance after it."""

    x: Array
    before: Statistics
    after: tuple[Array, Array]


def training_steps(subject: ProbedLayer, name: str) -> Iterator[TrainingStep]:
    """Train on three batches, one after the other; `name` seeds their data."""
    for place, (offset, scale) in enumerate(BATCHES):
        x, before = subject.data(f"{name} {place}", offset=offset, scale=scale), subject.known()
        subject.train(x)
        yield TrainingStep(x, before, subject.statistics())


def predicted_statistics(
    subject: ProbedLayer, steps: Sequence[TrainingStep], convention: Convention, **changes: Any
) -> dict[str, list[tuple[Expected, Array]]]:
    """What a convention predicts for the running statistics after each step, beside what they were.

    Args:
        subject: the layer.
        steps: that it was trained in.
        convention: under which the steps are predicted.
        changes: to the layer's configuration.

    Returns:
        For `running_mean` and `running_var`, a pair of prediction and observation for each step.
    """
    goldens = [subject.golden(step.x, convention, **changes).update(step.before, STABLE)[1] for step in steps]
    return {
        name: [(golden[name], step.after[place]) for golden, step in zip(goldens, steps, strict=True)]
        for place, name in enumerate(("running_mean", "running_var"))
    }


def averages(laboratory: Laboratory) -> Iterator[Finding]:
    """Debiasing and what momentum weighs, from the running mean; the kind of variance, from the running variance."""
    laboratory.need_moving()
    subject = laboratory.subject(laboratory.config())
    steps = []
    for step in training_steps(subject, "batch"):
        steps.append(step)
        if not all(np.all(np.isfinite(np.asarray(part, np.float64))) for part in step.after):
            raise BadAnswer("STAT-1", f"running statistics are not finite after training batch {len(steps)}")
    convention = laboratory.convention
    weights = fit(
        {
            (new, debiasing): predicted_statistics(
                subject, steps, replace(convention, debiasing=debiasing), momentum=new
            )["running_mean"]
            for new in (MOMENTUM, 1.0 - MOMENTUM)
            for debiasing in CHOICES["debiasing"]
        }
    )
    debiasings, configured = distinct_values(weights.fitting, 1), distinct_values(weights.fitting, 0)
    yield against_declaration(laboratory, "debiasing", debiasings, weights.numbers, "STAT-1", FIRST_STEP)
    if configured == [1.0 - MOMENTUM]:
        opposite = "old" if laboratory.declared.momentum_weighs == "new" else "new"
        detail = f"a layer configured to weigh the new statistic by {MOMENTUM} weighs it by {1.0 - MOMENTUM}"
        yield against_declaration(laboratory, "momentum_weighs", [opposite], detail, "STAT-1")
    yield from _variances(laboratory, subject, steps, configured[0] if len(configured) == 1 else MOMENTUM)


def _variances(
    laboratory: Laboratory, subject: ProbedLayer, steps: Sequence[TrainingStep], momentum: float
) -> Iterator[Finding]:
    """Which variance the running variance takes in, and whether it holds eps."""

    def under(estimator: Any, inside: bool) -> list[tuple[Expected, Array]]:
        convention = replace(
            laboratory.convention,
            eps_in_inference=True,
            running_variance=estimator,
            eps_in_running_variance=inside,
        )
        return predicted_statistics(subject, steps, convention, momentum=momentum)["running_var"]

    variances = fit(
        {
            (estimator, inside): under(estimator, inside)
            for estimator in CHOICES["running_variance"]
            for inside in CHOICES["eps_in_running_variance"]
        }
    )
    numbers = [
        f"{candidate_text(estimator)}{' + eps' * inside} {value:.2g}"
        for (estimator, inside), value in variances.misfits.items()
    ]
    detail = f"error / allowed: {', '.join(numbers)}"
    for place, field in enumerate(("running_variance", "eps_in_running_variance")):
        values = distinct_values(variances.fitting, place)
        yield against_declaration(laboratory, field, values, detail, "STAT-2", FIRST_STEP)
