"""Running statistics: where they start, when they move, what momentum weighs, which variance they take in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.probe.comparing import compared, fault, observed
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.fitting import choose, name, values_of
from bn_conformance.probe.laboratory import MOMENTUM, BadAnswer, Laboratory, Subject
from bn_reference.definition.state import Statistics
from bn_reference.specification.convention import CHOICES
from bn_reference.specification.grades import STABLE

BATCHES = ((1.0, 1.0), (-3.0, 2.0), (6.0, 0.5))
"""Offset and scale of the batches of a trajectory: their means and variances have nothing in common."""


def initial(laboratory: Laboratory) -> Iterator[Finding]:
    """The statistics of a fresh layer."""
    mean, variance = laboratory.subject(laboratory.config()).statistics()
    if np.any(np.asarray(mean, np.float64) != 0.0):
        shown = ", ".join(f"{float(value):g}" for value in mean)
        yield fault(
            "initial running mean",
            shown,
            "STAT-3",
            "a fresh layer's running mean is 0",
            "stat/nc/float32/first-step",
            "0",
        )
    else:
        yield observed("initial running mean", "0")
    starts = [
        value for value in CHOICES["initial_running_variance"] if np.all(np.asarray(variance, np.float64) == value)
    ]
    shown = ", ".join(f"{float(value):g}" for value in variance)
    yield compared(laboratory, "initial_running_variance", starts, f"a fresh layer has {shown}", "STAT-3")


def moves(laboratory: Laboratory) -> Iterator[Finding]:
    """The moment at which the running statistics move."""
    subject = laboratory.subject(laboratory.config())
    start = subject.statistics()
    x = subject.data("moves")
    subject.forward(x, True)
    after_forward = subject.statistics()
    seen = ["forward"] if _moved(start, after_forward) else []
    after_backward = after_forward
    if "training" in laboratory.can.gradients:
        subject.backward(subject.data("dy"))
        after_backward = subject.statistics()
        if _moved(after_forward, after_backward):
            seen.append("backward")
    if not seen:
        other = laboratory.subject(laboratory.config())
        other.forward(x, True)
        other.update()
        if _moved(start, other.statistics()):
            seen.append("explicit")
    how = f"a training step moved them in: {', '.join(seen) or 'nothing (forward, backward and an explicit update)'}"
    yield compared(
        laboratory, "statistics_move", seen if len(seen) == 1 else [], how, "STAT-4", "stat/nc/float32/first-step"
    )
    before = subject.statistics()
    subject.forward(subject.data("moves in inference", offset=2.0), False)
    if _moved(before, subject.statistics()):
        yield fault("statistics in inference", "move", "STAT-5", "running statistics moved in an inference forward")
    else:
        yield observed("statistics in inference", "stay")


def _moved(before: tuple[Array, Array], after: tuple[Array, Array]) -> bool:
    return any(
        not np.array_equal(np.asarray(one, np.float64), np.asarray(other, np.float64), equal_nan=True)
        for one, other in zip(before, after, strict=True)
    )


def trajectory(laboratory: Laboratory, subject: Subject) -> list[tuple[Array, Statistics, tuple[Array, Array]]]:
    """Training on three batches: each batch, the state before it and the statistics after it."""
    found = []
    for place, (offset, scale) in enumerate(BATCHES):
        x, before = subject.data(f"batch {place}", offset=offset, scale=scale), subject.known()
        subject.train(x)
        after = subject.statistics()
        if not all(np.all(np.isfinite(np.asarray(part, np.float64))) for part in after):
            raise BadAnswer("STAT-1", f"running statistics are not finite after training batch {place + 1}")
        found.append((x, before, after))
    return found


def averages(laboratory: Laboratory) -> Iterator[Finding]:
    """Debiasing, and what the configured momentum weighs, from the running mean; the estimator from the variance."""
    laboratory.need_moving()
    subject = laboratory.subject(laboratory.config())
    steps = trajectory(laboratory, subject)
    convention = laboratory.convention
    weights = choose(
        {
            (new, debiasing): [
                (
                    subject.golden(x, replace(convention, debiasing=debiasing), momentum=new).update(before, STABLE)[1][
                        "running_mean"
                    ],
                    after[0],
                )
                for x, before, after in steps
            ]
            for new in (MOMENTUM, 1.0 - MOMENTUM)
            for debiasing in CHOICES["debiasing"]
        }
    )
    fitting = weights.fitting
    yield compared(
        laboratory, "debiasing", values_of(fitting, 1), weights.numbers, "STAT-1", "stat/nc/float32/first-step"
    )
    configured = values_of(fitting, 0)
    if configured == [1.0 - MOMENTUM]:
        opposite = "old" if laboratory.declared.momentum_weighs == "new" else "new"
        detail = f"a layer configured to weigh the new statistic by {MOMENTUM} weighs it by {1.0 - MOMENTUM}"
        yield compared(laboratory, "momentum_weighs", [opposite], detail, "STAT-1")
    yield from _variances(laboratory, subject, steps, configured[0] if len(configured) == 1 else MOMENTUM)


def _variances(laboratory: Laboratory, subject: Subject, steps: list[Any], momentum: float) -> Iterator[Finding]:
    convention = replace(laboratory.convention, eps_in_inference=True)

    def predicted(estimator: Any, inside: bool) -> list[Any]:
        candidate = replace(convention, running_variance=estimator, eps_in_running_variance=inside)
        return [
            (subject.golden(x, candidate, momentum=momentum).update(before, STABLE)[1]["running_var"], after[1])
            for x, before, after in steps
        ]

    variances = choose(
        {
            (estimator, inside): predicted(estimator, inside)
            for estimator in CHOICES["running_variance"]
            for inside in CHOICES["eps_in_running_variance"]
        }
    )
    named = {f"{name(estimator)}{' + eps' * inside}": value for (estimator, inside), value in variances.misfits.items()}
    detail = "error / allowed: " + ", ".join(f"{key} {value:.2g}" for key, value in named.items())
    for place, field in enumerate(("running_variance", "eps_in_running_variance")):
        values = values_of(variances.fitting, place)
        yield compared(laboratory, field, values, detail, "STAT-2", "stat/nc/float32/first-step")
