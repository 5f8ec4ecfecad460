"""EVAL: inference from statistics that were set. Only y (and that nothing moves) is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import OUTPUTS, STATISTICS, Case, Parameters, SetStatistics
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    F32,
    FORMATS,
    IMAGES,
    MEAN,
    NC,
    NCHW,
    PARAMETERS,
    VARIANCE,
    WIDE,
    Formats,
    Layout,
    evaluate,
    make,
    normal,
    places,
    resized,
)
from bn_conformance.catalogue.fwd import AFFINE


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats):
            yield _case(layout, formats, "random", "random data, parameters and statistics", ("EVAL-1",))
    for formats in WIDE:
        for layout in (NC, *IMAGES) if formats == F32 else (NCHW,):
            yield from _eps(layout, formats)
            for offset in (1.0, 100.0, 1e4, 1e6):
                x, mean = normal("x", offset=offset), Recipe(kind="centred", seed=3, offset=offset)
                title = f"data and running mean near {offset:g}"
                yield _case(
                    layout, formats, f"offset-{offset:g}", title, ("EVAL-1", "NUM-1"), x, mean, axes={"offset": offset}
                )
            for variance in (2.0**-40, 2.0**40):
                recipe = Recipe(kind="positive", seed=4, scale=variance)
                title = f"running variances near {variance:g}"
                yield _case(layout, formats, f"variance-{variance:g}", title, ("EVAL-1",), variance=recipe)
            zero = Recipe(kind="fill", offset=0.0)
            yield _case(layout, formats, "variance-zero", "a running variance of zero", ("EVAL-2",), variance=zero)
            yield from _extreme_variances(layout, formats)
            yield from _coincidences(layout, formats)
    for layout in (NC, *IMAGES):
        for slug, (gamma, beta) in AFFINE.items():
            title = f"a layer built with gamma={gamma}, beta={beta}"
            yield _case(layout, F32, slug, title, ("EVAL-1", "FWD-4"), config={"gamma": gamma, "beta": beta})
    for layout, shape in ((NCHW, (1, 3, 5, 5)), (IMAGES[1], (1, 5, 5, 3))):
        title = "a batch of one: inference depends on nothing of its batch"
        yield _case(resized(layout, shape), F32, "single", title, ("EVAL-3",), sweep=layout is not NCHW)


def _extreme_variances(layout: Layout, formats: Formats) -> Iterator[Case]:
    tiny, huge = 2.0**-40, 2.0**40
    variance = Recipe(kind="positive", seed=seed_of("tiny variance"), scale=tiny)
    title = "running variances and eps near 2**-40: neither has a floor"
    yield _case(layout, formats, "variance-and-eps-tiny", title, ("EVAL-1",), variance=variance, config={"eps": tiny})
    x, variance = normal("x", scale=2.0**20), Recipe(kind="positive", seed=seed_of("huge variance"), scale=huge)
    title = "running variances near 2**40 and x near 2**20: there is no ceiling"
    yield _case(layout, formats, "variance-and-x-large", title, ("EVAL-1",), x, variance=variance)
    variance = Recipe(kind="positive", seed=seed_of("huge variance"), scale=2.0**80)
    title = "running variances that are huge beside x: y is near beta"
    yield _case(layout, formats, "variance-huge", title, ("EVAL-1",), variance=variance)


def _coincidences(layout: Layout, formats: Formats) -> Iterator[Case]:
    """Vectors that are equal, to each other or to what a layer begins with, and are nevertheless themselves."""
    same = Parameters(gamma=VARIANCE, beta=MEAN)
    title = "gamma equals the running variance and beta the running mean"
    yield _case(layout, formats, "parameters-are-statistics", title, ("EVAL-1",), parameters=same)
    zeros, ones = Recipe(kind="fill", offset=0.0), Recipe(kind="fill", offset=1.0)
    for slug, parameters in (("", PARAMETERS), ("-and-parameters", None)):
        title = (
            f"a running mean of 0 and a running variance of 1{', default parameters' if slug else ''}: eps still counts"
        )
        yield _case(
            layout, formats, f"initial-statistics{slug}", title, ("EVAL-1",), None, zeros, ones, parameters=parameters
        )
    alike = Recipe(kind="alike", seed=seed_of("alike"), offset=0.5)
    mean, variance = Recipe(kind="fill", offset=0.25), Recipe(kind="fill", offset=0.75)
    for slug, parameters in (
        (
            "identical-channels",
            Parameters(gamma=Recipe(kind="fill", offset=1.5), beta=Recipe(kind="fill", offset=-0.5)),
        ),
        ("identical-channels-own-parameters", PARAMETERS),
    ):
        title = "channels with the same data and statistics"
        yield _case(layout, formats, slug, title, ("EVAL-1",), alike, mean, variance, parameters=parameters)


def _eps(layout: Layout, formats: Formats) -> Iterator[Case]:
    for eps in (2.0**-10, 0.25, 4.0, 1e-3, 1e-5):
        variance = Recipe(kind="positive", seed=seed_of("small variance"), scale=eps)
        title = f"eps = {eps:g} beside a running variance of the same size"
        yield _case(
            layout,
            formats,
            f"eps-{eps:g}",
            title,
            ("EVAL-2",),
            variance=variance,
            config={"eps": eps},
            axes={"eps": eps},
        )
    variance = Recipe(kind="positive", seed=seed_of("small variance"), scale=1e-4)
    title = "the implementation's own eps"
    yield _case(layout, formats, "eps-default", title, ("EVAL-2", "FWD-5"), variance=variance, config={"eps": None})


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    x: Recipe | None = None,
    mean: Recipe = MEAN,
    variance: Recipe = VARIANCE,
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
    sweep: bool = False,
    parameters: Parameters | None = PARAMETERS,
) -> Case:
    steps = (SetStatistics(mean, variance), evaluate(layout, x or normal("x", offset=0.5)))
    judges = OUTPUTS | STATISTICS - {"running_var"}
    return make(
        "EVAL", layout, formats, variant, title, clauses, steps, config, axes,
        parameters=parameters, judges=judges, sweep=sweep,
    )  # fmt: skip
