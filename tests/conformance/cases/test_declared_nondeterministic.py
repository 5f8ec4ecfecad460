"""A layer whose sums run in any order declares that, and is judged in all but the bits of two runs."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from tests.support.good_numpy import EVERYTHING, GoodLayer, GoodNumpy
from tests.support.judge_layers import adapter_of, failing, judge_all, lines
from tests.support.single_precision import SINGLE

import bnconform
from bn_conformance.adapter import Array, Capabilities, Convention
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import NONDETERMINISTIC, unsupported_reason
from bn_conformance.catalogue import all_cases

ANY_ORDER = replace(SINGLE, deterministic=False)
FAMILIES = ("FWD", "EVAL", "GRAD", "PURE")


class SumsInAnyOrder(GoodLayer):
    """Right, in float32: each forward takes the positions in another order, and so do the sums of its backward."""

    work = np.dtype(np.float32)
    dice: ClassVar[np.random.Generator]

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        return super().statistics(self.dice.permutation(rows, axis=1))

    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        return np.asarray(self.dice.permutation(dy * xhat, axis=1).sum(axis=1))

    def dbeta(self, dy: Array) -> Array:
        return np.asarray(self.dice.permutation(dy, axis=1).sum(axis=1))


class DoubleGamma(SumsInAnyOrder):
    """Wrong as well: dgamma is twice what it should be."""

    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        return np.float32(2) * super().dgamma(dy, xhat, rows)


class Declared(GoodNumpy):
    layer = SumsInAnyOrder
    capabilities = ANY_ORDER


@pytest.fixture(autouse=True)
def dice() -> None:
    SumsInAnyOrder.dice = np.random.default_rng(14)


def asked(can: Capabilities, *families: str) -> list[Case]:
    cases = [case for case in all_cases().values() if case.family in families and not case.sweep]
    return [as_declared(case, can, Convention()) for case in cases if unsupported_reason(case, can) is None]


def reason(case: str, can: Capabilities) -> str | None:
    return unsupported_reason(all_cases()[case], can)


@pytest.mark.parametrize("case", ["same-bits", "concurrent", "concurrent-one-infers-twice"])
def test_the_bits_of_two_runs_are_not_asked_and_the_reason_says_why(case: str) -> None:
    assert reason(f"pure/nc/float32/{case}", EVERYTHING) is None
    assert reason(f"pure/nc/float32/{case}", replace(EVERYTHING, deterministic=False)) == NONDETERMINISTIC


def test_nothing_else_is_left_out_and_several_threads_compute_once() -> None:
    can = replace(EVERYTHING, deterministic=False)
    left_out = [case for name, case in all_cases().items() if reason(name, can) and not reason(name, EVERYTHING)]
    assert {case.clauses[0] for case in left_out} == {"PURE-2", "PURE-6"}
    in_threads = all_cases()["pure/nchw/float32/threads-2"]
    assert in_threads.repeat
    assert as_declared(in_threads, can, Convention()) == replace(in_threads, repeat=False)


def test_sums_in_any_order_fail_where_that_is_not_declared() -> None:
    items = judge_all(adapter_of(SumsInAnyOrder), asked(SINGLE, *FAMILIES))
    fail = {all_cases()[item.case].clauses[0] for item in failing(items)}
    assert "PURE-2" in fail
    assert fail <= {"PURE-2", "PURE-6"}, lines(failing(items))


def test_they_are_clean_where_it_is() -> None:
    items = judge_all(adapter_of(SumsInAnyOrder), asked(ANY_ORDER, *FAMILIES))
    assert not failing(items), lines(failing(items))
    assert sum(item.outcome in ("tight", "stable") for item in items) > 30


@pytest.mark.slow
def test_they_are_clean_in_every_case() -> None:
    items = judge_all(adapter_of(SumsInAnyOrder), asked(ANY_ORDER, *{case.family for case in all_cases().values()}))
    assert not failing(items), lines(failing(items))


def test_a_mistake_is_found_all_the_same() -> None:
    items = judge_all(adapter_of(DoubleGamma), asked(ANY_ORDER, "GRAD"))
    assert "GRAD-2" in {quantity.clauses[0] for item in failing(items) for quantity in item.quantities}


def test_the_verdict_says_as_declared_and_names_the_clause_that_nobody_asked() -> None:
    verdict = bnconform.check(Declared, cases=["fwd/nc/float32/*", "pure/nc/float32/*"])
    assert "conforms as declared" in verdict.headline
    (told,) = (part for part in verdict.coverage.left_out if part.reason == NONDETERMINISTIC)
    assert "PURE-2" in told.clauses
