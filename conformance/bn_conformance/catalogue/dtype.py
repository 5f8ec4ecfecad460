"""DTYPE: formats of results, precision of each format, and parameters wider than x."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import OUTPUTS, Case, Parameters, SetStatistics, Step
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    BF16,
    BF16_WIDE,
    DY,
    F16,
    F16_WIDE,
    F32_WIDE,
    F64,
    FORMATS,
    IMAGES,
    MEAN,
    VARIANCE,
    evaluate,
    make,
    normal,
    train,
)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in (*FORMATS, F32_WIDE):
        for layout in IMAGES:
            steps: tuple[Step, ...] = (train(layout, dy=DY), evaluate(layout, normal("other")))
            title = "shapes and formats of everything, in training and in inference"
            yield make("DTYPE", layout, formats, "formats", title, ("DTYPE-1",), steps, sweep=formats == F32_WIDE)
            clause = {F64: "DTYPE-3", F16: "DTYPE-2", BF16: "DTYPE-2", F16_WIDE: "DTYPE-2", BF16_WIDE: "DTYPE-2"}
            if formats not in clause:
                continue
            for offset in (0.0, 8.0):
                steps = (train(layout, normal("precision", offset=offset), DY),)
                title = f"accuracy of the format on data of mean {offset:g}"
                axes = {"offset": offset}
                yield make(
                    "DTYPE", layout, formats, f"precision-{offset:g}", title, (clause[formats],), steps, axes=axes
                )
    for formats in (F16_WIDE, BF16_WIDE):
        for layout in IMAGES:
            fine = Parameters(
                gamma=Recipe(kind="centred", seed=31, offset=16.0, scale=2.0**-5),
                beta=Recipe(kind="centred", seed=32, offset=16.0, scale=2.0**-5),
            )
            x = Recipe(kind="centred", seed=33, scale=1.0)
            title = "parameters whose last digits fit only the wider format, and show where y is small beside beta"
            steps = (SetStatistics(MEAN, VARIANCE), train(layout, x), evaluate(layout, x))
            yield make(
                "DTYPE", layout, formats, "wide-parameters", title, ("DTYPE-5",), steps,
                parameters=fine, judges=OUTPUTS, tight=True,
            )  # fmt: skip
            mean = Recipe(kind="centred", seed=34, offset=4.0, scale=2.0**-10)
            near = Recipe(kind="centred", seed=35, offset=4.0, scale=2.0**-7)
            variance = Recipe(kind="fill", offset=2.0**-14)
            title = "running statistics whose last digits fit only the wider format"
            steps = (SetStatistics(mean, variance), evaluate(layout, near))
            yield make("DTYPE", layout, formats, "wide-statistics", title, ("DTYPE-4",), steps, {"eps": 2.0**-16})
