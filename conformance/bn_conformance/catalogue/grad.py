"""GRAD: gradients in training and in inference. Only dx, dgamma and dbeta are judged.

dy is random, or a spike: a dy that is constant or affine in y makes dx about zero, and then a wrong dx would pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import GRADIENTS, Case, Freeze
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, fill, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.fwd import AFFINE, VALUES
from bn_conformance.catalogue.places import EVERYWHERE, FEW, FEW_AND_F64, Place

FAMILY = Family("GRAD", order=40, judges=GRADIENTS)
case = FAMILY.case

UPSTREAM = {
    "dy-offset": ("dy has a mean far from zero", normal("dy", offset=100.0)),
    "dy-small": ("dy is tiny", normal("dy", scale=2.0**-30)),
    "dy-large": ("dy is huge", normal("dy", scale=2.0**30)),
    "dy-spike": ("dy is one value a channel and zero elsewhere", DataRecipe(kind="outlier", offset=0.0, scale=1.0)),
    "dy-constant": ("dy is constant, so that dx is zero up to rounding", DataRecipe(kind="constant", scale=0.5)),
    "dy-zero": ("dy is zero, and so is every gradient", fill(0.0)),
}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in EVERYWHERE:
        title = "random data, parameters and dy"
        yield case(place, "random", title, "GRAD-1 GRAD-2 GRAD-3", train(place, dy=DY))
        yield case(place, "inference-random", "gradients in inference", "GRAD-4", KNOWN, evaluate(place, dy=DY))
    for place in FEW_AND_F64:
        yield from _upstream(place)
        yield from _data(place)
        title = "gradients belong to the latest forward"
        steps = train(place, normal("earlier")), train(place, normal("latest"), DY)
        yield case(place, "second-forward", title, "GRAD-1", *steps)
    for place in FEW:
        for variant, (gamma, beta) in AFFINE.items():
            title, config = f"a layer built with gamma={gamma}, beta={beta}", {"gamma": gamma, "beta": beta}
            yield case(place, variant, title, "GRAD-1 FWD-4", train(place, dy=DY), config=config)
            inference = KNOWN, evaluate(place, dy=DY)
            yield case(place, f"inference-{variant}", title, "GRAD-4 FWD-4", *inference, config=config)
        title = "gradients of a frozen layer in training"
        yield case(place, "frozen", title, "GRAD-4 STATE-3", KNOWN, Freeze(), train(place, dy=DY))


def _upstream(place: Place) -> Iterator[Case]:
    for variant, (title, dy) in UPSTREAM.items():
        clauses = "GRAD-5" if variant == "dy-zero" else "GRAD-5 GRAD-1"
        yield case(place, variant, title, clauses, train(place, dy=dy))
    title, constant = "dy is constant in inference, where dx is not zero for it", UPSTREAM["dy-constant"][1]
    yield case(place, "inference-dy-constant", title, "GRAD-4 GRAD-5", KNOWN, evaluate(place, dy=constant))


def _data(place: Place) -> Iterator[Case]:
    for eps, scale in ((0.25, 0.5), (4.0, 1.0), (1e-5, 0.003)):
        title, step = f"eps = {eps:g} beside a variance of the same size", train(place, normal("eps", scale=scale), DY)
        yield case(place, f"eps-{eps:g}", title, "GRAD-1 FWD-2", step, config={"eps": eps})
    for variant, (title, parameters, x) in VALUES.items():
        yield case(place, variant, title, "GRAD-1 FWD-3", train(place, x, DY), parameters=parameters)
    for offset in (10.0, 1000.0):
        title, x, axes = f"data of mean {offset:g}", normal("x", offset=offset), {"offset": offset}
        yield case(place, f"offset-{offset:g}", title, "GRAD-1 NUM-1", train(place, x, DY), axes=axes)
        inference = KNOWN, evaluate(place, x, DY)
        yield case(place, f"inference-offset-{offset:g}", title, "GRAD-4 NUM-1", *inference, axes=axes)
