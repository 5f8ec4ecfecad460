"""Saved statistics and gradients from exact ones: a wrong forward is told from a wrong backward."""

from __future__ import annotations

import numpy as np
import pytest

from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import run_case
from bn_conformance.mutation.bench import lenient_policy
from bn_conformance.mutation.mutant import PlainAdapter, usual_precision
from bn_conformance.results.records import Item
from bn_reference.deviations import catalogue

GOLDENS = Goldens()
CASES = [case for case in all_cases().values() if case.family == "SAVED"]
SHOWN, EXACT = "saved/nc/float32/random", "saved/nc/float32/exact-random"


def judged(case: str, *deviations: str) -> Item:
    adapter = PlainAdapter(
        [catalogue()[name] for name in deviations], work=usual_precision(all_cases()[case].config.dtype)
    )
    with np.errstate(all="ignore"):
        return run_case(
            adapter.name, all_cases()[case], LocalHost(adapter), adapter.convention, GOLDENS, lenient_policy()
        )


def wrong(item: Item) -> set[str]:
    return {quantity.name.removeprefix("step0.") for quantity in item.quantities if quantity.outcome == "wrong"}


@pytest.mark.parametrize("case", [case.id for case in CASES])
def test_a_right_layer_is_clean(case: str) -> None:
    item = judged(case)
    assert item.verdict == "pass"
    assert {quantity.name.partition(".")[2] for quantity in item.quantities} >= (
        {"dx_given"} if "exact" in case else {"saved_mean", "saved_invstd"}
    )


@pytest.mark.parametrize(
    ("name", "quantities"),
    [
        ("saved-inverse-without-eps", {"saved_invstd"}),
        ("saved-inverse-unbiased", {"saved_invstd"}),
        ("saved-variance-for-inverse", {"saved_invstd"}),
        ("saved-deviation-for-inverse", {"saved_invstd"}),
        ("saved-statistics-swapped", {"saved_mean", "saved_invstd"}),
        ("saved-mean-is-running-mean", {"saved_mean"}),
    ],
)
def test_a_wrong_forward_is_right_from_exact_statistics(name: str, quantities: set[str]) -> None:
    assert wrong(judged(SHOWN, name)) == quantities | {"dx", "dgamma"}
    assert wrong(judged(EXACT, name)) == set()


def test_a_variance_that_only_16_bit_data_get_is_wrong_there_alone() -> None:
    found = {case.id for case in CASES if wrong(judged(case.id, "16-bit-saved-variance"))}
    assert found == {case.id for case in CASES if "float16/random" in case.id or "float32/random" in case.id} - {
        "saved/nc/float32/random",
        "saved/nchw/float32/random",
        "saved/nhwc/float32/random",
    }


@pytest.mark.parametrize(
    "name", ["saved-inverse-rooted-again", "backward-takes-inverse-for-deviation", "backward-adds-eps-to-inverse"]
)
def test_a_wrong_backward_is_wrong_from_exact_statistics_too(name: str) -> None:
    assert wrong(judged(SHOWN, name)) == {"dx", "dgamma"}
    assert wrong(judged(EXACT, name)) == {"dx_given", "dgamma_given"}
