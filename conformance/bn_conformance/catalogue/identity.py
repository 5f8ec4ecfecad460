"""PURE: which array and which layer it is: an array that holds other numbers now, and several layers that are alive."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, fields, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, F64, FEW, NC, NCHW, NHWC, Place
from bn_conformance.catalogue.state import MOVED, OTHER

FAMILY = Family("PURE", order=175)
case = FAMILY.case

AMONG = {"first": (0, 4), "middle": (2, 2), "last": (4, 0)}
"""Where the layer of a case stands among five: how many are built before it, and how many after it."""


NUMBERS = {5: "five", 9: "nine"}
"""How many layers there are, in words, as ids spell them."""


def cases() -> Iterator[Case]:
    """Every case of identity."""
    for place in (*FEW, NCHW.of(F64), NHWC.of(BF16_WIDE)):
        yield same_arrays(place)
    for slug, companions in AMONG.items():
        for place in (NC,) if slug == "middle" else FEW:
            yield among_others(place, slug, companions)


def same_arrays(place: Place) -> Case:
    """In training and in inference, with and without a backward, and with parameters and statistics set again."""
    title = "the caller passes the arrays of its last calls again, with other numbers in them"
    steps = (
        train(place, dy=DY),
        train(place, normal("second", offset=1.0), normal("other dy")),
        KNOWN,
        evaluate(place, normal("third"), DY),
        OTHER,
        evaluate(place, normal("fourth", offset=-1.0), normal("other dy")),
        MOVED,
        evaluate(place, normal("fifth")),
        evaluate(place, normal("sixth", offset=2.0)),
        train(place, normal("seventh"), DY),
    )
    more = fields(same_arrays=True, sweep=place.formats == F64)
    return case(place, "same-arrays", title, "PURE-9", *steps, **more)


def among_others(place: Place, slug: str, companions: tuple[int, int]) -> Case:
    """The layer of a case among others; the slug says where it stands."""
    layers = sum(companions) + 1
    title = f"the {slug} of {layers} layers that train and infer in turn, as those of a network do"
    steps = (
        train(place, normal("first"), DY),
        train(place, normal("second", offset=1.0), DY),
        evaluate(place, normal("third")),
        KNOWN,
        evaluate(place, normal("third"), DY),
        OTHER,
        train(place, normal("fourth"), DY),
        evaluate(place, normal("third")),
    )
    return case(place, f"among-{NUMBERS[layers]}-{slug}", title, "PURE-3", *steps, companions=companions)
