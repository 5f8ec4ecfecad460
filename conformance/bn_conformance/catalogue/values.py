"""Values that code treats apart: an eps of 0, 1e-8 or 100, dy of 1e-30 and 1e20, a momentum next to 1, a large beta."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import (
    ALL_QUANTITIES,
    GRADIENTS,
    OUTPUTS,
    STATISTICS,
    Case,
    ParameterRecipes,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import (
    DY,
    KNOWN,
    MEAN,
    centred,
    evaluate,
    fields,
    normal,
    positive,
    train,
    train_often,
)
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, BF16_WIDE, F16, F16_WIDE, F64, NC, NCHW, NHWC, Place

FAMILY = Family(order=220, judges=GRADIENTS, sweep=True)
case = FAMILY.case

PLACES = (NC, NHWC, NCHW.of(F64))

SMALL_EPS = (
    (NCHW.of(F16), 1e-8),
    (NHWC.of(F16_WIDE), 1e-8),
    (NHWC.of(F16_WIDE), 1e-5),
    (NHWC.of(BF16_WIDE), 1e-5),
)
"""1e-8 is zero in float16. What bfloat16 makes of 1e-5 shows in dgamma of float32, and in nothing of bfloat16."""

TINY = 1e-20

FAR_DY = (1e-30, 1e20)
"""Sizes of dy at which every gradient is a number of float32, and products of two of them are not."""

QUICK = (0.625, 0.999)
"""Weights of the new statistic beyond a half, and next to 1."""

SMALL = 1e-13

FAR = ParameterRecipes(
    gamma=positive(seed_of("small gamma"), scale=1e-3),
    beta=centred(seed_of("large beta"), offset=1000.0),
)


def cases() -> Iterator[Case]:
    """Every case of values."""
    for place in PLACES:
        yield _no_eps(place)
    for place, eps in SMALL_EPS:
        yield small_eps(place, eps)
    for place in PLACES:
        yield _small_variances(place)
    for place in (NC, NCHW, NCHW.of(F64), NCHW.of(BF16)):
        title, dy = f"dy near {TINY:g}, and nothing is flushed", normal("dy", scale=TINY)
        yield case(place, f"dy-{TINY:g}", title, "GRAD-5", *_both_modes(place, dy), axes={"dy": TINY})
    for place in (NC, NHWC, NCHW.of(BF16_WIDE)):
        for size in FAR_DY:
            title, dy = f"dy near {size:g}, which is neither flushed nor clipped", normal("dy", scale=size)
            yield case(place, f"dy-{size:g}", title, "GRAD-5", *_both_modes(place, dy), axes={"dy": size})
    for place in PLACES:
        for momentum in QUICK:
            title, weight = f"three steps with weight {momentum:g} of the new statistic", {"momentum": momentum}
            more = fields(judges=STATISTICS, config=weight, axes=weight)
            yield case(place, f"momentum-{momentum:g}", title, "STAT-1 STAT-2", *train_often(place, 3), **more)
        yield _large_eps(place)
    for place in PLACES:
        title = "beta is near 1000 and gamma 1e-3: gradients need x, since y has lost its digits"
        steps = _both_modes(place, DY)
        yield case(place, "beta-far-above-gamma", title, "GRAD-2 GRAD-1 GRAD-4", *steps, parameters=FAR)


def small_eps(place: Place, eps: float) -> Case:
    """An eps that the format of x does not hold, at one place."""
    title = f"eps = {eps:g}, which is no number of {place.formats[0]}, beside a variance of the same size"
    step = train(place, normal("eps", scale=eps**0.5), normal("dy", scale=eps**0.5))
    more = fields(config={"eps": eps}, axes={"eps": eps}, judges=OUTPUTS | GRADIENTS)
    return case(place, f"eps-{eps:g}", title, "FWD-2", step, **more)


def _large_eps(place: Place) -> Case:
    known = SetStatistics(MEAN, positive(seed_of("large variance"), scale=100.0))
    steps = train(place, normal("eps", scale=10.0), DY), known, evaluate(place, normal("other", scale=10.0), DY)
    more = fields(config={"eps": 100.0}, axes={"eps": 100.0}, judges=ALL_QUANTITIES)
    return case(place, "eps-100", "eps = 100 beside variances near 100", "FWD-2 EVAL-2", *steps, **more)


def _small_variances(place: Place) -> Case:
    """The running variances of channels that hardly vary, and of layers whose data shrink."""
    title, small = f"running variances near {SMALL:g}, of data as small: no floor is under them", SMALL**0.5
    known = SetStatistics(MEAN, positive(seed_of("small variance"), scale=SMALL))
    steps = known, train(place, normal("small", scale=small)), train(place, normal("smaller", scale=small / 4))
    more = fields(judges=STATISTICS, axes={"variance": SMALL}, config={"eps": 2.0**-24})
    return case(place, f"running-var-{SMALL:g}", title, "STAT-2", *steps, **more)


def _both_modes(place: Place, dy: DataRecipe) -> tuple[Step, ...]:
    return train(place, dy=dy), KNOWN, evaluate(place, normal("other"), dy)


def _no_eps(place: Place) -> Case:
    """An eps of 0 may be refused: a default of 0 may not be declared, and some frameworks have a least eps."""
    step = train(place, normal("eps", scale=0.01), normal("dy", scale=2.0**-6))
    known = SetStatistics(MEAN, positive(seed_of("small variance"), scale=1e-4))
    more = fields(config={"eps": 0.0}, axes={"eps": 0.0}, judges=ALL_QUANTITIES, expects="numbers-or-refusal")
    return case(place, "eps-0", "eps = 0 beside variances near 1e-4", "FWD-2", step, known, evaluate(place), **more)
