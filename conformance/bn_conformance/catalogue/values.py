"""Values that code treats apart: an eps of nothing or of no 16-bit number, gradients of 1e-20, beta far above gamma."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import EVERYTHING, GRADIENTS, OUTPUTS, Case, Parameters, SetStatistics
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    BF16,
    BF16_WIDE,
    DY,
    F16,
    F16_WIDE,
    F32,
    F64,
    MEAN,
    NC,
    NCHW,
    NHWC,
    Formats,
    Layout,
    X,
    evaluate,
    known_statistics,
    make,
    normal,
    train,
)

SMALL_EPS: tuple[tuple[Formats, Layout, float], ...] = (
    (F16, NCHW, 1e-8),
    (F16_WIDE, NHWC, 1e-8),
    (F16_WIDE, NHWC, 1e-5),
    (BF16_WIDE, NHWC, 1e-5),
)
"""1e-8 is zero in float16. What bfloat16 makes of 1e-5 shows in dgamma of float32, and in nothing of bfloat16."""

TINY = 1e-20

FAR = Parameters(
    gamma=Recipe(kind="positive", seed=seed_of("small gamma"), scale=1e-3),
    beta=Recipe(kind="centred", seed=seed_of("large beta"), offset=1000.0),
)


def cases() -> Iterator[Case]:
    """Every case of values."""
    for layout, formats in ((NC, F32), (NHWC, F32), (NCHW, F64)):
        yield _no_eps(layout, formats)
    for formats, layout, eps in SMALL_EPS:
        yield _small_eps(layout, formats, eps)
    for layout, formats in ((NC, F32), (NCHW, F32), (NCHW, F64), (NCHW, BF16)):
        yield _tiny_dy(layout, formats)
    for layout, formats in ((NC, F32), (NHWC, F32), (NCHW, F64)):
        title = "beta is near 1000 and gamma 1e-3: gradients need x, since y has lost its digits"
        steps = train(layout, X, DY), known_statistics(), evaluate(layout, normal("other"), DY)
        clauses = ("GRAD-2", "GRAD-1", "GRAD-4")
        yield make(
            "GRAD", layout, formats, "beta-far-above-gamma", title, clauses, steps,
            parameters=FAR, judges=GRADIENTS, sweep=True,
        )  # fmt: skip


def _no_eps(layout: Layout, formats: Formats) -> Case:
    """An eps of 0 may be refused: a default of 0 may not be declared, and some frameworks have a least eps."""
    small = Recipe(kind="positive", seed=seed_of("small variance"), scale=1e-4)
    steps = (
        train(layout, normal("eps", scale=0.01), normal("dy", scale=2.0**-6)),
        SetStatistics(MEAN, small),
        evaluate(layout),
    )
    title = "eps = 0 beside variances near 1e-4"
    return make(
        "FWD", layout, formats, "eps-0", title, ("FWD-2",), steps, {"eps": 0.0}, {"eps": 0.0},
        judges=EVERYTHING, expects="numbers-or-refusal", sweep=True,
    )  # fmt: skip


def _small_eps(layout: Layout, formats: Formats, eps: float) -> Case:
    x, dy = normal("eps", scale=eps**0.5), normal("dy", scale=eps**0.5)
    title = f"eps = {eps:g}, which is no number of {formats[0]}, beside a variance of the same size"
    return make(
        "FWD", layout, formats, f"eps-{eps:g}", title, ("FWD-2",), (train(layout, x, dy),), {"eps": eps}, {"eps": eps},
        judges=OUTPUTS | GRADIENTS, sweep=True,
    )  # fmt: skip


def _tiny_dy(layout: Layout, formats: Formats) -> Case:
    dy = normal("dy", scale=TINY)
    steps = train(layout, X, dy), known_statistics(), evaluate(layout, normal("other"), dy)
    return make(
        "GRAD", layout, formats, f"dy-{TINY:g}", f"dy near {TINY:g}, and nothing is flushed", ("GRAD-5",), steps,
        axes={"dy": TINY}, judges=GRADIENTS, sweep=True,
    )  # fmt: skip
