"""An error that every plain case ends in is found before the run; whatever gives a result is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import GOOD, ROOT, called, write

from bn_conformance.implementations.implementation import BROKEN, OK, Implementation
from bn_conformance.matrix.plan import make_plan
from bn_conformance.matrix.preflight import preflight
from bn_conformance.options import RunOptions

NO_WEIGHT = """
from tests.support.good_numpy import GoodLayer, GoodNumpy

class Layer(GoodLayer):
    def set_parameters(self, gamma, beta):
        self.weight[:] = gamma

class Mine(GoodNumpy):
    name, layer = "mine", Layer
"""
NO_TRAINING = NO_WEIGHT.replace("set_parameters(self, gamma, beta)", "backward(self, dy)")
ALL, FEW = "*/nc/float32/*", "fwd/nc/float32/*"


@pytest.fixture(autouse=True)
def adapters_may_import_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def after_preflight(folder: Path, text: str, cases: str) -> Implementation:
    target = str(folder / write(folder, "mine.py", text))
    plan = make_plan(RunOptions(implementations=(target,), cases=(cases,), in_process=True))
    return preflight(plan).implementations[0]


def test_an_error_in_every_plain_case_is_said_with_its_place(tmp_path: Path) -> None:
    tried = after_preflight(tmp_path, NO_WEIGHT, ALL)
    assert tried.status == BROKEN
    assert "'Layer' object has no attribute 'weight' (mine.py, line 6)" in tried.message
    assert "fwd/nc/float32/random" in tried.message


@pytest.mark.parametrize(
    ("text", "cases"), [(GOOD, ALL), (NO_TRAINING, ALL), (NO_WEIGHT, FEW)], ids=["right", "a-part-works", "few-cases"]
)
def test_what_gives_some_result_or_was_selected_is_judged(tmp_path: Path, text: str, cases: str) -> None:
    assert after_preflight(tmp_path, text, cases).status == OK


def test_a_check_says_it_once_and_judges_nothing(tmp_path: Path) -> None:
    target = write(tmp_path, "mine.py", NO_WEIGHT)
    done = called(tmp_path, "check", target, "-n", "0", "--in-process", "--case", ALL)
    assert done.returncode == 3
    assert done.stdout.count("has no attribute 'weight'") == 1
    assert "mend it first" in done.stdout
    assert "mine is broken" in done.stdout
