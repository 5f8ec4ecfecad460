"""Experiments on accuracy: by which algorithm the variance is computed, and in which format 16-bit data are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.catalogue.places import formats_slug
from bn_conformance.comparison.array import judge
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import COUNT, Laboratory, ProbedLayer
from bn_conformance.results.outcomes import WRONG
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.bounds.precision import Precision
from bn_reference.definition.running import bessel, weights_of
from bn_reference.definition.state import Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import DEGRADED, TIGHT, path_length

OFFSETS = (0.0, 16.0, 256.0, 4096.0, 16384.0)
"""Means of the data, in standard deviations: the error of each algorithm grows with them in its own way."""

TWO_PASS, UPDATING = "two-pass", "updating (Welford)"
MEANINGS = {
    TWO_PASS: "the error does not grow with the mean",
    UPDATING: "the error grows like mean / standard deviation",
    "raw-moments": "E[x^2] - E[x]^2: the error grows like the square of mean / standard deviation",
    "sequential-sum": "sums are one running sum",
    "storage-precision": "arithmetic is in the format of x",
}


def variance_algorithm(laboratory: Laboratory) -> Iterator[Finding]:
    """The algorithm of the batch variance, from the running variance."""
    laboratory.need_moving()
    subject = laboratory.subject(laboratory.config())
    explains = dict.fromkeys((TWO_PASS, UPDATING, *(_name(grade.level) for grade in DEGRADED)), True)
    errors = []
    for offset in OFFSETS:
        x, before = subject.data(f"offset {offset}", offset=offset), subject.known()
        subject.train(x)
        error, allowed = _errors(subject, subject.golden(x), before, subject.statistics()[1])
        errors.append((offset, float(np.max(np.asarray(error, np.float64)))))
        for name, (bound, meaningful) in allowed.items():
            explains[name] &= bool(np.all((error <= bound)[meaningful]))
    algorithm = next((name for name, fits in explains.items() if fits), None)
    numbers = ", ".join(f"{error:.1g} at {offset:g}" for offset, error in errors)
    what = f"variance algorithm in {subject.config.dtype}"
    detail = f"relative error of the batch variance, by mean / standard deviation: {numbers}"
    if algorithm is None:
        yield Finding.fault(what, "none of the known ones", "NUM-1", detail, "num/nc/float32/offset-1000")
    else:
        yield Finding.observed(what, algorithm, f"{MEANINGS[algorithm]}; {detail}")
    yield from _half_formats(laboratory)


def _name(level: str) -> str:
    return level.removeprefix("degraded(").removesuffix(")")


def _errors(
    subject: ProbedLayer, golden: Golden, before: Statistics, got: Array
) -> tuple[Quad, dict[str, tuple[Quad, np.ndarray]]]:
    """Relative errors of the batch variance, shape (C,); for each algorithm its bound, and where that is meaningful."""
    expected = golden.update(before, TIGHT)[1]["running_var"]
    rows = golden.x
    mean = rows.mean(axis=1)
    sigma2 = ((rows - mean[:, None]) ** 2).mean(axis=1)
    weight = weights_of(golden.config, golden.convention, before.updates).new
    size = weight * sigma2
    with np.errstate(invalid="ignore"):
        error = np.abs(to_quad(got) - expected.values) / size
    error = np.where(np.isfinite(error), error, to_quad(np.inf))
    tight = expected.bound(TIGHT)
    u = Precision.of(golden.formats.compute, golden.formats.storage, TIGHT).u
    numerator, denominator = bessel(COUNT) if golden.convention.running_variance == "unbiased" else (1, 1)
    factor = weight * to_quad(float(numerator)) / to_quad(float(denominator))
    growing = factor * (path_length(COUNT) + 4) * u * np.sqrt(sigma2) * np.sqrt(sigma2 + mean * mean)
    allowed = {
        TWO_PASS: ((tight.allowed - growing) / size, tight.meaningful),
        UPDATING: (tight.allowed / size, tight.meaningful),
    }
    for grade in DEGRADED:
        bound = expected.bound(grade)
        allowed[_name(grade.level)] = bound.allowed / size, bound.meaningful  # the last of a name is the most lenient
    return error, allowed


def _half_formats(laboratory: Laboratory) -> Iterator[Finding]:
    """Whether arithmetic on float16 and bfloat16 data is that of float32, or that of the format."""
    for pair in laboratory.formats:
        if pair[0] not in ("float16", "bfloat16"):
            continue
        subject = laboratory.subject(laboratory.config(pair))
        x = subject.data("half", offset=3.0)
        y = subject.train(x)
        quantity = judge("y", subject.golden(x).training(None)["y"], y, subject.config.channel_axis, ())
        what = f"arithmetic on {pair[0]}" + (f" with {pair[1]} parameters" if pair[0] != pair[1] else "")
        detail = f"y is {quantity.outcome}; error / allowed {quantity.ratio or 0.0:.2g}"
        if quantity.outcome == WRONG:
            case = f"dtype/nchw/{formats_slug(pair)}/formats"
            yield Finding.fault(what, "not that of float32 nor of the format", "DTYPE-2", detail, case)
        elif "storage-precision" in quantity.outcome:
            yield Finding.observed(what, pair[0], detail)
        else:
            yield Finding.observed(what, "float32 or wider", detail)
