"""NUM: conditioning, scales, constants, outliers and long sums. Everything is judged."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import ALL_QUANTITIES, GRADIENTS, OUTPUTS, STATISTICS, Case
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.build import DY, centred, fields, fill, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, F16, F32, F64, NC, NCHW, NHWC, FormatPair, Place

FAMILY = Family("NUM", order=80)
case = FAMILY.case

OFFSETS = {
    F32: (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e8),
    F64: (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e8, 1e12),
    F16: (1.0, 10.0, 100.0, 1e3),
    BF16: (1.0, 10.0, 100.0, 1e3),
}
SCALES = {
    F32: (1e-15, 1e-12, 1e-6, 1e-3, 1e3, 1e6, 1e12, 1e15),
    F64: (1e-140, 1e-30, 1e-6, 1e6, 1e30, 1e140),
    F16: (1e-3, 100.0),
    BF16: (1e-12, 1e-3, 1e3, 1e12),
}
EXTREME = {F32: 1e-12, F64: 1e-100, F16: 1e-4, BF16: 1e-12}
"""Scales from here outwards make the third power of the inverse deviation overflow or underflow."""
OVERFLOWING = {F32: (1e25, 1e36), F64: (1e200, 1e305), F16: (), BF16: (1e25, 1e36)}
"""float16 has none: float32, which computes it, holds the square of any of its numbers (see `narrow`)."""
SUBNORMAL = {F32: (1e-25, 1e-40), F64: (1e-200, 1e-310), F16: (1e-5, 1e-6), BF16: (1e-25, 1e-39)}
CONSTANTS = (0.0, 1.0, -3.0, 0.1, 1e4 / 3.0, 1e8)
LONG = (4096, 65536)
OUTLIER_COUNTS = {F32: (257, 4096), F64: (257, 4096), F16: (257,), BF16: (257,)}
"""A clip at 10 deviations shows from n = 101 on, one at 50 from n = 2501 on."""
OUTLIERS = {257: (2.0**-7, 64.0, 4096.0), 4096: (64.0, 4096.0)}
"""An outlier of 2**-7 on 1 has a deviation of 2**-13 at n = 4096: float32 sums do not know the mean so well."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in (F32, F64, F16, BF16):
        place = NCHW.of(formats)
        yield from _offsets(formats)
        for scale in SCALES[formats]:
            yield from _scaled(place, scale)
        for scale in OVERFLOWING[formats]:
            yield _forward_alone(place, "overflow", "NUM-4", scale, "finite but with squares that overflow")
        for scale in SUBNORMAL[formats]:
            yield _forward_alone(place, "subnormal", "NUM-5", scale, "subnormal or with squares that underflow")
        yield _mixed(place)
        yield from _constants(place)
        yield from _outliers(formats)
    for count in LONG:
        yield from _long(NC.resized(count, 3))


def _offsets(formats: FormatPair) -> Iterator[Case]:
    for offset in OFFSETS[formats]:
        for place in (NCHW, NC, NHWC) if formats == F32 and offset in (1e3, 1e6) else (NCHW,):
            title, step = f"data of mean {offset:g} and deviation near 1", train(place, normal("x", offset=offset), DY)
            yield case(place.of(formats), f"offset-{offset:g}", title, "NUM-1", step, axes={"offset": offset})


def _scaled(place: Place, scale: float) -> Iterator[Case]:
    """Data of a scale, and an eps of its square, 1e30 at most."""
    x, eps = centred(21, scale=scale), min(scale * scale, 1e30)
    more = fields(config={"eps": eps}, axes={"scale": scale})
    title = f"data of scale {scale:g}, with eps scaled to match"
    if EXTREME[place.formats] < scale < 1.0 / EXTREME[place.formats]:
        yield case(place, f"scale-{scale:g}", title, "NUM-2", train(place, x, DY), **more)
        return
    judges = OUTPUTS | STATISTICS
    yield case(place, f"scale-{scale:g}", title, "NUM-2", train(place, x), judges=judges, **more)
    title = f"gradients of data of scale {scale:g}, where powers of the deviation leave the range of the format"
    yield case(place, f"gradient-scale-{scale:g}", title, "NUM-9", train(place, x, DY), judges=GRADIENTS, **more)


