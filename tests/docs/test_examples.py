"""The examples of conformance/examples, run as somebody would who copies them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "conformance" / "examples"
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run_pytest(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_batch_norm.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "test_batch_norm.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
def test_the_pytest_file_passes(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, (EXAMPLES / "test_batch_norm.py").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_pytest_file_names_what_fails(tmp_path: Path) -> None:
    """A known fault of the textbook's code is none under another name."""
    (tmp_path / "mine.py").write_text(
        "from bn_adapters.textbook import TextbookNumpy\nclass Mine(TextbookNumpy):\n    name = 'mine'\n"
    )
    text = (EXAMPLES / "test_batch_norm.py").read_text(encoding="utf-8")
    text = text.replace('"textbook.numpy"', '"mine.py:Mine"').replace('"fwd/nc/*"', '"edge/*/empty-batch"')
    done = run_pytest(tmp_path, text)
    assert done.returncode == 1
    assert "FAILED test_batch_norm.py::test_conforms[EDGE]" in done.stdout
    assert "bnconform run -i 'mine.py:Mine' --case 'edge/" in done.stdout


@pytest.fixture
def workflow() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((EXAMPLES / "batch-norm.yml").read_text(encoding="utf-8"))
    return parsed


@pytest.mark.slow
def test_the_workflow_judges_reports_and_compares(tmp_path: Path, workflow: dict[str, Any]) -> None:
    """Its commands run in their order; the first run's results are those that are accepted."""
    summary = tmp_path / "summary.md"
    small = {"IMPLEMENTATION": "textbook.numpy", "CASES": "stat/nc/*", "GITHUB_STEP_SUMMARY": str(summary)}
    environment = ENVIRONMENT | workflow["env"] | small
    commands = [step["run"] for step in workflow["jobs"]["conformance"]["steps"] if "run" in step]
    judging = [command for command in commands if command.startswith("bnconform")]
    assert [command.split()[1] for command in judging] == ["run", "report", "compare"]
    for command in judging:
        if "compare" in command:
            (tmp_path / "accepted.jsonl").write_bytes((tmp_path / "new.jsonl").read_bytes())
        done = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "textbook.numpy" in summary.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name)
def test_what_the_workflows_of_this_repository_run_exists(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"].split() for job in jobs.values() for step in job["steps"] if "run" in step]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, argument, *_ in commands:
        assert name in ("make", "bash", "echo") or name.startswith(".venv/bin/")
        assert name != "make" or f"\n{argument}:" in makefile
        assert name != "bash" or (ROOT / argument).exists()
