"""`bnconform probe` and `diff` as a person meets them: a lie is contradicted, a conversion is run and verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.command_line import GOOD, HEAD, WRONG, bnconform, called, write

BIASED = (
    HEAD
    + """
class Layer(GoodLayer):
    def move(self, mean, variance, count):
        super().move(mean, variance * ((count - 1) / count), count)
class Biased(GoodNumpy):
    name, layer = 'biased', Layer
"""
)
SWAPPED = (
    HEAD
    + """
class Layer(GoodLayer):
    def weight_of_new(self):
        return 1.0 - super().weight_of_new()
class Swapped(GoodNumpy):
    name, layer = 'swapped', Layer
"""
)
HONEST = BIASED.replace("layer = 'biased', Layer", "layer = 'honest', Layer") + (
    "    convention = Convention(running_variance='biased')\n"
)


def test_probe_agrees_with_a_true_declaration_and_says_it_as_json(tmp_path: Path) -> None:
    done = bnconform(tmp_path, "probe", write(tmp_path, "good.py", GOOD), "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["exit_code"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("text", "field"), [(BIASED, "running_variance"), (SWAPPED, "momentum_weighs")])
def test_probe_contradicts_a_lie(tmp_path: Path, text: str, field: str) -> None:
    done = bnconform(tmp_path, "probe", write(tmp_path, "lies.py", text))
    assert done.returncode == 1, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if line.strip().startswith(field)]
    assert any(" NO" in line.upper() for line in told), done.stdout


@pytest.mark.slow
def test_diff_converts_and_verifies(tmp_path: Path) -> None:
    good, honest = write(tmp_path, "good.py", GOOD), write(tmp_path, "honest.py", HONEST)
    done = bnconform(tmp_path, "diff", good, honest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "running variance" in done.stdout
    assert "verified" in done.stdout


@pytest.mark.slow
def test_diff_compares_what_code_does_and_not_what_it_declares(tmp_path: Path) -> None:
    good, lying = write(tmp_path, "good.py", GOOD), write(tmp_path, "lies.py", BIASED)
    done = bnconform(tmp_path, "diff", good, lying)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 convention differs" in done.stdout
    assert "biased: running_variance: biased; declared: unbiased (STAT-2)" in done.stdout


@pytest.mark.slow
def test_diff_does_not_verify_what_is_wrong(tmp_path: Path) -> None:
    good, wrong = write(tmp_path, "good.py", GOOD), write(tmp_path, "wrong.py", WRONG)
    done = bnconform(tmp_path, "diff", good, wrong)
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.parametrize("command", [("probe", "no.such"), ("diff", "no.such", "textbook.numpy")])
def test_what_does_not_exist_is_a_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = called(tmp_path, *command)
    assert done.returncode == 2
    assert "no.such" in done.stderr
    assert "Traceback" not in done.stderr