def _forward_alone(place: Place, kind: str, clause: str, scale: float, what: str) -> Case:
    title, step = f"data of scale {scale:g}, {what}", train(place, centred(21, scale=scale))
    more = fields(config={"eps": 2.0**-10}, axes={"scale": scale})
    return case(place, f"{kind}-{scale:g}", title, clause, step, judges=OUTPUTS, **more)


def _mixed(place: Place) -> Case:
    step = train(place, DataRecipe(kind="mixed-scales", seed=22), DY)
    # The variances are beyond 65504, which float16 cannot keep.
    judges = OUTPUTS | GRADIENTS if place.formats == F16 else ALL_QUANTITIES
    title, config = "channels of very different scales", {"eps": 2.0**-24}
    return case(place, "mixed-scales", title, "NUM-2", step, config=config, judges=judges)


def _constants(place: Place) -> Iterator[Case]:
    for value in CONSTANTS:
        if place.formats != F16 or value <= 60000:
            title, step = f"every value is {value:g}", train(place, fill(value), DY)
            yield case(place, f"constant-{value:g}", title, "NUM-3", step)
    zeros = train(place, DataRecipe(kind="signed-zeros"), DY)
    yield case(place, "signed-zeros", "zeros of both signs", "NUM-3", zeros)
    title, outlier = (
        "one outlier in a channel that is constant otherwise",
        DataRecipe(kind="outlier", offset=1.0, scale=64.0),
    )
    yield case(place, "outlier", title, "NUM-3 NUM-2", train(place, outlier, DY))


def _outliers(formats: FormatPair) -> Iterator[Case]:
    """One value of n that is not like the others: it comes out as sqrt(n - 1), however large it is.

    The smaller eps is beside its square, the nearer: eps is 2**-16 times the variance.
    """
    for count in OUTLIER_COUNTS[formats]:
        place = NC.resized(count, 3).of(formats)
        for scale in OUTLIERS[count]:
            step = train(place, DataRecipe(kind="outlier", offset=1.0, scale=scale), DY)
            title = f"one value of 1 + {scale:g} among {count - 1} ones: y is near {(count - 1) ** 0.5:.0f} there"
            more = fields(config={"eps": 2.0**-16 * scale * scale / count}, axes={"scale": scale}, sweep=True)
            yield case(place, f"outlier-{scale:g}", title, "NUM-2 NUM-1", step, **more)


def _long(place: Place) -> Iterator[Case]:
    count, x = place.count, normal("x")
    for offset in (0.0, 100.0):
        title, step = f"{count} values a channel of mean {offset:g}", train(place, normal("x", offset=offset), DY)
        yield case(place, f"long-offset-{offset:g}", title, "NUM-8", step, axes={"offset": offset}, sweep=True)
    title, step = f"sums of {count} values of dy that have one sign", train(place, x, normal("dy", offset=100.0))
    yield case(place, "long-dy-offset", title, "NUM-8", step, judges=GRADIENTS, sweep=True)
    yield from one_number(place)


def one_number(place: Place) -> Iterator[Case]:
    """Sums of one number, at any place: their roundings all go one way."""
    count = place.count
    title, step = (
        f"dgamma and dbeta of {count} times the same dy, whose roundings all go one way",
        train(place, normal("x"), fill(0.5205)),
    )
    sums = frozenset({"dgamma", "dbeta"})
    yield case(place, "long-dy-constant", title, "NUM-8", step, judges=sums, sweep=True)
    title, step = f"{count} times 0.1 a channel", train(place, fill(0.1), DY)
    yield case(place, "long-constant", title, "NUM-8 NUM-3", step, sweep=True)
