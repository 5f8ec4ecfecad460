"""MASK and SECOND together with what else a layer does: freezing, averages, repeated backwards, odd values.

Every shape but those of the sweep is one that other families have.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import OUTPUTS, SECOND_ORDER, STATISTICS, Case, Freeze
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.between import EARLIER
from bn_conformance.catalogue.build import DY, KNOWN, X, evaluate, fields, normal, special, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.mask import RANDOM
from bn_conformance.catalogue.places import FEW, NC, NCHW, Place
from bn_conformance.catalogue.second import ALL
from bn_conformance.catalogue.state import OTHER

FAMILY = Family("MASK", order=70)
case = FAMILY.case

EVERY_SECOND = MaskRecipe(kind="samples")
"""It counts the place where `special` data have their special value, in each of the layouts here."""


def cases() -> Iterator[Case]:
    """Every case of a mask, or of a second order, with something else."""
    for place in FEW:
        yield from _masked(place)
    second = fields(family="SECOND", judges=SECOND_ORDER)
    for place in (NC, NCHW):
        constant = DataRecipe(kind="constant", offset=0.25, scale=0.5)
        for eps, variant, x, title in (
            (0.25, "constant", constant, "second order of constant channels, where eps alone is under the root"),
            (1e-5, "eps-1e-05", X, "second order with the eps that many layers have"),
        ):
            step, config = train(place, x, DY, second=ALL), {"eps": eps}
            yield case(place, variant, title, "SECOND-1", step, config=config, **second)
    for count in (129, 1025):
        place, title = NC.resized(count, 5), f"a random mask of {count} values a channel"
        yield case(place, "random", title, "MASK-1 MASK-3", train(place, dy=DY, mask=RANDOM), sweep=True)


def _masked(place: Place) -> Iterator[Case]:
    step, look = train(place, dy=DY, mask=RANDOM), evaluate(place)
    title = "a mask in training of a frozen layer changes nothing"
    yield case(place, "frozen", title, "STATE-3", KNOWN, Freeze(), step, look)
    title, config = "a cumulative average of masked batches", {"momentum": CUMULATIVE}
    batches = [train(place, normal(f"masked {index}"), mask=RANDOM) for index in range(3)]
    yield case(place, "cumulative", title, "MASK-2 STAT-8", *batches, look, config=config)
    title, none = "a random mask, in a layer without gamma and beta", {"gamma": False, "beta": False}
    yield case(place, "no-affine", title, "MASK-3", step, config=none)
    title, twice = "two backwards of one masked forward", train(place, dy=DY, mask=RANDOM, between=(EARLIER,))
    yield case(place, "backward-twice", title, "MASK-3", twice)
    title = "parameters are set between a masked forward and its backward"
    changed = train(place, dy=DY, mask=RANDOM, between=(OTHER,))
    yield case(place, "backward-after-set-parameters", title, "STATE-8", changed, expects="numbers-or-refusal")
    title, odd = "NaN at a position that counts", train(place, special("x", nan), mask=EVERY_SECOND)
    judges = OUTPUTS | STATISTICS
    yield case(place, "counted-nan", title, "EDGE-4", odd, look, judges=judges, nonfinite_alike=True)
    title = "the caller writes over its mask as soon as the forward is over"
    other = train(place, normal("next"), DY, mask=EVERY_SECOND)
    yield case(place, "overwritten", title, "PURE-7", step, other, overwrites=True)
