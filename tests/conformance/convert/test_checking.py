"""The check of a conversion: what is carried right holds, and each mistake of carrying is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.command_line import GOOD, ROOT, WRONG, write

from bn_conformance.adapter import Array
from bn_conformance.convert.carrying import CarriedLayer, carried
from bn_conformance.convert.checking import check_conversion
from bn_conformance.convert.content import Content
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, VARIANCE, NormLayer
from bn_conformance.implementations.implementation import NOT_INSTALLED, Implementation
from bn_conformance.implementations.registry import find

KEYS = {role: ("bn", role) for role in (GAMMA, BETA, MEAN, VARIANCE)}


def layer(dtype: str = "float32", eps: float = 2.0**-10, target: str = "float32") -> CarriedLayer:
    generator = np.random.default_rng(3)
    gamma, beta, mean, logarithm = (generator.standard_normal(7) for _ in range(4))
    gamma, beta, mean, variance = (part.astype(dtype) for part in (gamma, beta, mean, np.exp(logarithm)))
    held = Content({key: np.zeros(7, target) for key in KEYS.values()})
    return carried(NormLayer("bn", gamma, beta, mean, variance, eps=2.0**-10), "its", "name", KEYS, held, 2.0**-10, eps)


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Implementation:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return find([str(tmp_path / write(tmp_path, "good.py", GOOD))])[0]


@pytest.mark.parametrize(
    "made",
    [
        layer(),
        layer(eps=2.0**-6),
        layer("float64", target="float32"),
        layer("float64", target="float64"),
        layer(target="float16"),
        layer(eps=2.0**-6, target="float16"),
    ],
    ids=["same", "shifted", "narrowed", "wide", "half", "half and shifted"],
)
def test_what_is_carried_right_holds(made: CarriedLayer, good: Implementation) -> None:
    verification = check_conversion(good, good, [made, made], Content(made.by_key))
    assert verification.verified, verification
    assert [check.what for check in verification.checks] == ["arrays of the written file", "outputs in inference"]


def damaged(made: CarriedLayer, **arrays: Array) -> CarriedLayer:
    return replace(made, arrays={**made.arrays, **arrays})


MISTAKES: Mapping[str, CarriedLayer] = {
    "beta for gamma": damaged(layer(), gamma=layer().arrays[BETA], beta=layer().arrays[GAMMA]),
    "mean negated": damaged(layer(), running_mean=-layer().arrays[MEAN]),
    "a deviation for a variance": damaged(layer(), running_var=np.sqrt(layer().arrays[VARIANCE])),
    "unbiased": damaged(layer(), running_var=layer().arrays[VARIANCE] * np.float32(1024 / 1023)),
    "gamma in fewer bits": damaged(layer(), gamma=layer().arrays[GAMMA] * np.float32(1 + 2.0**-16)),
    "an eps that is not shifted": replace(layer(), eps=2.0**-6),
}


@pytest.mark.parametrize("made", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_carrying_is_seen(made: CarriedLayer, good: Implementation) -> None:
    verification = check_conversion(good, good, [made], Content(made.by_key))
    assert not verification.verified
    assert not verification.checks[1].holds


def test_a_file_that_does_not_hold_what_was_carried_is_seen(good: Implementation) -> None:
    made = layer()
    content = Content({**made.by_key, ("bn", GAMMA): made.arrays[BETA]})
    assert not check_conversion(good, good, [made], content).checks[0].holds


@pytest.mark.usefixtures("good")
def test_a_side_that_computes_something_else_is_seen(good: Implementation, tmp_path: Path) -> None:
    wrong = find([str(tmp_path / write(tmp_path, "wrong.py", WRONG))])[0]
    assert not check_conversion(good, wrong, [layer()], None).checks[0].holds


def test_a_side_that_is_not_installed_is_said(good: Implementation) -> None:
    missing = replace(good, status=NOT_INSTALLED, message="torch not installed")
    assert check_conversion(good, missing, [layer()], None).failure == "good cannot run here: torch not installed"
