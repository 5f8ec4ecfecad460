"""SECOND: gradients of the gradients. Only they are judged.

v_dx, v_dgamma and v_dbeta are random, or all but one of them are zero, so that each term stands alone in some case.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import SECOND_ORDER, Case, Freeze, Second
from bn_conformance.cases.recipes import seed_of
from bn_conformance.catalogue.build import DY, KNOWN, centred, evaluate, fill, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.fwd import VALUES
from bn_conformance.catalogue.places import FEW_AND_F64, NC, NCHW, Place

FAMILY = Family("SECOND", order=60, judges=SECOND_ORDER)
case = FAMILY.case

V_DX = normal("v_dx")
V_DGAMMA = centred(seed_of("v_dgamma"), offset=0.5)
V_DBETA = centred(seed_of("v_dbeta"), offset=-0.5)
NOTHING = fill(0.0)
ALL = Second(v_dx=V_DX, v_dgamma=V_DGAMMA, v_dbeta=V_DBETA)
TRAINING = "SECOND-1 SECOND-2 SECOND-3"
WITHOUT_GAMMA = "SECOND-1 SECOND-3"
ALONE = {
    "dx-alone": ("only dx is weighed, as by a gradient penalty", Second(v_dx=V_DX), TRAINING),
    "dgamma-alone": ("only dgamma is weighed", Second(v_dx=NOTHING, v_dgamma=V_DGAMMA), WITHOUT_GAMMA),
    "dbeta-alone": ("only dbeta is weighed", Second(v_dx=NOTHING, v_dbeta=V_DBETA), "SECOND-3"),
}
"""What is weighed, with the clauses that it leaves to be tested in training: the rest is zero."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in FEW_AND_F64:
        yield from _weights(place)
        yield from _data(place)
        title = "second order of a frozen layer in training"
        yield case(place, "frozen", title, "SECOND-4", KNOWN, Freeze(), train(place, dy=DY, second=ALL))
    for place in (NC, NCHW):
        yield from _parameters(place)
        latest = train(place, normal("earlier"), DY, second=ALL), train(place, normal("latest"), DY, second=ALL)
        yield case(place, "second-forward", "second order belongs to the latest forward", TRAINING, *latest)


def _weights(place: Place) -> Iterator[Case]:
    title = "random data, parameters, dy and weights of the gradients"
    yield case(place, "random", title, TRAINING, train(place, dy=DY, second=ALL))
    for variant, (title, second, clauses) in ALONE.items():
        yield case(place, variant, title, clauses, train(place, dy=DY, second=second))
        inference = KNOWN, evaluate(place, dy=DY, second=second)
        yield case(place, f"inference-{variant}", f"{title}, in inference", "SECOND-4", *inference)
    inference = KNOWN, evaluate(place, dy=DY, second=ALL)
    yield case(place, "inference-random", "second order in inference", "SECOND-4", *inference)


def _data(place: Place) -> Iterator[Case]:
    for offset in (10.0, 1000.0):
        title, step = f"data of mean {offset:g}", train(place, normal("x", offset=offset), DY, second=ALL)
        yield case(place, f"offset-{offset:g}", title, TRAINING, step, axes={"offset": offset})
    title, step = "dy has a mean far from zero", train(place, dy=normal("dy", offset=10.0), second=ALL)
    yield case(place, "dy-offset", title, TRAINING, step)
    title, second = "v_dx has a mean far from zero", Second(v_dx=normal("v_dx", offset=10.0))
    yield case(place, "v-offset", title, TRAINING, train(place, dy=DY, second=second))
    title, step = (
        "eps = 0.25 beside a variance of the same size",
        train(place, normal("eps", scale=0.5), DY, second=ALL),
    )
    yield case(place, "eps-0.25", title, TRAINING, step, config={"eps": 0.25})


def _parameters(place: Place) -> Iterator[Case]:
    for variant, (title, parameters, x) in VALUES.items():
        yield case(place, variant, title, TRAINING, train(place, x, DY, second=ALL), parameters=parameters)
    for variant, gamma, clauses in (("no-affine", False, WITHOUT_GAMMA), ("no-beta", True, TRAINING)):
        title, config = f"a layer built with gamma={gamma}, beta=False", {"gamma": gamma, "beta": False}
        yield case(place, variant, title, clauses, train(place, dy=DY, second=ALL), config=config)
        inference = KNOWN, evaluate(place, dy=DY, second=ALL)
        yield case(place, f"inference-{variant}", title, "SECOND-4", *inference, config=config)
