"""A layer that is frozen from the start, with gamma and beta constants: dx alone is judged, in either mode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.good_numpy import EVERYTHING, GoodLayer
from tests.support.judge_layers import adapter_of, failing, judge_all, lines

from bn_conformance.adapter import Array, Convention, Gradients, LayerConfig, SecondOrder
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import PARAMETER_GRADIENTS, Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.goldens import Goldens

CONSTANT = replace(EVERYTHING, parameter_gradients=False)
FROZEN = replace(
    CONSTANT,
    modes=frozenset({"inference"}),
    gradients=frozenset({"inference"}),
    second_order=frozenset({"inference"}),
)
NOT_DECLARED = "gradients of gamma and beta are not declared"


class Constant(GoodLayer):
    """Right, and frozen from the start."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.frozen = True

    def backward(self, dy: Array) -> Gradients:
        return Gradients(super().backward(dy).dx, None, None)

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        assert v_dgamma is None
        assert v_dbeta is None
        return super().double_backward(dy, v_dx, None, None)._replace(ds_dgamma=None)


class WithoutEps(Constant):
    """Wrong as well: inference leaves eps out of dx."""

    def dx_in_inference(self, dy: Array, inverse: Array) -> Array:
        without = inverse / np.sqrt(1 - self.eps * np.square(inverse))
        return super().dx_in_inference(dy, without)


class MovesInTraining(Constant):
    """Wrong as well: in training it normalises by the batch."""

    def freeze(self) -> None:
        self.frozen = False


def asked(*families: str) -> list[Case]:
    cases = [case for case in all_cases().values() if case.family in families and not case.sweep]
    return [as_declared(case, FROZEN, Convention()) for case in cases if unsupported_reason(case, FROZEN) is None]


def reason(case: str) -> str | None:
    return unsupported_reason(all_cases()[case], CONSTANT)


def test_it_is_clean_in_all_that_it_is_asked() -> None:
    items = judge_all(adapter_of(Constant), asked("EVAL", "GRAD", "SECOND", "STATE", "PURE", "LAW", "EDGE"))
    assert not failing(items), lines(failing(items))
    assert sum(item.outcome in ("exact", "tight") for item in items) > 100


def test_no_gradient_of_a_parameter_is_judged_or_weighed() -> None:
    cases = asked("GRAD", "SECOND", "STATE", "NUM")
    assert not any(case.judges & PARAMETER_GRADIENTS for case in cases)
    seconds = [batch.second for case in cases for batch in case.batches if batch.second is not None]
    assert seconds
    assert not any(second.v_dgamma or second.v_dbeta for second in seconds)


def test_what_weighs_less_than_others_has_data_of_its_own() -> None:
    case = all_cases()["second/nc/float32/frozen"]
    goldens, constant = Goldens(), as_declared(case, FROZEN, Convention())
    seconds = [goldens.data(one).batches[-1].second for one in (case, constant, case)]
    weights = [[part is not None for part in second or ()] for second in seconds]
    assert weights == [[True, True, True], [True, False, False], [True, True, True]]


@pytest.mark.parametrize("case", ["grad/nc/float32/frozen", "second/nc/float32/frozen", "mask/nc/float32/frozen"])
def test_a_frozen_layer_in_training_needs_no_training(case: str) -> None:
    assert unsupported_reason(all_cases()[case], FROZEN) is None
    assert unsupported_reason(all_cases()[case], replace(FROZEN, freeze=False)) == "freezing is not declared"


def test_what_a_layer_does_before_it_is_frozen_needs_training() -> None:
    assert unsupported_reason(all_cases()["state/nc/float32/freeze"], FROZEN) == "training is not declared"


@pytest.mark.parametrize(
    "case",
    [
        "second/nc/float32/dgamma-alone",
        "second/nc/float32/inference-dbeta-alone",
        "law/nc/float32/linear-in-dy-in-inference",
    ],
)
def test_a_case_about_the_gradients_of_parameters_is_left_out(case: str) -> None:
    assert unsupported_reason(all_cases()[case], EVERYTHING) is None
    assert reason(case) == NOT_DECLARED


def test_a_case_whose_first_clause_is_about_them_is_left_out() -> None:
    about = [case for case in all_cases().values() if case.clauses[0] in ("GRAD-2", "GRAD-3", "SECOND-2")]
    assert about
    assert all(unsupported_reason(case, CONSTANT) for case in about)


def test_it_fails_where_that_is_not_declared() -> None:
    can = replace(FROZEN, parameter_gradients=True)
    case = as_declared(all_cases()["grad/nc/float32/inference-random"], can, Convention())
    assert [item.case for item in failing(judge_all(adapter_of(Constant), [case]))] == [case.id]


@pytest.mark.parametrize("layer", [WithoutEps, MovesInTraining], ids=lambda layer: layer.__name__)
def test_a_mistake_is_found_all_the_same(layer: type[GoodLayer]) -> None:
    clauses = {
        quantity.clauses[0]
        for item in failing(judge_all(adapter_of(layer), asked("GRAD")))
        for quantity in item.quantities
    }
    assert "GRAD-4" in clauses
