"""`bnconform new-adapter`: what it writes works and conforms as it is, is typed, and overwrites nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import assert_usage, bnconform
from tests.support.wrapped_code import judged

from bn_conformance.targets.loading import load_adapter

CASES = ("fwd/*/float32/*", "stat/*/float32/*", "eval/*/float32/*", "grad/*/float32/random", "err/n*/*", "edge/nc/*")


@pytest.mark.slow
def test_the_numpy_starting_point_conforms_and_its_test_runs(tmp_path: Path) -> None:
    done = bnconform(tmp_path, "new-adapter", "my_bn")
    assert done.returncode == 0, done.stderr
    adapter = load_adapter(str(tmp_path / "my_bn.py"))
    assert [item.case for item in judged(adapter, *CASES) if item.verdict == "fail"] == []
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_bn.py", "-k", "random and nc/"]
    ran = subprocess.run(test, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.framework
def test_the_torch_starting_point_works(tmp_path: Path) -> None:
    assert bnconform(tmp_path, "new-adapter", "mine", "--as", "torch").returncode == 0
    items = judged(load_adapter(str(tmp_path / "mine.py")), "fwd/nchw/*/random", "grad/nchw/*/random")
    assert {item.verdict for item in items} == {"pass"}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("# mine")
    assert_usage(bnconform(tmp_path, "new-adapter", "mine"), "test_mine.py exists; name another adapter")
    assert not (tmp_path / "mine.py").exists()
    assert_usage(bnconform(tmp_path, "new-adapter", "My BN"), "'My BN' is no name of a module")
