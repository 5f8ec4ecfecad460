"""ERR: bad input raises.

What broadcasting, cutting, or reading the same memory in another shape would make good is bad input too: one channel,
as many again, or a size in all that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from bn_conformance.cases.model import Batch, Case, Reload, SetParameters, SetStatistics, Step
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, PARAMETERS, VARIANCE, evaluate, integers, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F64, FEW, NC, NCDHW, NCHW, NCL, NDHWC, NLC, Place
from bn_conformance.text import counted

FAMILY = Family("ERR", order=180, expects="refusal")
case = FAMILY.case

Shape = tuple[int, ...]

DY_SHAPES: dict[str, tuple[str, Callable[[Place], Shape]]] = {
    "row": ("has one entry of the batch", lambda place: (1, *place.shape[1:])),
    "vector": ("has a value for each channel", lambda place: _reshaped(place, 1, *[1] * (place.rank - 2))),
    "one": ("has one value", lambda place: (1,) * place.rank),
    "transposed": ("has the axes of y in another order", lambda place: _transposed(place)),
    "same-rows": ("has as many values a channel as y, in another shape", lambda place: _in_one_row(place)),
    "longer": ("has one entry of the batch more than y", lambda place: (place.shape[0] + 1, *place.shape[1:])),
}
"""Shapes of dy that could be made to fit y."""

ELSEWHERE = (NCL, NLC, NCDHW, NDHWC, NC.of(F64), NCHW.of(F64))


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in FEW:
        yield from of_arrays(place)
    for training in (True, False):
        for place in ELSEWHERE:
            yield _channels(place, training, "one-channel", place.with_channels(1), sweep=True)
    yield from of_vectors(NC)
    yield from of_states(NC)
    for place in (NC, NCHW):
        yield from of_dy_in_inference(place)


def of_arrays(place: Place) -> Iterator[Case]:
    """x and dy of another shape or kind, at one place."""
    for training in (True, False):
        yield from _of_x(place, training)
    yield _channels(place, True, "channel-more", place.with_channels(place.channels + 1), sweep=True)
    yield _dy(place, True, "shape", "dy has other channels than y", place.with_channels(place.channels - 1))
    for slug, (title, shape_at) in DY_SHAPES.items():
        shape = shape_at(place)
        if shape != place.shape and not (slug == "vector" and place.rank == 2):
            yield _dy(place, True, slug, f"dy {title}", shape)


def of_dy_in_inference(place: Place) -> Iterator[Case]:
    """dy of another shape in inference, at one place."""
    for slug in ("row", "one", "longer"):
        title, shape_at = DY_SHAPES[slug]
        yield _dy(place, False, f"{slug}-inference", f"dy {title}, in inference", shape_at(place), sweep=True)


def _of_x(place: Place, training: bool) -> Iterator[Case]:
    mode = _mode(training)
    yield _channels(place, training, "channels", place.with_channels(place.channels - 1))
    shape = (*place.shape, 2, 2) if place.rank == 2 else (place.shape[0], place.channels)
    title = f"x has rank {len(shape)} and the layer {place.rank}, in {mode}"
    yield case(place, f"rank-{mode}", title, "ERR-2", Batch(training=training, shape=shape, x=normal("x")))
    title, x = f"x is an array of int32, in {mode}", integers(7)
    step = Batch(training=training, shape=place.shape, x=x, dtype="int32")
    yield case(place, f"integers-{mode}", title, "ERR-3", step)
    yield _channels(place, training, "one-channel", place.with_channels(1))
    yield _channels(place, training, "twice-the-channels", place.with_channels(2 * place.channels))
    yield _channels(place, training, "channels-of-same-size", _of_same_size(place))


def of_vectors(place: Place) -> Iterator[Case]:
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


def of_states(place: Place) -> Iterator[Case]:
    """States of another layer, which a load refuses, or the forward behind it."""
    for spoil, what in (
        ("missing", "lacks a vector"),
        ("longer", "has a longer vector"),
        ("extra", "has one vector more"),
    ):
        steps = KNOWN, train(place), Reload(spoil=spoil), evaluate(place)  # type: ignore[arg-type]
        yield case(place, f"state-{spoil}", f"a state that {what} is loaded", "ERR-7", *steps)


def _reshaped(place: Place, entries: int, *space: int) -> Shape:
    """The place's shape with another batch and space."""
    sizes = [entries, *space]
    sizes.insert(place.axis, place.channels)
    return tuple(sizes)


def _transposed(place: Place) -> Shape:
    """The place's shape with the channels last, or on axis 1 where they are elsewhere than there."""
    others = [size for axis, size in enumerate(place.shape) if axis != place.axis]
    others.insert(place.rank - 1 if place.axis == 1 else 1, place.channels)
    return tuple(reversed(place.shape)) if place.rank == 2 else tuple(others)


def _in_one_row(place: Place) -> Shape:
    """The place's shape with all its positions along the first axis of space."""
    entries, *space = (size for axis, size in enumerate(place.shape) if axis != place.axis)
    return _reshaped(place, entries, prod(space), *[1] * (len(space) - 1)) if space else place.shape


def _of_same_size(place: Place) -> Shape:
    """A shape with fewer channels, and with so many more entries that it has as many values."""
    values = place.shape[0] * place.channels
    channels = max(fewer for fewer in range(1, place.channels) if values % fewer == 0)
    return (values // channels, *place.with_channels(channels)[1:])


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
