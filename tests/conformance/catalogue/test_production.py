"""The cases of production enter the classes of sizes that they are named after, and catch what the suite missed."""

from __future__ import annotations

from math import prod

import pytest

from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.places import FORMAT_PAIRS, Place
from bn_conformance.catalogue.production import SEQUENCES, SETTINGS, SIZES
from bn_conformance.mutation.attack import Hunt
from bn_conformance.mutation.conditions import Residue, Same, Where, Within
from bn_conformance.mutation.sampling import Mutant

PRODUCTION = [case for case in all_cases().values() if "/production" in case.id]


def space(place: Place) -> int:
    return prod(size for axis, size in enumerate(place.shape) if axis not in (0, place.axis))


def test_each_class_of_sizes_is_what_it_is_called() -> None:
    assert all(place.channels % 16 == 0 for place in SIZES["channels in whole vectors"])
    assert all(place.channels >= 130 for place in SIZES["wide layers, odd and even"])
    assert {place.channels % 2 for place in SIZES["wide layers, odd and even"]} == {0, 1}
    assert all(place.count >= 512 for place in SIZES["long channels"])
    assert all(place.shape[0] == 1 for place in SIZES["one image"])
    assert all(space(place) == 1 or place.shape[place.rank - 2] == 1 for place in SIZES["one pixel"])
    assert all(place.channels == 1 for place in SIZES["one channel"])


def test_every_pair_of_formats_and_every_sequence_is_tried() -> None:
    assert {(case.config.dtype, case.config.parameter_dtype) for case in PRODUCTION} == set(FORMAT_PAIRS)
    names = {case.id.rpartition("-")[2] for case in PRODUCTION}
    assert set(SEQUENCES) - {"training"} <= names
    assert {slug for slug in SETTINGS if any(f"/production-{slug}" in case.id for case in PRODUCTION)} == set(SETTINGS)


def test_frameworks_that_compile_run_one_of_each_class_of_sizes_and_an_old_and_a_quick_layer() -> None:
    plain = [case for case in PRODUCTION if not case.sweep]
    for what, places in SIZES.items():
        assert [case.axes["layout"] in {place.slug for place in places} for case in plain].count(True) == 1, what
    assert {case.id.rpartition("/")[2] for case in plain} == {"production", "production-old", "production-quick"}


@pytest.mark.parametrize(
    ("deviation", "condition"),
    [
        ("eps-outside-root", Within("channels", 1024)),
        ("dx-without-mean-term", Within("batch", 1, 2)),
        ("running-var-biased", Within("space", 1, 2)),
        ("second-x-zero", Same("memory", "strided")),
        ("dx-without-mean-term", Same("memory", "part")),
        ("eps-outside-root", Within("number", 100)),
        ("masked-running-var-over-all", Residue("channels", 16)),
        ("inference-centres-by-batch", Within("count", 1024, 2048)),
    ],
)
def test_a_mistake_under_one_condition_is_caught(deviation: str, condition: Within | Residue | Same) -> None:
    hunt = Hunt([case.id for case in PRODUCTION])
    assert hunt.fate(Mutant(deviation, Where((condition,)))).caught_by
