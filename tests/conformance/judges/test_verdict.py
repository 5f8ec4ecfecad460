"""What a suite says: caught, passes or not asked, of deviations and of right algorithms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.algorithms.algorithm import ALGORITHMS, RAW_MOMENTS
from bn_conformance.algorithms.layer import AlgorithmLayer
from bn_conformance.judges.measuring import fails_algorithm
from bn_conformance.judges.suite import Suite, suite_of, suites
from bn_conformance.judges.verdict import SuiteJudge, Word
from bn_conformance.mutation.mutant import PlainAdapter
from bn_reference.deviations import catalogue
from bn_reference.layer.layer import PlainLayer

CLOSE = {"kind": "close", "rtol": 1e-3, "atol": 1e-3}


def suite(**more: Any) -> Suite:
    """A suite of one batch of training with gradients."""
    normal = {"kind": "normal"}
    table: dict[str, Any] = {"name": "own", "title": "", "source": "", "read": "", "tolerance": ""}
    return suite_of(table | {"rules": {}, "trial": [{"shape": [4, 3, 5], "x": normal, "dy": normal}]} | more)


def said(judged_by: Suite, name: str) -> Word:
    return SuiteJudge(judged_by).of_deviation(catalogue()[name])


def test_a_suite_that_compares_nothing_asks_nothing() -> None:
    judge = SuiteJudge(suite())
    assert {judge.of_deviation(deviation) for deviation in list(catalogue().values())[::40]} == {Word.NOT_ASKED}


def test_what_is_not_compared_is_not_asked() -> None:
    assert said(suite(rules={"y": CLOSE}), "gradients-zero") is Word.NOT_ASKED
    assert said(suite(rules={"dx": CLOSE}), "gradients-zero") is Word.CAUGHT


def test_what_the_tolerance_allows_passes() -> None:
    assert said(suite(rules={"y": CLOSE}), "eps-missing-in-training") is Word.PASSES
    assert said(suite(rules={"y": CLOSE | {"rtol": 1e-7, "atol": 0.0}}), "eps-missing-in-training") is Word.CAUGHT


def test_what_the_suites_own_convention_chooses_is_not_asked() -> None:
    tight = {"running_var": CLOSE | {"rtol": 1e-6, "atol": 0.0}}
    assert said(suite(rules=tight), "running-var-biased") is Word.CAUGHT
    biased = suite(rules=tight, convention={"running_variance": "biased"})
    assert said(biased, "running-var-biased") is Word.NOT_ASKED


class Raises(PlainLayer):
    def forward(self, x: Array, training: bool) -> Array:
        raise ValueError("no")


def test_a_layer_that_raises_is_caught() -> None:
    judge = SuiteJudge(suite(rules={"y": CLOSE}))
    assert judge.of_layer(PlainAdapter([], base=Raises).build) is Word.CAUGHT


@pytest.mark.parametrize("name", suites())
def test_each_suite_accepts_the_reference_layer_and_asks_something(name: str) -> None:
    judge = SuiteJudge(suites()[name])
    assert judge.of_layer(PlainAdapter([], suites()[name].convention).build) is Word.NOT_ASKED
    assert suites()[name].compares


@pytest.mark.parametrize(
    ("name", "deviation", "word"),
    [
        ("kernelbench", "eps-outside-root", Word.PASSES),
        ("kernelbench", "raw-moments", Word.PASSES),
        ("kernelbench", "relu-built-in", Word.CAUGHT),
        ("kernelbench", "dx-without-mean-term", Word.NOT_ASKED),
        ("flaggems", "eps-missing-in-training", Word.PASSES),
        ("allclose", "dx-without-mean-term", Word.CAUGHT),
        ("onnx", "running-var-unbiased", Word.CAUGHT),
        ("webnn", "inference-eps-missing", Word.CAUGHT),
        ("opinfo", "momentum-swapped", Word.NOT_ASKED),
        ("keras", "training-flag-ignored", Word.CAUGHT),
        ("keras", "raw-moments", Word.PASSES),
        ("onednn", "y-unbiased", Word.CAUGHT),
    ],
)
def test_famous_mistakes(name: str, deviation: str, word: Word) -> None:
    assert said(suites()[name], deviation) is word


def test_the_same_is_said_again() -> None:
    names = list(catalogue())[::25]
    first, second = ([said(suites()["hipdnn"], name) for name in names] for _ in range(2))
    assert first == second


def test_a_tolerance_without_room_fails_right_algorithms() -> None:
    rules = {"y": CLOSE | {"rtol": 0.0, "atol": 0.0}}
    judge, generous = SuiteJudge(suite(rules=rules)), SuiteJudge(suite(rules={"y": CLOSE}))
    assert sum(fails_algorithm(judge, name) for name in ALGORITHMS) > 10
    assert not any(fails_algorithm(generous, name) for name in ALGORITHMS)


def test_the_right_algorithms_are_the_layer_that_they_should_be() -> None:
    """A suite of the bounds' size finds them right, and raw moments far from zero wrong."""
    far = {"shape": [8, 3, 8], "x": {"kind": "normal", "low": 1e3, "high": 1.0}}
    judge = SuiteJudge(suite(rules={"y": CLOSE}, trial=[far]))
    assert not fails_algorithm(judge, "two-pass, pairwise")
    assert judge.of_layer(lambda config: AlgorithmLayer(RAW_MOMENTS, config)) is Word.CAUGHT


def test_a_result_of_another_shape_or_dtype() -> None:
    class Wide(PlainLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return super().forward(x, training).astype(np.float64)

    def build(config: LayerConfig) -> Any:
        return PlainAdapter([], base=Wide).build(config)

    loose = suite(rules={"y": CLOSE})
    assert SuiteJudge(loose).of_layer(build) is Word.PASSES
    assert SuiteJudge(replace(loose, dtypes_alike=True)).of_layer(build) is Word.CAUGHT
