"""Experiments with one value per channel and with an empty batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.hosting.host import LayerError
from bn_conformance.probe.candidates import misfit
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import Laboratory, ProbedLayer


def _wide(values: Array) -> Array:
    return np.asarray(values, np.float64)


def one_value(laboratory: Laboratory) -> Iterator[Finding]:
    """Training with one value per channel; permitted is to raise, or y = beta and finite statistics."""
    subject = laboratory.subject(laboratory.config())
    x = subject.data("one value", count=1, offset=5.0)
    what, case = "one value per channel", "edge/nc-1x5/float32/one-value"
    try:
        y = subject.forward(x, True)
        subject.train(x)
    except LayerError as error:
        yield Finding.observed(what, "raises", str(error), "permitted")
        return
    finite = _finite(subject)
    if misfit(subject.golden(x).training(None)["y"], y, subject.config.channel_axis) <= 1.0 and finite:
        yield Finding.observed(what, "y = beta", "running statistics stay finite", "permitted")
    else:
        statistics = "" if finite else "; running statistics are not finite"
        yield Finding.fault(what, _described(y, x, finite) + statistics, "EDGE-1", "", case, "raise, or y = beta")


def _described(y: Array, x: Array, finite: bool) -> str:
    """What a wrong y of one value per channel is."""
    numbers = _wide(y)
    if np.isnan(numbers).any():
        return "y is NaN"
    if np.array_equal(numbers, _wide(x)):
        return "y = x"
    return "y = beta" if np.all(np.isfinite(numbers)) and not finite else "y is another number"


def _finite(subject: ProbedLayer) -> bool:
    return all(bool(np.all(np.isfinite(_wide(part)))) for part in subject.statistics())


def empty_batch_finding(laboratory: Laboratory) -> Iterator[Finding]:
    """Training on an empty batch; permitted is to raise, or to leave the statistics as they are."""
    subject = laboratory.subject(laboratory.config())
    subject.train(subject.data("before an empty batch", offset=1.0))
    before = subject.statistics()
    what, case = "empty batch", "edge/nc-0x5/float32/empty-batch"
    try:
        subject.train(subject.data("empty", count=0))
    except LayerError as error:
        yield Finding.observed(what, "raises", str(error), "permitted")
        return
    after = subject.statistics()
    if all(np.array_equal(_wide(old), _wide(new)) for old, new in zip(before, after, strict=True)):
        yield Finding.observed(what, "statistics stay", declared="permitted")
    else:
        measured = "statistics move" if _finite(subject) else "statistics turn NaN"
        yield Finding.fault(what, measured, "EDGE-2", "", case, "raise, or statistics stay")
