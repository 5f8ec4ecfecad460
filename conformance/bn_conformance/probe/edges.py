"""One value a channel, and an empty batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.hosting.host import LayerError
from bn_conformance.probe.comparing import fault, observed
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.fitting import misfit
from bn_conformance.probe.laboratory import Laboratory, Subject


def _wide(values: Array) -> Array:
    return np.asarray(values, np.float64)


def one_value(laboratory: Laboratory) -> Iterator[Finding]:
    """Training with one value a channel: raise, or y = beta and finite statistics."""
    subject = laboratory.subject(laboratory.config())
    x = subject.data("one value", count=1, offset=5.0)
    what, case = "one value per channel", "edge/nc-1x5/float32/one-value"
    try:
        y = subject.forward(x, True)
        subject.train(x)
    except LayerError as error:
        yield observed(what, "raises", str(error), "permitted")
        return
    rows = _wide(y)
    finite = _finite(subject)
    statistics = "" if finite else "; running statistics are not finite"
    if misfit(subject.golden(x).training(None)["y"], y, subject.config.channel_axis) <= 1.0 and finite:
        yield observed(what, "y = beta", "running statistics stay finite", "permitted")
    else:
        spoilt = "y = beta" if np.all(np.isfinite(rows)) and not finite else "y is another number"
        measured = "y is NaN" if np.isnan(rows).any() else "y = x" if np.array_equal(rows, _wide(x)) else spoilt
        yield fault(what, measured + statistics, "EDGE-1", "", case, "raise, or y = beta")


def _finite(subject: Subject) -> bool:
    return all(bool(np.all(np.isfinite(_wide(part)))) for part in subject.statistics())


def empty_batch(laboratory: Laboratory) -> Iterator[Finding]:
    """Training on an empty batch: raise, or leave the statistics as they are."""
    subject = laboratory.subject(laboratory.config())
    subject.train(subject.data("before an empty batch", offset=1.0))
    before = subject.statistics()
    what, case = "empty batch", "edge/nc-0x5/float32/empty-batch"
    try:
        subject.train(subject.data("empty", count=0))
    except LayerError as error:
        yield observed(what, "raises", str(error), "permitted")
        return
    after = subject.statistics()
    if all(np.array_equal(_wide(one), _wide(other)) for one, other in zip(before, after, strict=True)):
        yield observed(what, "statistics stay", declared="permitted")
    else:
        measured = "statistics move" if _finite(subject) else "statistics turn NaN"
        yield fault(what, measured, "EDGE-2", "", case, "raise, or statistics stay")
