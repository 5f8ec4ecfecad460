"""NUM-6 and NUM-7: exact cases of the two kinds of BOUNDS.md, of outputs, gradients, statistics and inference.

Kind (i): every intermediate result of the definition has a few bits, so that the result is exact in any order of
summation, for n divided by or 1/n multiplied with, direct or folded, staged or in closed form, and for every path that
is rounded to 8 bits. Kind (ii): the statistics are exact, every channel has a root of its own, and what is left is a
few counted roundings, C = 1.

Training has n = 2: there Welford's update divides by 2 and 1/n is exact, which at n = 4 (thirds) and n = 100 it is not.
Inference computes no statistics, so that any n will do; it keeps the shape of the other cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import (
    GRADIENTS,
    OUTPUTS,
    STATISTICS,
    Case,
    Parameters,
    Quantities,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    BF16_WIDE,
    DY,
    F16_WIDE,
    FORMATS,
    NC,
    PARAMETERS,
    WIDE,
    Formats,
    Layout,
    evaluate,
    make,
    of_images,
    resized,
    train,
)
from bn_reference.arithmetic.formats import format_of

PAIR = resized(NC, (2, 8), "nc-2x8")
"""Two values a channel; with parameters wider than x its signatures are extra ones, and the cases count as a sweep."""

MIXED = (F16_WIDE, BF16_WIDE)

EPS = 3.0
"""Beside a variance of 1 the root is 2; where the running variance holds eps already (EVAL-2) it is that of 1."""

SMALL_EPS = 0.1875
"""3/16, beside a variance of 1/16: the reciprocal root is 2, or 4 where no eps is added."""

FEW_BITS = Parameters(
    gamma=Recipe(kind="integers", seed=8, scale=0.5, offset=0.25), beta=Recipe(kind="integers", seed=26)
)
"""gamma from -1.25 to 1.75 by halves, never 0, and beta from -3 to 3: three bits each.

