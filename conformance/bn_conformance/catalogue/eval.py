"""EVAL: inference from statistics that were set. Only y (and that nothing moves) is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import OUTPUTS, STATISTICS, Case, ParameterRecipes, SetStatistics
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import (
    MEAN,
    PARAMETERS,
    VARIANCE,
    X,
    centred,
    evaluate,
    fields,
    fill,
    normal,
    positive,
)
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.fwd import AFFINE
from bn_conformance.catalogue.places import EVERYWHERE, FEW, FEW_AND_F64, NCHW, NHWC, Place

FAMILY = Family("EVAL", order=30, judges=OUTPUTS | STATISTICS - {"running_var"})

TINY, HUGE = 2.0**-40, 2.0**40
SMALL_VARIANCE = seed_of("small variance")
HUGE_VARIANCE = seed_of("huge variance")

ALIKE = DataRecipe(kind="alike", seed=seed_of("alike"), offset=0.5)
"""Every channel holds the same data."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in EVERYWHERE:
        yield _inference(place, "random", "random data, parameters and statistics")
    for place in FEW_AND_F64:
        yield from _eps(place)
        for offset in (1.0, 100.0, 1e4, 1e6):
            title, numbers = f"data and running mean near {offset:g}", (normal("x", offset=offset), centred(3, offset))
            yield _inference(place, f"offset-{offset:g}", title, "EVAL-1 NUM-1", *numbers, axes={"offset": offset})
        for scale in (TINY, HUGE):
            title, variance = f"running variances near {scale:g}", positive(4, scale)
            yield _inference(place, f"variance-{scale:g}", title, variance=variance)
        yield _inference(place, "variance-zero", "a running variance of zero", "EVAL-2", variance=fill(0.0))
        yield from _extreme_variances(place)
        yield from _coincidences(place)
    for place in FEW:
        for variant, (gamma, beta) in AFFINE.items():
            title, config = f"a layer built with gamma={gamma}, beta={beta}", {"gamma": gamma, "beta": beta}
            yield _inference(place, variant, title, "EVAL-1 FWD-4", config=config)
    for place, sweep in ((NCHW.resized(1, 3, 5, 5), False), (NHWC.resized(1, 5, 5, 3), True)):
        title = "a batch of one: inference depends on nothing of its batch"
        yield _inference(place, "single", title, "EVAL-3", sweep=sweep)


def _eps(place: Place) -> Iterator[Case]:
    for eps in (2.0**-10, 0.25, 4.0, 1e-3, 1e-5):
        title, setting = f"eps = {eps:g} beside a running variance of the same size", {"eps": eps}
        variance = positive(SMALL_VARIANCE, eps)
        yield _inference(place, f"eps-{eps:g}", title, "EVAL-2", variance=variance, config=setting, axes=setting)
    title, variance = "the implementation's own eps", positive(SMALL_VARIANCE, 1e-4)
    yield _inference(place, "eps-default", title, "EVAL-2 FWD-5", variance=variance, config={"eps": None})


def _extreme_variances(place: Place) -> Iterator[Case]:
    title, variance = "running variances and eps near 2**-40: neither has a floor", seed_of("tiny variance")
    config = {"eps": TINY}
    yield _inference(place, "variance-and-eps-tiny", title, variance=positive(variance, TINY), config=config)
    title, x = "running variances near 2**40 and x near 2**20: there is no ceiling", normal("x", scale=2.0**20)
    yield _inference(place, "variance-and-x-large", title, x=x, variance=positive(HUGE_VARIANCE, HUGE))
    title = "running variances that are huge beside x: y is near beta"
    yield _inference(place, "variance-huge", title, variance=positive(HUGE_VARIANCE, HUGE**2))


def _coincidences(place: Place) -> Iterator[Case]:
    """Vectors that are equal, to each other or to what a layer begins with, and are nevertheless themselves."""
    title, same = (
        "gamma equals the running variance and beta the running mean",
        ParameterRecipes(gamma=VARIANCE, beta=MEAN),
    )
    yield _inference(place, "parameters-are-statistics", title, parameters=same)
    initial = fields(mean=fill(0.0), variance=fill(1.0))
    title = "a running mean of 0 and a running variance of 1"
    yield _inference(place, "initial-statistics", f"{title}: eps still counts", **initial)
    title = f"{title}, default parameters: eps still counts"
    yield _inference(place, "initial-statistics-and-parameters", title, **initial, parameters=None)
    title, constant = "channels with the same data and statistics", ParameterRecipes(gamma=fill(1.5), beta=fill(-0.5))
    alike = fields(x=ALIKE, mean=fill(0.25), variance=fill(0.75))
    yield _inference(place, "identical-channels", title, **alike, parameters=constant)
    yield _inference(place, "identical-channels-own-parameters", title, **alike, parameters=PARAMETERS)


def _inference(
    place: Place,
    variant: str,
    title: str,
    clauses: str = "EVAL-1",
    x: DataRecipe = X,
    mean: DataRecipe = MEAN,
    variance: DataRecipe = VARIANCE,
    **more: Any,
) -> Case:
    """Inference of x from a running mean and a running variance."""
    return FAMILY.case(place, variant, title, clauses, SetStatistics(mean, variance), evaluate(place, x), **more)
