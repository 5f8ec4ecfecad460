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

from bn_conformance.cases.model import GRADIENTS, OUTPUTS, STATISTICS, Case, ParameterRecipes, SetStatistics, Step
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import DY, PARAMETERS, evaluate, fields, fill, integers, positive, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import (
    BF16_WIDE,
    F16_WIDE,
    FORMAT_PAIRS,
    NC,
    NCHW,
    NCL,
    NHWC,
    WIDE,
    Place,
    images_of,
)
from bn_reference.arithmetic.formats import format_of

FAMILY = Family("NUM", order=90, exact_statistics=True)

PAIR = NC.resized(2, 8)
"""Two values a channel; with parameters wider than x its signatures are extra ones, and the cases count as a sweep."""

MIXED = (F16_WIDE, BF16_WIDE)

EPS = 3.0
"""Beside a variance of 1 the root is 2; where the running variance holds eps already (EVAL-2) it is that of 1."""

SMALL_EPS = 0.1875
"""3/16, beside a variance of 1/16: the reciprocal root is 2, or 4 where no eps is added."""

FEW_BITS = ParameterRecipes(gamma=integers(8, scale=0.5, offset=0.25), beta=integers(26))
"""gamma from -1.25 to 1.75 by halves, never 0, and beta from -3 to 3: three bits each.

Where beta is 0 it absorbs no error of the root.
"""

UNITS = DataRecipe(kind="plus-minus", offset=0.0, scale=1.0)
"""m - 1 and m + 1, with an integer m in each channel."""

FAR = {"float32": 1e7, "float64": 1e15}
"""Means at which the spacing of numbers is 1 and 1/8: one deviation of 1 away, float32 has two more numbers only."""

QUARTERS = DataRecipe(kind="plus-minus", offset=0.0, scale=0.25)

SIGNS = DataRecipe(kind="alternating")
"""-1 and 1."""

SPIKE = DataRecipe(kind="outlier")
"""One value a channel, and zeros."""

SMALL_INTEGERS = integers(seed_of("exact dy"))

LONG = (
    NC.resized(5000, 2),
    NC.resized(32769, 1),
    NCHW.resized(3, 2, 40, 41),
    NHWC.resized(3, 40, 41, 2),
    NCL.resized(2, 2, 1030),
)
"""Lengths between blocks of sums: no power of two, of ten, or multiple of a vector, and one beyond a power of two."""


def cases() -> Iterator[Case]:
    """Every exact case."""
    for formats in FORMAT_PAIRS:
        pair = PAIR.of(formats)
        yield from _outputs(pair)
        yield from _gradients(pair)
        yield _running(pair)
        yield from _own_roots(pair)
        if formats[0] in FAR:
            yield _far(pair)
        for place in images_of(formats):
            yield from _inference(place)
            yield from _inference_own_roots(place)
        if formats in WIDE:
            for place in LONG:
                yield from _long_sums(place.of(formats))


def _outputs(pair: Place) -> Iterator[Case]:
    step, judges = train(pair, UNITS), OUTPUTS | STATISTICS
    title = "mean, variance, root and every product are exact: no unit in the last place is allowed"
    yield _pair(pair, "exact", title, "NUM-6", step, eps=EPS, judges=judges, exact=True, sweep=pair.formats in MIXED)
    if pair.formats in WIDE:
        return
    few_bits = ParameterRecipes(gamma=fill(2.5), beta=integers(7, scale=2.0**-12))
    title = "everything is exact but the sum with beta, which is rounded once, to the nearest"
    more = fields(parameters=few_bits, judges=OUTPUTS, sweep=pair.formats in MIXED)
    yield _pair(pair, "rounded-once", title, "DTYPE-2 NUM-6", step, eps=EPS, exact=True, **more)


def _far(pair: Place) -> Case:
    """The sum and the mean are exact; the squares of x are not, and raw moments say nothing of the variance."""
    offset = FAR[pair.formats[0]]
    title = f"mean and variance are exact beside a mean of {offset:g} deviations, and y is near -1 and 1"
    step = train(pair, DataRecipe(kind="alternating", offset=offset + 2.0, scale=1.0), SIGNS)
    more = fields(parameters=PARAMETERS, axes={"offset": offset}, sweep=False)
    return _pair(pair, f"offset-{offset:g}-exact-statistics", title, "NUM-7 NUM-1", step, eps=2.0**-10, **more)


def _gradients(pair: Place) -> Iterator[Case]:
    """dx is 3/4 gamma (dy2 - dy1) / 2 / sigma where xhat is +-1/2, whichever way it is put together.

    Rounded once: with dy = +-1 every path to dx is gamma times a power of two, and so exact, up to the difference of
    dy / sigma and a quarter of it, 3 gamma / 4 / sigma. gamma has all bits of the format, so that this has two more.
    """
    title = "every step of the gradients is exact: no unit in the last place is allowed"
    step = train(pair, QUARTERS, SMALL_INTEGERS)
    yield _pair(pair, "exact-gradients", title, "NUM-6", step, eps=SMALL_EPS, judges=GRADIENTS, exact=True)
    if pair.formats in WIDE:
        return
    title = "every path to dx is exact, and their sum is rounded once, to the nearest"
    unit = 3 * 2 * format_of(pair.formats[0]).unit_roundoff
    all_bits = ParameterRecipes(gamma=DataRecipe(kind="constant", offset=1.5, scale=unit), beta=FEW_BITS.beta)
    more = fields(parameters=all_bits, judges=frozenset({"dx"}), exact=True)
    variant, step = "exact-gradients-rounded-once", train(pair, UNITS, SIGNS)
    yield _pair(pair, variant, title, "DTYPE-2 NUM-6", step, eps=EPS, **more)


