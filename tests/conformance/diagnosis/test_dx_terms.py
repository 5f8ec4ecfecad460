"""A dx with a factor at one of its terms is told with the factor, where enough cases give the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.measure.diagnosed import Mutant
from tests.support.judge_layers import goldens

from bn_conformance.adapter import Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.dx_terms import terms_sentence
from bn_conformance.diagnosis.mutant_runs import FailingCase
from bn_reference.arithmetic.channels import channels_back
from bn_reference.arithmetic.quad import to_float64

CASES = ("grad/nc/float32/random", "grad/nchw/float32/random", "grad/nchw/float64/random")


def failing(case_id: str, factors: Sequence[float], twist: float = 0.0) -> FailingCase:
    """A case with these factors at the terms of its dx, and with something else in it where it is twisted."""
    case, (golden, *_) = all_cases()[case_id], goldens().steps(all_cases()[case_id], Convention())
    observation = Mutant((), Convention()).observe(case)
    step = observation.steps[0]
    assert step.backward is not None
    assert golden.dy is not None
    nodes, dy = golden.golden.nodes, to_float64(golden.dy)
    normalised = to_float64(nodes.normalised)
    terms = dy, -dy.mean(axis=1, keepdims=True), -normalised * (dy * normalised).mean(axis=1, keepdims=True)
    inner = sum(factor * term for factor, term in zip(factors, terms, strict=True)) + twist * np.sin(dy)
    gamma = golden.golden.parameters.gamma
    scale = nodes.inverse_deviation if gamma is None else gamma * nodes.inverse_deviation
    rows = to_float64(scale)[:, None] * inner
    dx = channels_back(rows, case.batches[0].shape, case.config.channel_axis).astype(case.config.dtype)
    steps = (replace(step, backward=replace(step.backward, dx=dx)), *observation.steps[1:])
    wrong = replace(observation, steps=steps)
    return FailingCase(case, wrong, None, Convention(), goldens().data(case), (golden,))


@pytest.mark.parametrize(
    ("factors", "told"),
    [
        ((1.0, 0.9, 1.0), "(dy - 0.9 * mean(dy) - xhat * mean(dy * xhat))"),
        ((1.0, 1.0, 1.1), "(dy - mean(dy) - 1.1 * xhat * mean(dy * xhat))"),
        ((0.5, 0.0, 1.0), "(0.5 * dy - 0 * mean(dy) - xhat * mean(dy * xhat))"),
        ((0.5, 0.5, 0.5), "(0.5 * dy - 0.5 * mean(dy) - 0.5 * xhat * mean(dy * xhat))"),
    ],
)
def test_the_factor_is_told_with_its_term(factors: tuple[float, ...], told: str) -> None:
    sentence = terms_sentence([failing(case, factors) for case in CASES])
    assert told in sentence
    assert sentence.startswith("In all 3 failing cases that tell, dx in training is gamma / sqrt(variance + eps) * (")


def test_a_layer_whose_gamma_was_never_set_tells_as_well() -> None:
    cases = [case for case in all_cases() if case.startswith("grad/") and case.endswith("/default-parameters")]
    assert "0.9 * mean(dy)" in terms_sentence([failing(case, (1.0, 0.9, 1.0)) for case in cases])


def test_a_dx_of_another_shape_tells_nothing() -> None:
    cases = [failing(case, (1.0, 0.9, 1.0)) for case in CASES]
    step = cases[0].observation.steps[0]
    assert step.backward is not None
    steps = replace(step, backward=replace(step.backward, dx=np.zeros((), np.float32)))
    flat = replace(cases[0], observation=replace(cases[0].observation, steps=(steps,)))
    assert not terms_sentence([flat, *cases[1:]])
    assert terms_sentence([flat, *cases])


def test_nothing_is_told_of_a_right_dx_or_of_too_few_cases() -> None:
    assert not terms_sentence([failing(case, (1.0, 1.0, 1.0)) for case in CASES])
    assert not terms_sentence([failing(case, (1.0, 0.9, 1.0)) for case in CASES[:2]])


def test_nothing_is_told_where_factors_differ_or_do_not_explain_every_number() -> None:
    right = [failing(case, (1.0, 0.9, 1.0)) for case in CASES]
    assert terms_sentence(right)
    assert not terms_sentence([*right[:2], failing(CASES[2], (1.0, 0.8, 1.0))])
    assert not terms_sentence([*right, failing(CASES[0], (1.0, 0.9, 1.0), twist=1e-3)])
