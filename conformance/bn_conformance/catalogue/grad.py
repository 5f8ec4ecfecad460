"""GRAD: gradients in training and in inference. Only dx, dgamma and dbeta are judged.

dy is random, or a spike: a dy that is constant or affine in y makes dx about zero, and then a wrong dx would pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import GRADIENTS, Case, Freeze, Parameters, SetStatistics, Step
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    DY,
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
    train,
)
from bn_conformance.catalogue.fwd import AFFINE, VALUES

UPSTREAM = {
    "dy-offset": ("dy has a mean far from zero", normal("dy", offset=100.0)),
    "dy-small": ("dy is tiny", normal("dy", scale=2.0**-30)),
    "dy-large": ("dy is huge", normal("dy", scale=2.0**30)),
    "dy-spike": ("dy is one value a channel and zero elsewhere", Recipe(kind="outlier", offset=0.0, scale=1.0)),
    "dy-constant": ("dy is constant, so that dx is zero up to rounding", Recipe(kind="constant", scale=0.5)),
    "dy-zero": ("dy is zero, and so is every gradient", Recipe(kind="fill", offset=0.0)),
}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats):
            yield _training(layout, formats, "random", "random data, parameters and dy", ("GRAD-1", "GRAD-2", "GRAD-3"))
            yield _inference(layout, formats, "inference-random", "gradients in inference", ("GRAD-4",))
    for formats in WIDE:
        for layout in (NC, *IMAGES) if formats == F32 else (NCHW,):
            for slug, (title, dy) in UPSTREAM.items():
                clauses = ("GRAD-5",) if slug == "dy-zero" else ("GRAD-5", "GRAD-1")
                yield _training(layout, formats, slug, title, clauses, dy=dy)
            constant, title = UPSTREAM["dy-constant"][1], "dy is constant in inference, where dx is not zero for it"
            yield _inference(layout, formats, "inference-dy-constant", title, ("GRAD-4", "GRAD-5"), dy=constant)
            for eps, scale in ((0.25, 0.5), (4.0, 1.0), (1e-5, 0.003)):
                x, title = normal("eps", scale=scale), f"eps = {eps:g} beside a variance of the same size"
                clauses = ("GRAD-1", "FWD-2")
                yield _training(layout, formats, f"eps-{eps:g}", title, clauses, x=x, config={"eps": eps})
            for slug, (title, parameters, values) in VALUES.items():
                yield _training(layout, formats, slug, title, ("GRAD-1", "FWD-3"), x=values, parameters=parameters)
            for offset in (10.0, 1000.0):
                x, title = normal("x", offset=offset), f"data of mean {offset:g}"
                clauses, axes = ("GRAD-1", "NUM-1"), {"offset": offset}
                yield _training(layout, formats, f"offset-{offset:g}", title, clauses, x=x, axes=axes)
                clauses = ("GRAD-4", "NUM-1")
                yield _inference(layout, formats, f"inference-offset-{offset:g}", title, clauses, x=x, axes=axes)
            yield _second_forward(layout, formats)
    for layout in (NC, *IMAGES):
        for slug, (gamma, beta) in AFFINE.items():
            title, config = f"a layer built with gamma={gamma}, beta={beta}", {"gamma": gamma, "beta": beta}
            yield _training(layout, F32, slug, title, ("GRAD-1", "FWD-4"), config=config)
            yield _inference(layout, F32, f"inference-{slug}", title, ("GRAD-4", "FWD-4"), config=config)
        steps = (SetStatistics(MEAN, VARIANCE), Freeze(), train(layout, dy=DY))
        title = "gradients of a frozen layer in training"
        yield _case(layout, F32, "frozen", title, ("GRAD-4", "STATE-3"), steps)


def _second_forward(layout: Layout, formats: Formats) -> Case:
    steps = (train(layout, normal("earlier")), train(layout, normal("latest"), DY))
    title = "gradients belong to the latest forward"
    return _case(layout, formats, "second-forward", title, ("GRAD-1",), steps)


def _training(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    x: Recipe | None = None,
    dy: Recipe = DY,
    parameters: Parameters | None = PARAMETERS,
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
) -> Case:
    steps = (train(layout, x or normal("x", offset=0.5), dy),)
    return _case(layout, formats, variant, title, clauses, steps, parameters, config, axes)


def _inference(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    x: Recipe | None = None,
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
    dy: Recipe = DY,
) -> Case:
    steps = (SetStatistics(MEAN, VARIANCE), evaluate(layout, x or normal("x", offset=0.5), dy))
    return _case(layout, formats, variant, title, clauses, steps, config=config, axes=axes)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    parameters: Parameters | None = PARAMETERS,
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
) -> Case:
    return make(
        "GRAD", layout, formats, variant, title, clauses, steps, config, axes, parameters=parameters, judges=GRADIENTS
    )
