"""Scripts of faults: they show the fault, they say so where it is mended, and they hold the data of the case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.command_line import called
from tests.support.repros import outcome_of, script_of, shown

from bn_conformance.cases.recipes import DATA_KINDS, DataRecipe, dtype_of
from bn_conformance.repro.generators import HELPERS, generator_of
from bn_conformance.repro.literals import NoRepro, array_code
from bn_conformance.repro.number_text import number_text

NAME = "textbook.numpy"
LONG = "num/nc-65536x3/float32/long-constant"
EMPTY = "edge/nc-0x5/float32/empty-batch"


@pytest.mark.parametrize("case", [LONG, EMPTY, "err/nchw/float32/dy-same-rows"])
def test_a_script_shows_the_fault(case: str) -> None:
    assert shown(f"{NAME}::{case}") == ""


def test_where_the_fault_is_mended_a_script_says_so() -> None:
    text = script_of(f"{NAME}::{EMPTY}")
    mended = text.replace("rows, mean, stabilised, cache = forward", "rows, *_ = forward")
    mended = mended.replace("held_mean = 0.75", "mean, stabilised = held_mean, held_var\nheld_mean = 0.75")
    code, output = outcome_of(mended)
    assert (code, output.splitlines()[-1]) == (0, f"no fault: {NAME} is right here")


def test_numbers_come_with_the_definition_and_a_derived_bound() -> None:
    code, output = outcome_of(script_of(f"{NAME}::{LONG}"))
    assert code == 1
    assert "by the definition in float64" in output
    first = output.splitlines()[0]
    exact = float(first.partition("exact ")[2].partition(",")[0])
    definition = float(output.splitlines()[1].rpartition(" ")[2])
    assert definition == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_a_script_says_why_and_where_it_is_tracked() -> None:
    text = script_of(f"{NAME}::{EMPTY}")
    assert "Why: the mean of no values is NaN" in text
    assert "What must hold (" in text


def test_what_is_right_has_no_script() -> None:
    with pytest.raises(NoRepro, match="there is nothing to show"):
        script_of(f"{NAME}::fwd/nc/float32/random")


def test_an_adapter_without_code_is_told_what_to_add(tmp_path: Path) -> None:
    Path(tmp_path, "mine.py").write_text(
        "from tests.support.good_numpy import GoodNumpy\n\n\nclass Mine(GoodNumpy):\n    name = 'mine'\n"
    )
    ended = called(tmp_path, "repro", "mine.py:Mine::fwd/nc/float32/random")
    assert ended.returncode == 2
    assert "give its adapter a method code(config)" in ended.stderr


@pytest.mark.parametrize(
    "kind", [kind for kind in DATA_KINDS if kind not in ("fill", "special", "signed-zeros", "network")]
)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_generators_give_the_bits_of_recipes(kind: str, dtype: str) -> None:
    recipe = DataRecipe(kind=kind, seed=3, offset=100.0, scale=0.5)
    array = recipe.tensor((4, 3, 5), 1, dtype)
    variables: dict[str, Any] = {"np": np}
    exec("\n".join([*HELPERS, *generator_of("x", recipe, array.shape, 1, dtype)]), variables)
    wanted = array.astype(np.float32) if dtype == "bfloat16" else array
    assert variables["x"].dtype == wanted.dtype
    assert variables["x"].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_written_numbers_are_the_same_bits(dtype: str) -> None:
    numbers = DataRecipe(seed=5, scale=1e3).tensor((40, 3), 1, dtype)
    array = np.concatenate([numbers.ravel(), np.array([-0.0, np.nan, np.inf, -np.inf, 6e-8], numbers.dtype)])
    variables: dict[str, Any] = {"np": np}
    exec("\n".join(array_code("x", array)), variables)
    assert variables["x"].astype(dtype_of(dtype)).tobytes() == array.tobytes()


def test_the_shortest_text_of_a_number_is_taken() -> None:
    assert number_text(np.float32(0.1)) == "0.1"
    assert number_text(np.float64(-0.0)) == "-0.0"
    assert number_text(np.bool_(True)) == "True"
