"""DTYPE: formats of results, precision of each format, and parameters wider than x."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import OUTPUTS, Case, ParameterRecipes, SetStatistics
from bn_conformance.catalogue.build import DY, KNOWN, centred, evaluate, fill, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, BF16_WIDE, F16, F16_WIDE, F32_WIDE, F64, FORMAT_PAIRS, IMAGES, Place

FAMILY = Family("DTYPE", order=100)
case = FAMILY.case

PRECISION = {F64: "DTYPE-3", F16: "DTYPE-2", BF16: "DTYPE-2", F16_WIDE: "DTYPE-2", BF16_WIDE: "DTYPE-2"}
"""The clause that says how precise each pair of formats is; float32 is what every other family tries."""

FINE = ParameterRecipes(gamma=centred(31, offset=16.0, scale=2.0**-5), beta=centred(32, offset=16.0, scale=2.0**-5))
"""Parameters whose last digits fit float32 and no 16-bit format."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in (image.of(formats) for formats in (*FORMAT_PAIRS, F32_WIDE) for image in IMAGES):
        title = "shapes and formats of everything, in training and in inference"
        steps = train(place, dy=DY), evaluate(place, normal("other"))
        yield case(place, "formats", title, "DTYPE-1", *steps, sweep=place.formats == F32_WIDE)
        if place.formats in PRECISION:
            for offset in (0.0, 8.0):
                title, x = f"accuracy of the format on data of mean {offset:g}", normal("precision", offset=offset)
                clause, axes = PRECISION[place.formats], {"offset": offset}
                yield case(place, f"precision-{offset:g}", title, clause, train(place, x, DY), axes=axes)
    for place in (image.of(formats) for formats in (F16_WIDE, BF16_WIDE) for image in IMAGES):
        yield from wide(place)


def wide(place: Place) -> Iterator[Case]:
    """Parameters and statistics that the format of x does not hold, at one place with wider parameters."""
    title = "parameters whose last digits fit only the wider format, and show where y is small beside beta"
    x = centred(33)
    steps = KNOWN, train(place, x), evaluate(place, x)
    yield case(place, "wide-parameters", title, "DTYPE-5", *steps, parameters=FINE, judges=OUTPUTS, tight=True)
    title = "running statistics whose last digits fit only the wider format"
    known = SetStatistics(centred(34, offset=4.0, scale=2.0**-10), fill(2.0**-14))
    look = evaluate(place, centred(35, offset=4.0, scale=2.0**-7))
    yield case(place, "wide-statistics", title, "DTYPE-4", known, look, config={"eps": 2.0**-16})
