"""Conformance of batch normalisation among the tests of your own package: a test for each clause family.

Copy this file, name your implementation, and run pytest. A failure lists the cases, what is wrong, and the command that
runs each of them alone.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from bn_conformance.results.file import Results, read_results
from bn_reference.specification.clauses import families

IMPLEMENTATION = "textbook.numpy"
"""The name of a registered implementation, or a target such as `tests/my_adapter.py:MyBatchNorm`."""
CASES = ("fwd/nc/*", "stat/nc/*", "grad/nc/*")
"""Patterns of case ids; `("*",)` for all of them."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of one run. It has layers in a process of its own, so that a crash ends no test."""
    path = tmp_path_factory.mktemp("bnconform") / "results.jsonl"
    patterns = [argument for pattern in CASES for argument in ("--case", pattern)]
    command = [sys.executable, "-m", "bn_conformance", "run", "-n", "0", "-i", IMPLEMENTATION, *patterns]
    subprocess.run([*command, "--results", str(path)], check=False, capture_output=True)
    return read_results(path)


def test_every_case_was_judged(results: Results) -> None:
    """An implementation that cannot be installed or imported is no success."""
    assert [environment.message for environment in results.environments if environment.status != "ok"] == []
    assert results.missing() == ()


@pytest.mark.parametrize("family", families())
def test_conforms(results: Results, family: str) -> None:
    """No case of the family fails, known faults aside."""
    items = [item for item in results.items if item.case.startswith(f"{family.lower()}/")]
    failures = [f"{item.id}: {item.message}\n    {item.reproduce}" for item in items if item.verdict == "fail"]
    assert not failures, "\n".join(failures)
