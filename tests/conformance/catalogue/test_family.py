"""Family modules: how their cases are made, found and put in order."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from bn_conformance.cases.model import OUTPUTS, Case
from bn_conformance.catalogue import (
    all_cases,
    cases_of,
    crossing,
    fwd,
    in_order,
    large,
    large_cases,
    mask_calls,
    stat,
    values,
)
from bn_conformance.catalogue.build import PARAMETERS, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, EVERYWHERE, F32, IMAGES, NC, NHWC


def simple(builder: Family, **fields: Any) -> Case:
    return builder.case(NC, "random", "random data", "STAT-2 GRAD-1", train(NC), **fields)


def test_a_case_has_the_name_the_fields_and_the_axes_of_its_family_and_place() -> None:
    place = NHWC.of(BF16_WIDE)
    case = Family("FWD", judges=OUTPUTS).case(place, "random", "data", "FWD-1", train(place), axes={"eps": 1.0})
    assert case.id == "fwd/nhwc/bfloat16-p-float32/random"
    assert (case.family, case.clauses, case.judges, case.parameters) == ("FWD", ("FWD-1",), OUTPUTS, PARAMETERS)
    assert (case.config.rank, case.config.channel_axis, case.config.num_channels) == (4, 3, 3)
    assert (case.config.dtype, case.config.parameter_dtype) == BF16_WIDE
    spelled = {"layout": "nhwc", "shape": [4, 5, 5, 3], "dtype": "bfloat16-p-float32", "n": 100, "eps": 1.0}
    assert case.axes == spelled


def test_a_field_of_the_case_comes_before_that_of_its_family() -> None:
    family = Family("FWD", judges=OUTPUTS)
    assert simple(family, judges=frozenset({"dx"})).judges == {"dx"}
    assert simple(family, family="EDGE").id == "edge/nc/float32/random"


def test_without_a_family_a_case_belongs_to_that_of_its_first_clause() -> None:
    assert simple(Family()).family == "STAT"


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="juges"):
        simple(Family(), juges=OUTPUTS)


def test_float32_is_tried_in_every_layout_and_other_formats_in_images() -> None:
    layouts = {place.slug for place in EVERYWHERE if place.formats == F32}
    assert len(layouts) == 8
    assert {place.slug for place in EVERYWHERE if place.formats != F32} == {place.slug for place in IMAGES}


def test_cases_are_in_the_order_of_their_modules() -> None:
    firsts = [list(all_cases()).index(next(module.cases()).id) for module in (fwd, stat, mask_calls, crossing, values)]
    assert firsts == sorted(firsts)
    assert firsts[0] == 0


def test_large_cases_are_apart() -> None:
    assert list(large_cases().values()) == list(large.cases())
    assert not large_cases().keys() & all_cases().keys()


def fake(name: str, order: int, *cases: Case) -> ModuleType:
    module = ModuleType(f"catalogue.{name}")
    module.FAMILY = Family(order=order)  # type: ignore[attr-defined]
    module.cases = lambda: iter(cases)  # type: ignore[attr-defined]
    return module


def test_a_new_module_takes_part_in_its_place() -> None:
    first, last = simple(Family("FWD")), simple(Family("GRAD"))
    modules = [fake("later", 20, last), fake("new", 10, first), ModuleType("helper")]
    assert list(cases_of(in_order(modules)).values()) == [first, last]


def test_two_modules_of_one_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order is 10 in one and other"):
        in_order([fake("one", 10), fake("other", 10)])


def test_two_cases_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="two cases have the id fwd/nc/float32/random"):
        cases_of([fake("one", 10, simple(Family("FWD"))), fake("other", 20, simple(Family("FWD")))])
