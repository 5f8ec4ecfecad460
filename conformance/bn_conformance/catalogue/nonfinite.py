"""EDGE-4 and others: NaN and infinities in gamma, beta and set statistics, and running variances that are negative.

What a broken channel does to itself is what arithmetic gives: any NaN or infinity will do where the definition has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan

from bn_conformance.cases.model import GRADIENTS, OUTPUTS, Case, ParameterRecipes, SetStatistics
from bn_conformance.catalogue.build import (
    DY,
    KNOWN,
    MEAN,
    PARAMETERS,
    VARIANCE,
    evaluate,
    fields,
    fill,
    normal,
    single,
    special,
    train,
)
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import NC, NHWC, Place

FAMILY = Family("EDGE", order=135, nonfinite_alike=True)
case = FAMILY.case

RESULTS = OUTPUTS | GRADIENTS

VALUES = {"nan": nan, "inf": inf}


def cases() -> Iterator[Case]:
    """Every case of vectors that are not finite, or not positive."""
    for place in (NC, NHWC):
        for slug, value in VALUES.items():
            yield from _parameters(place, slug, value)
            yield _statistics(place, slug, value)
        title, zero = "NaN among the values of a channel where gamma is 0", ParameterRecipes(gamma=fill(0.0), beta=MEAN)
        step, look = train(place, special("x", nan)), evaluate(place, special("x", nan))
        yield case(place, "nan-times-gamma-0", title, "EDGE-4", step, KNOWN, look, parameters=zero, judges=OUTPUTS)
        yield from _negative_variance(place)


def _parameters(place: Place, slug: str, value: float) -> Iterator[Case]:
    """A value in gamma, or in beta, of channel 1."""
    steps = train(place, dy=DY), KNOWN, evaluate(place, normal("other"), DY)
    for name, parameters in (
        ("gamma", ParameterRecipes(gamma=single(1, value), beta=PARAMETERS.beta)),
        ("beta", ParameterRecipes(gamma=PARAMETERS.gamma, beta=single(1, value))),
    ):
        title = f"{value} in {name} of one channel, in training and in inference"
        yield case(place, f"{slug}-in-{name}", title, "EDGE-4", *steps, parameters=parameters, judges=RESULTS)


def _statistics(place: Place, slug: str, value: float) -> Case:
    """A value in the running mean, then in the running variance, of channel 1."""
    look = evaluate(place, dy=DY)
    steps = SetStatistics(single(1, value), VARIANCE), look, SetStatistics(MEAN, single(1, value)), look
    title = f"{value} in the running mean, then in the running variance, of one channel"
    return case(place, f"{slug}-in-statistics", title, "EDGE-4", *steps, judges=RESULTS)


def _negative_variance(place: Place) -> Iterator[Case]:
    more = fields(family="EVAL", judges=OUTPUTS, expects="numbers-or-refusal")
    for variant, value, title in (
        ("variance-negative", -1.0, "a running variance of -1 in one channel: there is no root, and y says so"),
        ("variance-above-minus-eps", -(2.0**-11), "a running variance of -eps / 2 in one channel: eps / 2 has a root"),
    ):
        steps = SetStatistics(MEAN, single(1, value)), evaluate(place)
        yield case(place, variant, title, "EVAL-4", *steps, **more)
