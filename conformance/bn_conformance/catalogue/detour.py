"""Tours at places that a search chose: each has many pairs of a path and a size or setting that `tour.py` lacks.

Pairs are those of the grammar of conditional mutants: rank, place of the channels or format with a class of C, of N,
of space, of n, of memory, of the mean, or with a setting. Some places have equal sizes along several axes, so that a
vector that is laid along the wrong one raises no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, nan

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import (
    GRADIENTS,
    OUTPUTS,
    STATISTICS,
    Case,
    Freeze,
    Reload,
    SetParameters,
    SetStatistics,
)
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, PARAMETERS, VARIANCE, fields, single, special
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, F16, F16_WIDE, F64, NC, NCDHW, NCHW, NCL, NHCW, NHWC, NLC
from bn_conformance.catalogue.state import MOVED, OTHER
from bn_conformance.catalogue.tour import STOPS as USUAL
from bn_conformance.catalogue.tour import Steps, Stop, tours_at

FAMILY = Family(order=245, sweep=True)

OWN = {"eps": None, "momentum": None}
"""The implementation's own defaults."""

MOMENTA = (0.1, 0.0, 1.0, CUMULATIVE)

PLAIN = {"gamma": False, "beta": False}

WITHOUT_SECOND = ("inference", "state", "masked")

STOPS: Mapping[str, Stop] = {
    "batch": Stop(NC.resized(128, 16).of(BF16_WIDE), {"beta": False, **OWN}, ("offset", "contiguous"), offset=40.0),
    "line": Stop(NHCW.resized(1, 33, 1, 16).of(BF16_WIDE), {"beta": False, "eps": 0.5}, ("transposed", "strided")),
    "brick": Stop(
        NCDHW.resized(3, 1, 17, 2, 9).of(F64),
        {"gamma": False, "eps": 0.6, "momentum": 0.7},
        ("offset", "offset"),
        offset=1500.0,
        tours=WITHOUT_SECOND,
    ),
    "signal": Stop(NLC.resized(1, 5, 512).of(BF16_WIDE), {"beta": False, "momentum": 0.75}, ("fortran", "contiguous")),
    "series": Stop(
        NLC.resized(32, 1, 32).of(F64), {"eps": 0.7, "momentum": None}, ("contiguous", "transposed"), offset=1500.0
    ),
    "column": Stop(NHCW.resized(16, 2, 12, 1).of(F16), {**PLAIN, "eps": 2.0**-16}, ("fortran", "strided")),
    "tall": Stop(
        NHWC.resized(2, 32, 17, 2).of(BF16_WIDE), {"gamma": False, **OWN}, ("contiguous", "offset"), offset=4.0
    ),
    "odd-vectors": Stop(
        NC.resized(8, 33),
        {"gamma": False, "eps": 2.0**-24, "momentum": 0.75},
        ("offset", "strided"),
        offset=4.0,
        tours=WITHOUT_SECOND,
    ),
    "narrow-sequence": Stop(NCL.resized(1, 64, 7).of(F16_WIDE), PLAIN, ("contiguous", "strided"), offset=4.0),
    "tabular": Stop(NC.resized(8, 512), {**PLAIN, **OWN}, ("fortran", "strided"), offset=4.0),
    "stripe": Stop(NCHW.resized(1, 32, 2, 33).of(F64), {"beta": False, "eps": 0.001}, ("transposed", "offset")),
    "frames": Stop(NCL.resized(5, 96, 1), {"eps": 0.001, "momentum": 1.0}, ("contiguous", "transposed"), before=10),
    "cube": Stop(NCL.resized(4, 4, 4), {"beta": False, **OWN}, ("fortran", "fortran"), offset=40.0),
    "cube-between": Stop(
        NHCW.resized(3, 3, 3, 3).of(F64), {"gamma": False, "momentum": 1.0}, ("offset", "strided"), offset=1500.0
    ),
    "square-table": Stop(NC.resized(16, 16).of(F16_WIDE), {"momentum": 0.75, "eps": 1.0}, ("strided", "offset")),
}
"""Where they are made, by name."""

USUAL_WITH_EXTREMES = ("odd", "image", "one-channel", "sequence", "old", "first-image", "mixed-between", "sentence")
"""Stops of `tour.py` where the tour of extremes is made too."""


