"""NUM: conditioning, scales, constants, outliers and long sums. Everything is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import EVERYTHING, GRADIENTS, OUTPUTS, STATISTICS, Case, Quantities
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    BF16,
    DY,
    F16,
    F32,
    F64,
    NC,
    NCHW,
    NHWC,
    PARAMETERS,
    Formats,
    Layout,
    make,
    normal,
    resized,
    train,
)

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
OVERFLOWING = {F32: (1e25, 1e36), F64: (1e200, 1e305), BF16: (1e25, 1e36)}
"""float16 is not here: float32, which computes it, holds the square of any of its numbers (see `narrow`)."""
SUBNORMAL = {F32: (1e-25, 1e-40), F64: (1e-200, 1e-310), F16: (1e-5, 1e-6), BF16: (1e-25, 1e-39)}
CONSTANTS = (0.0, 1.0, -3.0, 0.1, 1e4 / 3.0, 1e8)
LONG = (4096, 65536)
OUTLIER_COUNTS = {F32: (257, 4096), F64: (257, 4096), F16: (257,), BF16: (257,)}
"""Clips at 10 and at 50 deviations are seen from n = 101 and n = 2501 on."""
OUTLIERS = {257: (2.0**-7, 64.0, 4096.0), 4096: (64.0, 4096.0)}
"""An outlier of 2**-7 on 1 has a deviation of 2**-13 at n = 4096: float32 sums do not know the mean so well."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in (F32, F64, F16, BF16):
        for offset in OFFSETS[formats]:
            yield _offset(NCHW, formats, offset)
            if formats == F32 and offset in (1e3, 1e6):
                yield _offset(NC, formats, offset)
                yield _offset(NHWC, formats, offset)
        for kind, clause, scales in (
            ("scale", "NUM-2", SCALES[formats]),
            ("overflow", "NUM-4", OVERFLOWING.get(formats, ())),
            ("subnormal", "NUM-5", SUBNORMAL[formats]),
        ):
            for scale in scales:
                yield from _scaled(NCHW, formats, kind, clause, scale)
        yield _mixed(NCHW, formats)
        yield from _constants(formats)
        yield from _outliers(formats)
    for count in LONG:
        yield from _long(count)


def _offset(layout: Layout, formats: Formats, offset: float) -> Case:
    x, title = normal("x", offset=offset), f"data of mean {offset:g} and deviation near 1"
    return _case(layout, formats, f"offset-{offset:g}", title, ("NUM-1",), x, axes={"offset": offset})


def _scaled(layout: Layout, formats: Formats, kind: str, clause: str, scale: float) -> Iterator[Case]:
    title = {
        "scale": f"data of scale {scale:g}, with eps scaled to match",
        "overflow": f"data of scale {scale:g}, finite but with squares that overflow",
        "subnormal": f"data of scale {scale:g}, subnormal or with squares that underflow",
    }[kind]
    eps = min(scale * scale, 1e30) if kind == "scale" and scale * scale > 1e-30 else 2.0**-10
    if kind == "scale" and scale < 1e-3:
        eps = scale * scale
    x = Recipe(kind="centred", seed=21, scale=scale)
    extreme = kind == "scale" and not EXTREME[formats] < scale < 1.0 / EXTREME[formats]
    judges = (OUTPUTS | STATISTICS if extreme else EVERYTHING) if kind == "scale" else OUTPUTS
    more: dict[str, Any] = {"config": {"eps": eps}, "axes": {"scale": scale}}
    yield _case(layout, formats, f"{kind}-{scale:g}", title, (clause,), x, judges=judges, **more)
    if extreme:
        title = f"gradients of data of scale {scale:g}, where powers of the deviation leave the range of the format"
        variant = f"gradient-scale-{scale:g}"
        yield _case(layout, formats, variant, title, ("NUM-9",), x, dy=DY, judges=GRADIENTS, **more)


def _mixed(layout: Layout, formats: Formats) -> Case:
    x, title = Recipe(kind="mixed-scales", seed=22), "channels of very different scales"
    judges = EVERYTHING if formats != F16 else OUTPUTS | GRADIENTS  # variances beyond 65504, which float16 cannot keep
    return _case(layout, formats, "mixed-scales", title, ("NUM-2",), x, config={"eps": 2.0**-24}, judges=judges)


def _constants(formats: Formats) -> Iterator[Case]:
    for value in CONSTANTS:
        if formats == F16 and value > 60000:
            continue
        x, title = Recipe(kind="fill", offset=value), f"every value is {value:g}"
        yield _case(NCHW, formats, f"constant-{value:g}", title, ("NUM-3",), x)
    x, title = Recipe(kind="signed-zeros"), "zeros of both signs"
    yield _case(NCHW, formats, "signed-zeros", title, ("NUM-3",), x)
    x, title = Recipe(kind="outlier", offset=1.0, scale=64.0), "one outlier in a channel that is constant otherwise"
    yield _case(NCHW, formats, "outlier", title, ("NUM-3", "NUM-2"), x)


def _outliers(formats: Formats) -> Iterator[Case]:
    """One value of n that is not like the others: it comes out as sqrt(n - 1), however large it is.

    The smaller eps is beside its square, the nearer: eps is 2**-16 times the variance.
    """
    for count in OUTLIER_COUNTS[formats]:
        many = resized(NC, (count, 3), f"nc-{count}x3")
        for scale in OUTLIERS[count]:
            eps = 2.0**-16 * scale * scale / count
            x, title = (
                Recipe(kind="outlier", offset=1.0, scale=scale),
                f"one value of 1 + {scale:g} among {count - 1} ones: y is near {(count - 1) ** 0.5:.0f} there",
            )
            yield _case(
                many, formats, f"outlier-{scale:g}", title, ("NUM-2", "NUM-1"), x,
                config={"eps": eps}, axes={"scale": scale}, sweep=True,
            )  # fmt: skip


def _long(count: int) -> Iterator[Case]:
    tall = resized(NC, (count, 3), f"nc-{count}x3")
    for offset in (0.0, 100.0):
        title, x = f"{count} values a channel of mean {offset:g}", normal("x", offset=offset)
        axes = {"offset": offset}
        yield _case(tall, F32, f"long-offset-{offset:g}", title, ("NUM-8",), x, axes=axes, sweep=True)
    title, dy = f"sums of {count} values of dy that have one sign", normal("dy", offset=100.0)
    yield _case(tall, F32, "long-dy-offset", title, ("NUM-8",), normal("x"), dy, judges=GRADIENTS, sweep=True)
    title, dy = (
        f"dgamma and dbeta of {count} times the same dy, whose roundings all go one way",
        Recipe(kind="fill", offset=0.5205),
    )
    sums = frozenset({"dgamma", "dbeta"})
    yield _case(tall, F32, "long-dy-constant", title, ("NUM-8",), normal("x"), dy, judges=sums, sweep=True)
    title, x = f"{count} times 0.1 a channel", Recipe(kind="fill", offset=0.1)
    yield _case(tall, F32, "long-constant", title, ("NUM-8", "NUM-3"), x, sweep=True)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    x: Recipe,
    dy: Recipe | None = DY,
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
    judges: Quantities = EVERYTHING,
    **more: Any,
) -> Case:
    step = train(layout, x, dy if judges & GRADIENTS else None)
    return make(
        "NUM",
        layout,
        formats,
        variant,
        title,
        clauses,
        (step,),
        config,
        axes,
        parameters=PARAMETERS,
        judges=judges,
        **more,
    )
