"""Effects of conventions: the numbers of a report agree with running averages that are simply run."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, sqrt
from typing import Any

import pytest
from tests.support.sample_declarations import FLAX, TENSORFLOW, TEXTBOOK, TORCH

from bn_conformance.conventions.effects import Effect, convention_effects
from bn_conformance.conventions.running_average import COUNT, STEPS
from bn_reference.specification.convention import CHOICES, Convention

CONVENTIONS = {"torch": TORCH, "tensorflow": TENSORFLOW, "flax": FLAX, "textbook": TEXTBOOK}


def trained(convention: Mapping[str, Any], steps: int) -> dict[str, float]:
    """Running statistics after training steps on batches of mean 1 and variance 1, step by step."""
    momentum = convention["default_momentum"]
    new = momentum if convention["momentum_weighs"] == "new" else 1.0 - momentum
    mean, variance = 0.0, float(convention["initial_running_variance"])
    batch = COUNT / (COUNT - 1) if convention["running_variance"] == "unbiased" else 1.0
    if convention["eps_in_running_variance"]:
        batch += convention["default_eps"]
    for _ in range(steps):
        mean = (1.0 - new) * mean + new * 1.0
        variance = (1.0 - new) * variance + new * batch
    divisor = sqrt(variance + convention["default_eps"] * convention["eps_in_inference"])
    return {"running mean": mean, "running variance": variance, "inference divides by": divisor}


def by_choice(baseline: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Effect]:
    return {effect.choice: effect for effect in convention_effects(baseline, other)}


@pytest.mark.parametrize("baseline", CONVENTIONS)
@pytest.mark.parametrize("other", CONVENTIONS)
def test_every_course_is_that_of_a_running_average(baseline: str, other: str) -> None:
    from_convention, to_convention = CONVENTIONS[baseline], CONVENTIONS[other]
    for effect in convention_effects(from_convention, to_convention):
        changed = dict(
            to_convention
            if effect.choice == "all together"
            else from_convention | {effect.choice: to_convention.get(effect.choice)}
        )
        if effect.choice == "default_momentum":
            changed["momentum_weighs"] = to_convention["momentum_weighs"]
        assert [point[0] for point in effect.points] in ([], list(STEPS))
        for steps, before, after in effect.points:
            assert before == pytest.approx(trained(from_convention, steps)[effect.quantity], rel=1e-12)
            assert after == pytest.approx(trained(changed, steps)[effect.quantity], rel=1e-12)


def test_conventions_that_agree_have_no_effects() -> None:
    assert convention_effects(TORCH, dict(TORCH)) == []


def test_one_difference_alone_is_not_told_twice() -> None:
    assert list(by_choice(TORCH, TORCH | {"running_variance": "biased"})) == ["running_variance"]
    assert list(by_choice(TORCH, TEXTBOOK))[-1] == "all together"


def test_unbiased_against_biased_is_n_over_n_minus_one() -> None:
    effect = by_choice(TORCH | {"running_variance": "biased"}, TORCH)["running_variance"]
    assert (effect.baseline, effect.value) == ("biased", "unbiased")
    assert "+3.2 % at n = 32" in effect.sentence
    assert effect.points[-1][2] == pytest.approx(32 / 31, rel=1e-5)


def test_an_initial_variance_of_zero_fades_with_training() -> None:
    biased = TORCH | {"running_variance": "biased"}
    effect = by_choice(biased, biased | {"initial_running_variance": 0.0})
    (only,) = effect.values()
    assert [point[2] for point in only.points] == [pytest.approx(1 - 0.9**steps) for steps in STEPS]
    assert "0.1, 0.651, 1 times the baseline's after 1, 10, 100 steps" in only.sentence


def test_the_same_default_momentum_in_the_other_direction_is_told_as_the_same() -> None:
    effects = by_choice(TORCH, TORCH | {"momentum_weighs": "old", "default_momentum": 0.9})
    assert "The same default, written the other way round" in effects["default_momentum"].sentence
    assert "the new statistic weighs 0.9, not 0.1" in effects["momentum_weighs"].sentence


def test_eps_matters_more_where_the_variance_is_small() -> None:
    sentence = by_choice(TORCH, TORCH | {"default_eps": 1e-3})["default_eps"].sentence
    assert "-0.049 % at variance 1, -4.6 % at variance 0.01, 0.316 times at variance 0.0001" in sentence


def test_rounding_the_old_weight_costs_more_than_rounding_the_new() -> None:
    kept = {
        dtype: by_choice(TENSORFLOW | {"momentum_dtype": "float64"}, TENSORFLOW | {"momentum_dtype": dtype})
        for dtype in ("float32", "float32-new")
    }
    assert "as float32 off by 1e-6" in kept["float32"]["momentum_dtype"].sentence
    assert "as float32-new off by 2e-8" in kept["float32-new"]["momentum_dtype"].sentence


def test_eps_in_the_format_of_x_is_told_for_both_formats_of_16_bits() -> None:
    sentence = by_choice(TORCH | {"default_eps": 1e-7}, TORCH | {"default_eps": 1e-7, "eps_dtype": "x"})[
        "eps_dtype"
    ].sentence
    assert "eps = 1e-7 is 1.1921e-7 where x is float16 and 1.0012e-7" in sentence


def test_every_field_of_a_convention_has_numbers_or_a_sentence_of_its_own() -> None:
    declared = Convention().to_json()
    for name, choices in CHOICES.items():
        for value in choices:
            if value != declared[name]:
                (effect,) = convention_effects(declared, declared | {name: value})
                assert "knows no numbers" not in effect.sentence, name
    both = by_choice(declared, declared | {"default_eps": 0.1, "default_momentum": 0.5})
    assert set(both) == {"default_eps", "default_momentum", "all together"}


@pytest.mark.parametrize("value", [None, 0.0, 1.0, inf, -3.0, "x", [1], True])
@pytest.mark.parametrize("name", [*TORCH, "a_field_of_the_future"])
def test_a_convention_that_nobody_could_declare_never_breaks_a_report(name: str, value: object) -> None:
    baseline = TORCH | {"a_field_of_the_future": "old"}
    for one, other in ((baseline, baseline | {name: value}), (baseline | {name: value}, baseline)):
        for effect in convention_effects(one, other):
            assert effect.sentence
