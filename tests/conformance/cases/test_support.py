"""What a case needs of an implementation, and the reason that is given where it is not declared."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from tests.support.good_numpy import EVERYTHING

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.support import NEEDS, unsupported_reason
from bn_conformance.catalogue import all_cases

NOT_OF_A_CASE = {"devices"}
"""Capabilities that no case asks for: the option `--device` does."""


def test_every_capability_has_a_row() -> None:
    read = {name for need in NEEDS for name in need.capabilities}
    assert read == {field.name for field in fields(Capabilities)} - NOT_OF_A_CASE


@pytest.mark.parametrize(
    ("case", "lacking", "reason"),
    [
        ("fwd/nchw/float64/random", {"dtypes": frozenset({"float32"})}, "float64 is"),
        ("fwd/nchw/float16-p-float32/random", {"mixed": frozenset()}, "float16 with float32 parameters is"),
        ("fwd/ncl/float32/random", {"ranks": frozenset({2})}, "rank 3 is"),
        ("fwd/nlc/float32/random", {"layouts": frozenset({"first"})}, "channels last is"),
        ("fwd/nc/float32/random", {"layouts": frozenset()}, "channels first or last is"),
        ("law/nchw/float32/layouts", {"layouts": frozenset({"first"})}, "channels first and last is"),
        ("fwd/nc/float32/gamma-only", {"affine": frozenset({"both"})}, "affine gamma is"),
        ("stat/nc/float32/cumulative", {"cumulative": False}, "the cumulative average is"),
        ("layout/nc/float32/all", {"gradients": frozenset({"training"})}, "gradients in inference are"),
        ("grad/nc/float32/random", {"gradients": frozenset()}, "gradients in training are"),
        ("eval/nc/float32/random", {"modes": frozenset({"training"})}, "inference is"),
        ("pure/nc/float32/interrupted-inference", {"modes": frozenset({"inference"})}, "training is"),
        ("stat/nc/float32/first-step", {"statistics": False}, "running statistics are"),
        ("second/nc/float32/random", {"second_order": frozenset()}, "gradients of gradients in training are"),
        ("state/nc/float32/freeze", {"freeze": False}, "freezing is"),
        ("mask/nc/float32/random", {"masks": False}, "masks are"),
        ("layout/nc-2x3/float32/size", {"compiles": True}, "sweep over sizes (compiles for each shape) is"),
        ("pure/nc/float32/concurrent", {"concurrent": False}, "running in two threads at the same time is"),
    ],
)
def test_the_reason_names_what_is_not_declared(case: str, lacking: dict[str, Any], reason: str) -> None:
    assert unsupported_reason(all_cases()[case], EVERYTHING) is None
    assert unsupported_reason(all_cases()[case], replace(EVERYTHING, **lacking)) == f"{reason} not declared"


def test_two_layers_infer_at_once_without_training() -> None:
    for variant in ("two-infer", "one-infers-twice"):
        case = all_cases()[f"pure/nc/float32/concurrent-{variant}"]
        assert unsupported_reason(case, replace(EVERYTHING, modes=frozenset({"inference"}))) is None


def test_a_default_must_be_declared_where_a_case_uses_it() -> None:
    case = all_cases()["fwd/nc/float32/eps-default"]
    assert unsupported_reason(case, EVERYTHING, Convention()) is None
    without = replace(Convention(), default_eps=None)
    assert unsupported_reason(case, EVERYTHING, without) == "a default eps is not declared"