Where beta is 0 it absorbs no error of the root.
"""

SIGNS = Recipe(kind="alternating")
"""-1 and 1."""

SPIKE = Recipe(kind="outlier")
"""One value a channel, and zeros."""

SMALL_INTEGERS = Recipe(kind="integers", seed=seed_of("exact dy"))


def cases() -> Iterator[Case]:
    """Every exact case."""
    for formats in FORMATS:
        yield from _outputs(formats)
        yield from _gradients(formats)
        yield _running(formats)
        yield from _own_roots(formats)
        for layout in of_images(formats):
            yield from _inference(layout, formats)
            yield from _inference_own_roots(layout, formats)


def _outputs(formats: Formats) -> Iterator[Case]:
    x = Recipe(kind="plus-minus", offset=0.0, scale=1.0)
    title = "mean, variance, root and every product are exact: no unit in the last place is allowed"
    yield _pair(
        formats, "exact", title, ("NUM-6",), x, None, FEW_BITS, EPS, rarer=False,
        judges=OUTPUTS | STATISTICS, exact=True,
    )  # fmt: skip
    if formats in WIDE:
        return
    few_bits = Parameters(gamma=Recipe(kind="fill", offset=2.5), beta=Recipe(kind="integers", seed=7, scale=2.0**-12))
    title = "everything is exact but the sum with beta, which is rounded once, to the nearest"
    yield _pair(
        formats, "rounded-once", title, ("DTYPE-2", "NUM-6"), x, None, few_bits, EPS, rarer=False,
        judges=OUTPUTS, exact=True,
    )  # fmt: skip


def _gradients(formats: Formats) -> Iterator[Case]:
    """dx is 3/4 gamma (dy2 - dy1) / 2 / sigma where xhat is +-1/2, whichever way it is put together.

    Rounded once: with dy = +-1 every path to dx is gamma times a power of two, and so exact, up to the difference of
    dy / sigma and a quarter of it, 3 gamma / 4 / sigma. gamma has all bits of the format, so that this has two more.
    """
    x = Recipe(kind="plus-minus", offset=0.0, scale=0.25)
    title = "every step of the gradients is exact: no unit in the last place is allowed"
    yield _pair(
        formats, "exact-gradients", title, ("NUM-6",), x, SMALL_INTEGERS, FEW_BITS, SMALL_EPS,
        judges=GRADIENTS, exact=True,
    )  # fmt: skip
    if formats in WIDE:
        return
    x = Recipe(kind="plus-minus", offset=0.0, scale=1.0)
    step = 3 * 2 * format_of(formats[0]).unit_roundoff
    all_bits = Parameters(gamma=Recipe(kind="constant", offset=1.5, scale=step), beta=FEW_BITS.beta)
    title = "every path to dx is exact, and their sum is rounded once, to the nearest"
    yield _pair(
        formats, "exact-gradients-rounded-once", title, ("DTYPE-2", "NUM-6"), x, SIGNS, all_bits, EPS,
        judges=frozenset({"dx"}), exact=True,
    )  # fmt: skip


def _running(formats: Formats) -> Case:
    """With momentum 0.25 a new statistic is three quarters of an integer and a quarter of one: two bits more."""
    x = Recipe(kind="plus-minus-fan", offset=2.0, scale=1.0)
    mean, variance = Recipe(kind="integers", seed=10), Recipe(kind="integers", seed=11, offset=4.0)
    title = "running statistics of integers, with a momentum of 1/4: no unit in the last place is allowed"
    return _pair(
        formats, "exact-running-statistics", title, ("NUM-6", "STAT-1", "STAT-2"), x, None, PARAMETERS, EPS,
        judges=STATISTICS, exact=True, before=(SetStatistics(mean, variance),),
    )  # fmt: skip


def _own_roots(formats: Formats) -> Iterator[Case]:
    """With dy = +-1 the sums are exact, too: dbeta is 0, and dgamma is twice the normalised value.

    eps beside the variances keeps dx from cancelling, and its bound near its size.
    """
    x = Recipe(kind="plus-minus-fan", offset=2.0, scale=0.25)
    title = "mean and variance are exact and every channel has a root of its own"
    yield _pair(formats, "exact-statistics", title, ("NUM-7",), x, DY, PARAMETERS, 2.0**-8, rarer=False)
    title = "the sums of gradients are exact, too, and every channel has a root of its own"
    yield _pair(formats, "exact-statistics-gradients", title, ("NUM-7",), x, SIGNS, FEW_BITS, 2.0, judges=GRADIENTS)


def _inference(layout: Layout, formats: Formats) -> Iterator[Case]:
    x = Recipe(kind="integers", seed=12, scale=0.5)
    mean = Recipe(kind="integers", seed=13)
    title = "inference in which every step is exact: no unit in the last place is allowed"
    steps: tuple[Step, ...] = (SetStatistics(mean, Recipe(kind="fill", offset=1.0)), evaluate(layout, x))
    yield _exact(layout, formats, "exact-inference", title, ("NUM-6", "EVAL-1"), steps, EPS, OUTPUTS)
    variance = Recipe(kind="fill", offset=0.0625)
    steps = (SetStatistics(mean, variance), evaluate(layout, x, SMALL_INTEGERS))
    title = "gradients of inference in which every step is exact: no unit in the last place is allowed"
    yield _exact(layout, formats, "exact-inference-gradients", title, ("NUM-6", "GRAD-4"), steps, SMALL_EPS, GRADIENTS)


def _inference_own_roots(layout: Layout, formats: Formats) -> Iterator[Case]:
    """x less the running mean is exact, and each of 12 running variances has a root of its own.

    A dy of one value a channel leaves sums of one term, so that nothing hides the root in dgamma either.
    """
    x, mean = Recipe(kind="integers", seed=14, offset=0.5), Recipe(kind="integers", seed=16, scale=0.5)
    for slug, judges, upstream, more in (
        ("exact-statistics-inference", OUTPUTS, (None, None), "EVAL-1"),
        ("exact-statistics-inference-gradients", GRADIENTS, (DY, SPIKE), "GRAD-4"),
    ):
        steps: list[Step] = []
        for place in range(4):
            variance = Recipe(kind="positive", seed=seed_of(f"root {place}"), scale=4.0**place)
            steps += [SetStatistics(mean, variance), evaluate(layout, x, upstream[place % 2])]
        title = "x less the running mean is exact, and every channel has a root of its own"
        yield make(
            "NUM", layout, formats, slug, title, ("NUM-7", more), tuple(steps), judges=judges, exact_statistics=True,
            sweep=formats not in WIDE,
        )  # fmt: skip


def _exact(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    eps: float,
    judges: Quantities,
) -> Case:
    return make(
        "NUM", layout, formats, variant, title, clauses, steps, {"eps": eps},
        parameters=FEW_BITS, judges=judges, exact=True, exact_statistics=True, sweep=formats not in WIDE,
    )  # fmt: skip


def _pair(
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    x: Recipe,
    dy: Recipe | None,
    parameters: Parameters,
    eps: float,
    before: tuple[Step, ...] = (),
    rarer: bool = True,
    **more: Any,
) -> Case:
    """A training step on two values a channel.

    Every eps is compiled anew, so that what compiles gets the rarer cases in float32 and float64 alone.
    """
    steps = (*before, train(PAIR, x, dy))
    return make(
        "NUM", PAIR, formats, variant, title, clauses, steps, {"eps": eps},
        parameters=parameters, exact_statistics=True, sweep=formats in MIXED or (rarer and formats not in WIDE),
        **more,
    )  # fmt: skip
