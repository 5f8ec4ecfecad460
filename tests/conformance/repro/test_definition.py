"""The code that `bnconform show` prints computes what the reference does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observe import observe
from bn_conformance.repro.definition import MOST_STEPS, case_code

OTHER = Convention(running_variance="biased", momentum_weighs="old", default_momentum=0.99, default_eps=1e-3)


TORCH = Convention()


def computed(case: Case, convention: Convention = TORCH) -> dict[str, Any]:
    """The variables that the code leaves behind."""
    variables: dict[str, Any] = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec("\n".join(case_code(case, convention)), variables)
    return variables


def assert_computes(case: Case, convention: Convention) -> None:
    """The last step's results are those of the reference layer, up to the rounding of the storage format."""
    got = computed(case, convention)
    last = observe(case, data_of(case), LocalHost(PlainAdapter(convention=convention)), False).steps[-1]
    wanted: dict[str, Any] = {"y": last.forward.y}
    if last.backward is not None:
        wanted |= {"dx": last.backward.dx, "dgamma": last.backward.dgamma, "dbeta": last.backward.dbeta}
    if last.after is not None:
        wanted |= {"running_mean": last.after[0], "running_var": last.after[1]}
    compared = 0
    for name, expected in wanted.items():
        if expected is None or not np.isfinite(expected.astype(np.float64)).all():
            continue
        scale = np.abs(expected.astype(np.float64)).max(initial=1e-300)
        np.testing.assert_allclose(got[name], expected, rtol=1e-6, atol=1e-6 * scale, err_msg=name)
        compared += 1
    assert compared >= 3


NAMES = (
    "fwd/nc/float32/random",
    "fwd/nchw/float32/no-affine",
    "fwd/nchw/float32/eps-default",
    "eval/nchw/float32/random",
    "grad/nhwc/float32/random",
    "grad/ncl/float32/inference-random",
    "mask/nchw/float32/random",
    "stat/nc/float32/first-step",
    "stat/nchw/float32/cumulative",
)


@pytest.mark.parametrize("convention", [TORCH, OTHER], ids=["torch", "other"])
@pytest.mark.parametrize("name", [name for name in NAMES if name in all_cases()])
def test_the_code_computes_what_the_reference_does(name: str, convention: Convention) -> None:
    assert_computes(all_cases()[name], convention)


def test_the_code_of_every_case_runs() -> None:
    """One case of each family and each kind of step."""
    kinds: dict[object, Case] = {}
    for case in all_cases().values():
        kinds.setdefault((case.family, case.expects, tuple(sorted({type(step).__name__ for step in case.steps}))), case)
    for case in kinds.values():
        computed(case)


def test_running_statistics_are_those_of_the_convention() -> None:
    case = all_cases()["stat/nc/float32/first-step"]
    n = data_of(case).batches[0].x.shape[0]
    unbiased, biased = computed(case), computed(case, OTHER)
    ours, other = (np.asarray(run["running_var"]) for run in (unbiased, biased))
    new = unbiased["new"]
    var = unbiased["var"]
    np.testing.assert_allclose(ours, (1 - new) + new * var * n / (n - 1))
    np.testing.assert_allclose(other, (1 - new) + new * var)


def test_a_case_that_must_be_refused_says_so() -> None:
    refused = next(case for case in all_cases().values() if case.expects == "refusal")
    assert case_code(refused, TORCH)[-1].startswith("# the layer must raise a clear error")


def test_long_cases_say_how_much_is_left_out() -> None:
    long = next(case for case in all_cases().values() if len(case.steps) > MOST_STEPS and case.expects == "numbers")
    assert case_code(long, TORCH)[-1] == f"# and {len(long.steps) - MOST_STEPS} steps more"
