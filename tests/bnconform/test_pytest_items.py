"""`parametrize`: a test module of one's own, run by pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.good_numpy import GoodNumpy

import bnconform

MODULE = """
import bnconform
from bn_adapters.textbook import TextbookNumpy


class Bad(TextbookNumpy):
    name = "bad"


@bnconform.parametrize("textbook.numpy", cases=["stat/nc/float32/*", "edge/nc-0x5/float32/empty-batch"])
def test_good(case):
    case()


@bnconform.parametrize(Bad, cases=["edge/nc-0x5/float32/empty-batch", "mask/nc/*"])
def test_bad(case):
    case()
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_mine.py").write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-q", "test_mine.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
def test_items_pass_fail_and_are_expected_to_fail(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert "XFAIL test_mine.py::test_good[edge/nc-0x5/float32/empty-batch]" in done.stdout
    assert "FAILED test_mine.py::test_bad[edge/nc-0x5/float32/empty-batch]" in done.stdout
    assert "PASSED test_mine.py::test_good[stat/nc/float32/" in done.stdout
    assert "bnconform.check(Bad, cases='edge/nc-0x5/float32/empty-batch')" in done.stdout
    assert "test_bad[mask" not in done.stdout
    assert done.returncode == 1


@pytest.mark.slow
def test_ids_select(tmp_path: Path) -> None:
    done = run(tmp_path, "-k", "good and stat", "--collect-only")
    assert "test_good[stat/nc/float32/" in done.stdout
    assert "edge" not in done.stdout


@bnconform.parametrize(GoodNumpy, cases="fwd/nc/float32/*")
def test_a_layer_of_this_module(case: bnconform.CaseCheck) -> None:
    assert case.clauses[0].startswith("FWD")
    case()


def test_what_cannot_be_judged_is_said_where_the_module_is_imported() -> None:
    with pytest.raises(bnconform.UserError, match="no case matches"):
        bnconform.parametrize(GoodNumpy, cases="nothing/*")