WITH_NON_FINITE = ("image", "sequence", "wide", "mixed-between", "sentence", "between", "volume", "square-half")
"""Stops of `tour.py` where NaN and infinities are tried too."""


def cases() -> Iterator[Case]:
    """Every tour there."""
    for slug, stop in STOPS.items():
        yield from tours_at(FAMILY, slug, stop, ("training", *stop.tours, "extremes"))
        yield from _momenta(slug, stop)
        yield _changed(slug, stop)
        if stop.place.channels > 1:
            yield from _non_finite(slug, stop)
            yield _negative(slug, stop)
    for slug in USUAL_WITH_EXTREMES:
        yield from tours_at(FAMILY, slug, USUAL[slug], ("extremes",))
    for slug in WITH_NON_FINITE:
        yield from _non_finite(slug, USUAL[slug])
        yield _negative(slug, USUAL[slug])


def _momenta(slug: str, stop: Stop) -> Iterator[Case]:
    """Four steps with each weight of the new statistic that code treats apart, and one that float32 cannot hold."""
    make = Steps(stop)
    for momentum in MOMENTA:
        steps = (make.train(role, dy=None) for role in ("first", "second", "third", "fourth"))
        title = f"four steps with momentum {momentum}"
        more = fields(config={**stop.config, "momentum": momentum}, judges=STATISTICS, axes={"momentum": momentum})
        yield FAMILY.case(stop.place, f"tour-{slug}-momentum-{momentum}", title, "STAT-1 STAT-2", *steps, **more)


def _changed(slug: str, stop: Stop) -> Case:
    """Parameters, statistics and the state change between a forward and its backward; then those of a frozen layer."""
    make, single_2 = Steps(stop), SetParameters(gamma=single(0, 2.0), beta=single(0, 2.0))
    steps = (
        make.train("first", between=(OTHER,)),
        KNOWN,
        make.evaluate("look", DY, between=(MOVED,)),
        make.train("second", between=(single_2, Reload())),
        Freeze(),
        KNOWN,
        make.train("frozen"),
        OTHER,
        make.train("frozen too", between=(single_2,)),
    )
    title = "what a forward used changes before its backward, in training, in inference and in a frozen layer"
    more = fields(config=stop.config, expects="numbers-or-refusal", judges=OUTPUTS | GRADIENTS)
    return FAMILY.case(stop.place, f"tour-{slug}-changed", title, "STATE-8", *steps, **more)


def _non_finite(slug: str, stop: Stop) -> Iterator[Case]:
    """NaN in x, in gamma, beta and running statistics of channel 1: the other channels go on as if there were none."""
    make = Steps(stop)
    steps = (
        make.train(special("first", nan)),
        make.evaluate("look"),
        KNOWN,
        make.train("second"),
        make.evaluate(special("look", nan), DY),
        SetParameters(gamma=single(1, nan), beta=single(1, inf)),
        make.train("third"),
        make.evaluate("other", DY),
        SetParameters(gamma=PARAMETERS.gamma, beta=PARAMETERS.beta),
        SetStatistics(single(1, nan), VARIANCE),
        make.evaluate("look", DY),
        SetStatistics(MEAN, single(1, inf)),
        make.evaluate("look", DY),
    )
    before = [make.train(f"before {n % 5}", dy=None, judge=False) for n in range(stop.before)]
    title = "NaN in x, then in gamma, beta and statistics of one channel, in a row"
    more = fields(config=stop.config, nonfinite_alike=True, judges=OUTPUTS | GRADIENTS)
    yield FAMILY.case(stop.place, f"tour-{slug}-non-finite", title, "EDGE-4", *before, *steps, **more)


def _negative(slug: str, stop: Stop) -> Case:
    """A running variance below -eps in one channel, then in another, and of 1 in the others."""
    make = Steps(stop)
    looks = make.evaluate("look"), make.evaluate("other")
    steps = (SetStatistics(MEAN, single(1, -2.0)), *looks, SetStatistics(MEAN, single(0, -2.0)), *looks)
    title = "a running variance of -2 in one channel, then in another: there is no root, and y says so"
    more = fields(config=stop.config, nonfinite_alike=True, judges=OUTPUTS, expects="numbers-or-refusal")
    return FAMILY.case(stop.place, f"tour-{slug}-negative", title, "EVAL-4", *steps, **more)
