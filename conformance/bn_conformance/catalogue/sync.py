"""SYNC: a batch in shards, whose replicas synchronise their statistics. Every shape is one that other families have.

The goldens are those of the whole batch. Entries of a batch are random and few, so that the means of shards differ by
far more than the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import Case, Step
from bn_conformance.cases.recipes import seed_of
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, F64, NC, NCDHW, NCHW, NCL, NDHWC, NHWC, NLC, Place

FAMILY = Family("SYNC", order=55)
case = FAMILY.case

THINNED = MaskRecipe(kind="thinned", seed=seed_of("mask of shards"))
RANDOM = MaskRecipe(seed=seed_of("other mask of shards"))
FIRST_HALF = MaskRecipe(kind="first-half")
HIDING = replace(THINNED, hidden=100.0)

ALL = "SYNC-1 SYNC-2 SYNC-3 SYNC-4"


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in (NC, NCHW.of(F64), NHWC, NHWC.of(BF16_WIDE)):
        half = place.shape[0] // 2
        yield case(place, "equal", "two equal shards", ALL, train(place, dy=DY, shards=(half, half)))
        first = place.shape[0] - 1
        title, shards = "two shards, the second of one entry", (first, 1)
        yield case(place, "unequal", title, ALL, train(place, dy=DY, shards=shards))
        yield _masked(place)
    for place in (NC, NHWC):
        yield from _unusual(place)
        yield from _unusually_masked(place)
    for place in (NCL, NLC, NCHW, NCDHW, NDHWC):
        half = place.shape[0] // 2
        yield case(place, "equal", "two equal shards", ALL, train(place, dy=DY, shards=(half, half)))
        yield _masked(place)


def _masked(place: Place) -> Case:
    title, half = "two equal shards, of which a mask counts different numbers of positions", place.shape[0] // 2
    return case(place, "masked", title, "SYNC-7", train(place, dy=DY, mask=THINNED, shards=(half, half)))


def _unusually_masked(place: Place) -> Iterator[Case]:
    entries = place.shape[0]
    half = entries // 2
    title = "two equal shards, of which the second is masked whole"
    yield case(place, "masked-whole", title, "SYNC-7", train(place, dy=DY, mask=FIRST_HALF, shards=(half, half)))
    title = "an empty shard between two of other sizes, and large values where a mask counts nothing"
    step = train(place, dy=DY, mask=HIDING, shards=(1, 0, entries - 1))
    yield case(place, "masked-unequal", title, "SYNC-7", step)
    title = "two equal shards with another mask each time, once without one, and inference in between"
    yield case(place, "masked-sequence", title, "SYNC-7 SYNC-4 STATE-1", KNOWN, *_masked_in_turn(place))


def _masked_in_turn(place: Place) -> Iterator[Step]:
    shards = (place.shape[0] // 2,) * 2
    for role, mask in (("first", THINNED), ("second", FIRST_HALF), ("third", None), ("fourth", RANDOM)):
        yield train(place, normal(role, offset=1.0), DY, mask=mask, shards=shards)
        yield evaluate(place)


def _unusual(place: Place) -> Iterator[Case]:
    entries = place.shape[0]
    title, shards = "three shards, of which the first and the last are empty", (0, entries, 0)
    yield case(place, "empty", title, "SYNC-5", train(place, dy=DY, shards=shards))
    title, shards = "an empty shard between two others", (1, 0, entries - 1)
    yield case(place, "empty-between", title, "SYNC-5 SYNC-1 SYNC-3", train(place, dy=DY, shards=shards))
    clauses, step = "SYNC-6 SYNC-1" if place is NC else ALL, train(place, dy=DY, shards=(1,) * entries)
    yield case(place, "singles", "as many shards as entries", clauses, step)
    title = "two shards of data of mean 1000"
    step = train(place, normal("x", offset=1000.0), DY, shards=(entries // 2,) * 2)
    yield case(place, "offset-1000", title, "SYNC-1 NUM-1", step, axes={"offset": 1000.0})
    title = "shards of other sizes in each step, and inference on the whole batch in between"
    clauses = "SYNC-1 SYNC-2 SYNC-3 SYNC-4 STATE-1"
    yield case(place, "sequence", title, clauses, KNOWN, *_in_turn(place))


def _in_turn(place: Place) -> Iterator[Step]:
    entries = place.shape[0]
    for role, shards in (("first", (entries - 1, 1)), ("second", (1, entries - 1)), ("third", (entries // 2,) * 2)):
        yield train(place, normal(role, offset=1.0), DY, shards=shards)
        yield evaluate(place)
    yield train(place, normal("fourth"), dy=DY)
    yield evaluate(place)
