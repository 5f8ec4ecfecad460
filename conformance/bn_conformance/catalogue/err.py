"""ERR: bad input raises.

What broadcasting, cutting, or reading the same memory in another shape would make good is bad input too: one channel,
as many again, or a size in all that fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import Batch, Case, Reload, SetParameters, SetStatistics, Step
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, PARAMETERS, VARIANCE, evaluate, integers, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F64, FEW, NC, NCDHW, NCHW, NCL, NDHWC, NHWC, NLC, Place
from bn_conformance.text import counted

FAMILY = Family("ERR", order=180, expects="refusal")
case = FAMILY.case

WRONG_CHANNELS = {NC: (8, 4), NCHW: (4, 2, 5, 5), NHWC: (4, 5, 5, 2)}
WRONG_RANK = {NC: (8, 5, 2, 2), NCHW: (4, 3), NHWC: (4, 3)}
SAME_SIZE = {NC: (10, 4), NCHW: (6, 2, 5, 5), NHWC: (6, 5, 5, 2)}
"""Shapes of other channels with as many values in all as the place's own."""

Shapes = dict[Place, tuple[int, ...]]

DY_SHAPES: dict[str, tuple[str, Shapes]] = {
    "row": ("has one entry of the batch", {NC: (1, 5), NCHW: (1, 3, 5, 5), NHWC: (1, 5, 5, 3)}),
    "vector": ("has a value for each channel", {NCHW: (1, 3, 1, 1), NHWC: (1, 1, 1, 3)}),
    "one": ("has one value", {NC: (1, 1), NCHW: (1, 1, 1, 1), NHWC: (1, 1, 1, 1)}),
    "transposed": ("has the axes of y in another order", {NC: (5, 8), NCHW: (4, 5, 5, 3), NHWC: (4, 3, 5, 5)}),
    "same-rows": ("has as many values a channel as y, in another shape", {NCHW: (4, 3, 25, 1), NHWC: (4, 25, 1, 3)}),
    "longer": ("has one entry of the batch more than y", {NC: (9, 5), NCHW: (5, 3, 5, 5), NHWC: (5, 5, 5, 3)}),
}
"""Shapes of dy that could be made to fit y, by place."""

ELSEWHERE = (NCL, NLC, NCDHW, NDHWC, NC.of(F64), NCHW.of(F64))


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in FEW:
        for training in (True, False):
            yield from _of_x(place, training)
        yield _channels(place, True, "channel-more", place.with_channels(place.channels + 1), sweep=True)
        yield _dy(place, True, "shape", "dy has other channels than y", WRONG_CHANNELS[place])
        for slug, (title, shapes) in DY_SHAPES.items():
            if place in shapes:
                yield _dy(place, True, slug, f"dy {title}", shapes[place])
    for training in (True, False):
        for place in ELSEWHERE:
            yield _channels(place, training, "one-channel", place.with_channels(1), sweep=True)
    yield from _vectors(NC)
    yield from _states(NC)
    for place in (NC, NCHW):
        for slug in ("row", "one", "longer"):
            title, shapes = DY_SHAPES[slug]
            yield _dy(place, False, f"{slug}-inference", f"dy {title}, in inference", shapes[place], sweep=True)


def _of_x(place: Place, training: bool) -> Iterator[Case]:
    mode = _mode(training)
    yield _channels(place, training, "channels", WRONG_CHANNELS[place])
    shape = WRONG_RANK[place]
    title = f"x has rank {len(shape)} and the layer {place.rank}, in {mode}"
    yield case(place, f"rank-{mode}", title, "ERR-2", Batch(training=training, shape=shape, x=normal("x")))
    title, x = f"x is an array of int32, in {mode}", integers(7)
    step = Batch(training=training, shape=place.shape, x=x, dtype="int32")
    yield case(place, f"integers-{mode}", title, "ERR-3", step)
    yield _channels(place, training, "one-channel", place.with_channels(1))
    yield _channels(place, training, "twice-the-channels", place.with_channels(2 * place.channels))
    yield _channels(place, training, "channels-of-same-size", SAME_SIZE[place])


def _vectors(place: Place) -> Iterator[Case]:
    """gamma, beta or a statistic with a value more than there are channels, or with one value in all."""
    right = place.channels
    for slug, length, clause in (("longer", right + 1, "ERR-5"), ("one", 1, "ERR-6")):
        for name, lengths in (("first", (length, right)), ("second", (right, length))):
            for of, step in (
                ({"first": "gamma", "second": "beta"}, _parameters(lengths)),
                ({"first": "running-mean", "second": "running-var"}, SetStatistics(MEAN, VARIANCE, lengths=lengths)),
            ):
                title = (
                    f"{of[name].replace('-', ' ')} is set to {length} value{'s' * (length > 1)}, for {right} channels"
                )
                yield case(place, f"{of[name]}-{slug}", title, clause, step, evaluate(place))


def _parameters(lengths: tuple[int, int]) -> Step:
    return SetParameters(gamma=PARAMETERS.gamma, beta=PARAMETERS.beta, lengths=lengths)


def _states(place: Place) -> Iterator[Case]:
    """States of another layer, which a load refuses, or the forward behind it."""
    for spoil, what in (
        ("missing", "lacks a vector"),
        ("longer", "has a longer vector"),
        ("extra", "has one vector more"),
    ):
        steps = KNOWN, train(place), Reload(spoil=spoil), evaluate(place)  # type: ignore[arg-type]
        yield case(place, f"state-{spoil}", f"a state that {what} is loaded", "ERR-7", *steps)


def _mode(training: bool) -> str:
    return "training" if training else "inference"


def _channels(place: Place, training: bool, slug: str, shape: tuple[int, ...], **more: Any) -> Case:
    """A forward of x with other channels than the layer's."""
    mode, channels = _mode(training), shape[place.axis]
    title = f"x of shape {shape} has {counted(channels, 'channel')} and the layer {place.channels}, in {mode}"
    step = Batch(training=training, shape=shape, x=normal("x"))
    return case(place, f"{slug}-{mode}", title, "ERR-1", step, **more)


def _dy(place: Place, training: bool, slug: str, title: str, shape: tuple[int, ...], **more: Any) -> Case:
    """A backward of a dy that has not the shape of y."""
    step = Batch(training=training, shape=place.shape, x=normal("x"), dy=DY, dy_shape=shape)
    return case(place, f"dy-{slug}", title, "ERR-4", step, **more)