def _running(pair: Place) -> Case:
    """With momentum 0.25 a new statistic is three quarters of an integer and a quarter of one: two bits more."""
    title = "running statistics of integers, with a momentum of 1/4: no unit in the last place is allowed"
    known = SetStatistics(integers(10), integers(11, offset=4.0))
    step = train(pair, DataRecipe(kind="plus-minus-fan", offset=2.0, scale=1.0))
    more = fields(parameters=PARAMETERS, judges=STATISTICS, exact=True)
    return _pair(pair, "exact-running-statistics", title, "NUM-6 STAT-1 STAT-2", known, step, eps=EPS, **more)


def _own_roots(pair: Place) -> Iterator[Case]:
    """With dy = +-1 the sums are exact, too: dbeta is 0, and dgamma is twice the normalised value.

    eps beside the variances keeps dx from cancelling, and its bound near its size.
    """
    x = DataRecipe(kind="plus-minus-fan", offset=2.0, scale=0.25)
    title, step = "mean and variance are exact and every channel has a root of its own", train(pair, x, DY)
    more = fields(parameters=PARAMETERS, sweep=pair.formats in MIXED)
    yield _pair(pair, "exact-statistics", title, "NUM-7", step, eps=2.0**-8, **more)
    title, step = "the sums of gradients are exact, too, and every channel has a root of its own", train(pair, x, SIGNS)
    yield _pair(pair, "exact-statistics-gradients", title, "NUM-7", step, eps=2.0, judges=GRADIENTS)


def _pair(place: Place, variant: str, title: str, clauses: str, *steps: Step, eps: float, **more: Any) -> Case:
    """A case on two values a channel.

    Every eps is compiled anew, so that implementations that compile get most of these cases in float32 and float64.
    """
    settings = fields(parameters=FEW_BITS, sweep=place.formats not in WIDE) | more
    return FAMILY.case(place, variant, title, clauses, *steps, config={"eps": eps}, **settings)


def _inference(place: Place) -> Iterator[Case]:
    x, mean = integers(12, scale=0.5), integers(13)
    more = fields(parameters=FEW_BITS, exact=True, sweep=place.formats not in WIDE)
    title = "inference in which every step is exact: no unit in the last place is allowed"
    steps, config = (SetStatistics(mean, fill(1.0)), evaluate(place, x)), {"eps": EPS}
    yield FAMILY.case(place, "exact-inference", title, "NUM-6 EVAL-1", *steps, config=config, judges=OUTPUTS, **more)
    title = f"gradients of {title}"
    steps, config = (SetStatistics(mean, fill(0.0625)), evaluate(place, x, SMALL_INTEGERS)), {"eps": SMALL_EPS}
    yield FAMILY.case(
        place, "exact-inference-gradients", title, "NUM-6 GRAD-4", *steps, config=config, judges=GRADIENTS, **more
    )


def _long_sums(place: Place) -> Iterator[Case]:
    """The bounds of long sums grow with n. Here each term is an integer or half of one, and every sum is below 2**24.

    What is dropped at a seam of two blocks, or counted twice, is an error of one term, which the bounds of random data
    allow from some n on.
    """
    x, more = integers(12, scale=0.5), fields(parameters=FEW_BITS, exact=True, sweep=True)
    title = f"gradients of inference over {place.count} values a channel, exact in every order of summation"
    steps, config = (SetStatistics(integers(13), fill(0.0625)), evaluate(place, x, SMALL_INTEGERS)), {"eps": SMALL_EPS}
    variant = "exact-long-inference-gradients"
    yield FAMILY.case(place, variant, title, "NUM-6 NUM-8 GRAD-4", *steps, config=config, judges=GRADIENTS, **more)
    title = f"dbeta of {place.count} values a channel, exact in every order of summation"
    step, judges = train(place, SIGNS, SMALL_INTEGERS), frozenset({"dbeta"})
    yield FAMILY.case(place, "exact-long-dbeta", title, "NUM-6 NUM-8 GRAD-3", step, judges=judges, **more)


def _inference_own_roots(place: Place) -> Iterator[Case]:
    """x less the running mean is exact, and each of 12 running variances has a root of its own.

    A dy of one value a channel leaves sums of one term, so that nothing hides the root in dgamma either.
    """
    x, mean = integers(14, offset=0.5), integers(16, scale=0.5)
    title = "x less the running mean is exact, and every channel has a root of its own"
    for suffix, judges, upstream, clause in (
        ("", OUTPUTS, (None, None), "EVAL-1"),
        ("-gradients", GRADIENTS, (DY, SPIKE), "GRAD-4"),
    ):
        steps: list[Step] = []
        for index in range(4):
            variance = positive(seed_of(f"root {index}"), scale=4.0**index)
            steps += [SetStatistics(mean, variance), evaluate(place, x, upstream[index % 2])]
        variant, more = f"exact-statistics-inference{suffix}", fields(judges=judges, sweep=place.formats not in WIDE)
        yield FAMILY.case(place, variant, title, f"NUM-7 {clause}", *steps, **more)
