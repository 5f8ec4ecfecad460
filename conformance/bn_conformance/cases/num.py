"""NUM: conditioning, scales, constants, exactness and long sums. Everything is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.case import EVERYTHING, GRADIENTS, OUTPUTS, STATISTICS, Case, Parameters, Quantities
from bn_conformance.cases.build import (
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
from bn_conformance.recipes import Recipe

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
OVERFLOWING = {F32: (1e25, 1e36), F64: (1e200, 1e305), F16: (1e3, 1e4), BF16: (1e25, 1e36)}
SUBNORMAL = {F32: (1e-25, 1e-40), F64: (1e-200, 1e-310), F16: (1e-5, 1e-6), BF16: (1e-25, 1e-39)}
CONSTANTS = (0.0, 1.0, -3.0, 0.1, 1e4 / 3.0, 1e8)
LONG = (4096, 65536)


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
            ("overflow", "NUM-4", OVERFLOWING[formats]),
            ("subnormal", "NUM-5", SUBNORMAL[formats]),
        ):
            for scale in scales:
                yield from _scaled(NCHW, formats, kind, clause, scale)
        if formats in (F32, F64):
            yield _mixed(NCHW, formats)
        yield from _constants(formats)
        yield from _exact(formats)
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
    return _case(layout, formats, "mixed-scales", title, ("NUM-2",), x, config={"eps": 2.0**-24})


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


def _exact(formats: Formats) -> Iterator[Case]:
    """The two kinds of exact cases of BOUNDS.md, with n = 2 (Welford divides by 3 at n = 4)."""
    pair = resized(NC, (2, 8), "nc-2x8")
    half = Recipe(kind="fill", offset=0.5)
    parameters = Parameters(gamma=half, beta=Recipe(kind="fill", offset=1.0))
    x = Recipe(kind="plus-minus", offset=0.0, scale=1.0)
    title = "mean, variance, root and every product are exact: no unit in the last place is allowed"
    yield _case(
        pair, formats, "exact", title, ("NUM-6",), x, config={"eps": 3.0}, parameters=parameters,
        dy=None, judges=OUTPUTS | STATISTICS, exact=True, exact_statistics=True,
    )  # fmt: skip
    if formats not in (F32, F64):
        few_bits = Parameters(
            gamma=Recipe(kind="fill", offset=2.5), beta=Recipe(kind="integers", seed=7, scale=2.0**-12)
        )
        title = "everything is exact but the sum with beta, which is rounded once, to the nearest"
        yield _case(
            pair, formats, "rounded-once", title, ("DTYPE-2", "NUM-6"), x, config={"eps": 3.0}, parameters=few_bits,
            dy=None, judges=OUTPUTS, exact=True, exact_statistics=True,
        )  # fmt: skip
    x = Recipe(kind="plus-minus-fan", offset=2.0, scale=0.25)
    title = "mean and variance are exact and every channel has a root of its own"
    yield _case(pair, formats, "exact-statistics", title, ("NUM-7",), x, config={"eps": 2.0**-8}, exact_statistics=True)


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
    parameters: Parameters = PARAMETERS,
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
        parameters=parameters,
        judges=judges,
        **more,
    )
