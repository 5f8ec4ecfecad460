"""Large cases: apart from all others, with data made in parts, and judged within their time and memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from tests.support.good_numpy import EVERYTHING
from tests.support.large_cost import measured

from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.cli import main
from bn_conformance.mutation.power import judged_cases

IMAGES, COUNTED = large_cases()


def test_large_cases_are_large_and_no_other_is() -> None:
    assert all(case.large for case in large_cases().values())
    assert not any(case.large for case in all_cases().values())
    assert not all_cases().keys() & large_cases().keys()


@pytest.mark.parametrize("patterns", [(), ("*",), ("num/*",), ("num/*", "fwd/nc/float32/random")])
def test_a_large_case_runs_nowhere_by_default(patterns: tuple[str, ...]) -> None:
    assert not large_cases().keys() & set(select_cases((), patterns))
    assert not large_cases().keys() & set(select_cases(("NUM-8",), patterns[:1]))


def test_a_large_case_runs_where_it_is_named() -> None:
    assert select_cases((), ("*/large-*",)) == list(large_cases())
    assert select_cases((), (COUNTED, "fwd/nc/float32/random")) == ["fwd/nc/float32/random", COUNTED]
    assert select_cases(("NUM-8",), ("*/large-*",)) == list(large_cases())


def test_power_is_not_measured_on_large_cases() -> None:
    assert not large_cases().keys() & set(judged_cases())
    assert judged_cases(("*/large-*", "fwd/nc/float32/random")) == ["fwd/nc/float32/random"]
    with pytest.raises(SelectionError, match="not measured on large cases"):
        judged_cases(("*/large-*",))


def test_large_cases_are_listed_and_said_to_be() -> None:
    done = CliRunner().invoke(main, ["list", "--cases"])
    assert IMAGES in done.stdout
    assert "and 2 large ones, which run only where --case names them" in done.stdout


def test_implementations_that_compile_get_large_cases_too() -> None:
    assert not any(unsupported_reason(case, replace(EVERYTHING, compiles=True)) for case in large_cases().values())


@pytest.mark.parametrize("kind", ["normal", "beside"])
@pytest.mark.parametrize(("shape", "axis"), [((50, 3, 2, 5), 1), ((50, 2, 5, 3), 3), ((500, 3), 1)])
def test_data_that_are_made_in_parts_are_the_same(
    kind: str, shape: tuple[int, ...], axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = DataRecipe(kind=kind, seed=3, offset=2.0, scale=1.5)
    whole = recipe.tensor(shape, axis, "float32")
    monkeypatch.setattr("bn_conformance.cases.recipes.AT_A_TIME", 64)
    np.testing.assert_array_equal(recipe.tensor(shape, axis, "float32"), whole)


@pytest.mark.slow
def test_ten_million_values_are_judged_in_half_a_minute_and_six_times_their_memory() -> None:
    cost = measured(IMAGES)
    print(f"\n{cost}")
    assert set(cost.levels.values()) <= {"exact", "tight"}
    assert {"step0.y", "step0.dx", "step0.dgamma", "step0.dbeta", "step0.running_mean"} <= cost.levels.keys()
    assert cost.processor < 30
    assert cost.times < 6


@pytest.mark.slow
@pytest.mark.parametrize(("case_id", "more"), [(IMAGES, {"step0.dbeta"}), (COUNTED, set())])
def test_one_running_sum_of_float32_is_wrong(case_id: str, more: set[str]) -> None:
    cost = measured(case_id, "tests.support.large_layers:OneRunningSum")
    print(f"\n{cost}")
    assert {"step0.y", "step0.running_mean"} | more <= {name for name, level in cost.levels.items() if level == "wrong"}
    assert cost.processor < 60
    assert cost.times < 6
