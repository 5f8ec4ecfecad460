"""SECOND: gradients of the gradients. Only they are judged.

v_dx, v_dgamma and v_dbeta are random, or all but one of them are zero, so that each term stands alone in some case.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import SECOND_ORDER, Case, Freeze, Second, Step
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    DY,
    F32,
    F64,
    NC,
    NCHW,
    NHWC,
    PARAMETERS,
    Formats,
    Layout,
    evaluate,
    known_statistics,
    make,
    normal,
    train,
)
from bn_conformance.catalogue.fwd import VALUES

V_DX = normal("v_dx")
V_DGAMMA = Recipe(kind="centred", seed=seed_of("v_dgamma"), offset=0.5)
V_DBETA = Recipe(kind="centred", seed=seed_of("v_dbeta"), offset=-0.5)
NOTHING = Recipe(kind="fill", offset=0.0)
ALL = Second(v_dx=V_DX, v_dgamma=V_DGAMMA, v_dbeta=V_DBETA)
TRAINING = ("SECOND-1", "SECOND-2", "SECOND-3")
WITHOUT_GAMMA = ("SECOND-1", "SECOND-3")
ALONE = {
    "dx-alone": ("only dx is weighed, as by a gradient penalty", Second(v_dx=V_DX), TRAINING),
    "dgamma-alone": ("only dgamma is weighed", Second(v_dx=NOTHING, v_dgamma=V_DGAMMA), WITHOUT_GAMMA),
    "dbeta-alone": ("only dbeta is weighed", Second(v_dx=NOTHING, v_dbeta=V_DBETA), ("SECOND-3",)),
}
"""What is weighed, with the clauses that it leaves to be tested in training: the rest is zero."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for layout, formats in ((NC, F32), (NCHW, F32), (NHWC, F32), (NCHW, F64)):
        yield _training(layout, formats, "random", "random data, parameters, dy and weights of the gradients")
        for slug, (title, second, clauses) in ALONE.items():
            yield _training(layout, formats, slug, title, clauses, second=second)
            yield _inference(layout, formats, f"inference-{slug}", f"{title}, in inference", second=second)
        yield _inference(layout, formats, "inference-random", "second order in inference")
        for offset in (10.0, 1000.0):
            x, axes = normal("x", offset=offset), {"offset": offset}
            title = f"data of mean {offset:g}"
            yield _training(layout, formats, f"offset-{offset:g}", title, x=x, axes=axes)
        title, upstream = "dy has a mean far from zero", normal("dy", offset=10.0)
        yield _training(layout, formats, "dy-offset", title, dy=upstream)
        title, second = "v_dx has a mean far from zero", Second(v_dx=normal("v_dx", offset=10.0))
        yield _training(layout, formats, "v-offset", title, second=second)
        eps, scale = 0.25, 0.5
        title = f"eps = {eps:g} beside a variance of the same size"
        yield _training(layout, formats, f"eps-{eps:g}", title, x=normal("eps", scale=scale), config={"eps": eps})
        steps: tuple[Step, ...] = (known_statistics(), Freeze(), train(layout, dy=DY, second=ALL))
        yield _case(layout, formats, "frozen", "second order of a frozen layer in training", ("SECOND-4",), steps)
    for layout in (NC, NCHW):
        for slug, (title, parameters, values) in VALUES.items():
            yield _training(layout, F32, slug, title, x=values, parameters=parameters)
        for slug, (gamma, beta) in {"no-affine": (False, False), "no-beta": (True, False)}.items():
            title, config = f"a layer built with gamma={gamma}, beta={beta}", {"gamma": gamma, "beta": beta}
            yield _training(layout, F32, slug, title, TRAINING if gamma else WITHOUT_GAMMA, config=config)
            yield _inference(layout, F32, f"inference-{slug}", title, config=config)
        steps = (train(layout, normal("earlier"), DY, second=ALL), train(layout, normal("latest"), DY, second=ALL))
        yield _case(layout, F32, "second-forward", "second order belongs to the latest forward", TRAINING, steps)


def _training(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...] = TRAINING,
    x: Recipe | None = None,
    dy: Recipe = DY,
    second: Second = ALL,
    **more: Any,
) -> Case:
    steps = (train(layout, x or normal("x", offset=0.5), dy, second=second),)
    return _case(layout, formats, variant, title, clauses, steps, **more)


def _inference(layout: Layout, formats: Formats, variant: str, title: str, second: Second = ALL, **more: Any) -> Case:
    steps = (known_statistics(), evaluate(layout, normal("x", offset=0.5), DY, second=second))
    return _case(layout, formats, variant, title, ("SECOND-4",), steps, **more)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    **more: Any,
) -> Case:
    settings: dict[str, Any] = {"parameters": PARAMETERS, "judges": SECOND_ORDER, **more}
    return make("SECOND", layout, formats, variant, title, clauses, steps, **settings)
