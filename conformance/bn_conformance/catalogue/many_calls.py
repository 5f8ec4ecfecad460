"""STATE-9 and others: long trajectories with every output judged, and calls that come late in the life of a layer.

Code may take another path at some call: it measures its first ones, compiles at the second or tenth, and keeps plans
for a few sizes. The sizes of the trajectories that are no sweep are those of other cases, so that implementations that
compile do not compile for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bn_conformance.cases.model import ALL_QUANTITIES, Batch, Case
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, fields, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, FEW, NC, NCDHW, NCHW, NCL, NHWC, Place
from bn_conformance.catalogue.state import OTHER

FAMILY = Family("STATE", order=155, judges=ALL_QUANTITIES)
case = FAMILY.case

STEPS = 30

Shape = tuple[int, ...]

SIZES: dict[Place, tuple[Shape, ...]] = {
    NC: ((8, 5), (11, 5)),
    NCHW: ((4, 3, 5, 5), (3, 3, 3, 3), (1, 3, 5, 5)),
    NHWC: ((4, 5, 5, 3), (3, 3, 3, 3)),
}
"""Sizes of batches and of images that other cases have, too."""

MANY_SIZES: dict[Place, tuple[Shape, ...]] = {
    NC: ((8, 5), (3, 5), (21, 5), (2, 5), (13, 5), (64, 5), (5, 5)),
    NCHW: ((4, 3, 5, 5), (2, 3, 7, 3), (1, 3, 8, 8), (5, 3, 2, 2), (3, 3, 1, 9), (2, 3, 12, 12), (6, 3, 3, 4)),
    NHWC: ((4, 5, 5, 3), (2, 7, 3, 3), (1, 8, 8, 3), (5, 2, 2, 3), (3, 1, 9, 3), (2, 12, 12, 3), (6, 3, 4, 3)),
}
"""More sizes than a cache of a few plans holds."""

MORE_ENTRIES = (0, 3, 1, 8, 2, 5, 13)
"""By how many entries batches of many sizes are larger than the smallest of them."""

BEFORE = 99
"""Calls before the one that is judged."""


def cases() -> Iterator[Case]:
    """Every case of many calls."""
    for place in FEW:
        title = f"{STEPS} steps of training and inference on batches whose sizes change, each judged"
        yield case(place, "trajectory", title, "STATE-9 STATE-1", *_trajectory(place, SIZES[place]))
        title = f"{STEPS} steps on batches of {len(MANY_SIZES[place])} sizes in turn, each judged"
        steps = _trajectory(place, MANY_SIZES[place])
        yield case(place, "trajectory-sizes", title, "STATE-5 STATE-9", *steps, sweep=True)
    for place in (NC, NCHW.resized(2, 33, 2, 3), NHWC.resized(2, 2, 2, 64).of(BF16_WIDE)):
        yield from late(place, sweep=place is not NC)
    for first, other in ((NC, NCL.resized(4, 5, 6)), (NCHW, NCDHW)):
        title = f"{STEPS} steps on batches of rank {first.rank} and {other.rank}, each judged"
        more = fields(expects="numbers-or-refusal", sweep=True)
        yield case(first, "trajectory-ranks", title, "STATE-7", *_trajectory(first, (first.shape, other.shape)), **more)


def through_sizes(place: Place) -> Case:
    """The steps on batches of many sizes, at any place."""
    sizes = [(place.shape[0] + more, *place.shape[1:]) for more in MORE_ENTRIES]
    title = f"{STEPS} steps on batches of {len(sizes)} sizes in turn, each judged"
    return case(place, "trajectory-sizes", title, "STATE-5", *_trajectory(place, sizes), sweep=True)


def _trajectory(place: Place, shapes: Sequence[Shape]) -> Iterator[Batch]:
    """Steps on data that move, of one shape after the other; every fifth is in inference."""
    for number in range(STEPS):
        x = normal(f"trajectory {number}", offset=0.25 * (number % 9) - 1.0, scale=1.0 + 0.125 * (number % 5))
        dy = normal(f"trajectory dy {number % 4}")
        step = evaluate(place, x) if number % 5 == 4 else train(place, x, dy)
        yield replace(step, shape=shapes[(number + number // 7) % len(shapes)])


def late(place: Place, sweep: bool) -> Iterator[Case]:
    """Forwards and backwards of both modes each have a count of their own."""
    title = f"a training step and its gradients after {BEFORE} others with theirs"
    before = [train(place, normal(f"before {number % 5}"), DY, judge=False) for number in range(BEFORE)]
    judged = train(place, normal("hundredth", offset=1.0), DY), train(place, normal("next"), DY), evaluate(place)
    yield case(place, "hundredth-training", title, "STATE-9", *before, *judged, sweep=sweep)
    title = f"inference and its gradients after {BEFORE} others with theirs"
    before = [evaluate(place, normal(f"before {number % 5}"), DY, judge=False) for number in range(BEFORE)]
    after = evaluate(place, normal("hundredth", offset=1.0), DY), OTHER, evaluate(place, dy=DY)
    yield case(place, "hundredth-inference", title, "STATE-9 STATE-6", KNOWN, *before, *after, sweep=sweep)
