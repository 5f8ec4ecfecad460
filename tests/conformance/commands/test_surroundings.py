"""The verdict depends neither on the caller's folder nor on the environment, the terminal or who reads the output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import GOOD, ROOT, WRONG, bnconform, write

from bn_conformance.results.file import read_results

pytestmark = pytest.mark.slow

CASES = ("--case", "eval/nc/float32/random", "--case", "fwd/nc/float32/random", "--case", "grad/nc/float32/random")
RUN = ("run", "-n", "1", "--results", "out.jsonl", "-i", "good.py", "-i", "wrong.py", *CASES)
SHADOWS = (
    "json",
    "random",
    "types",
    "torch",
    "numpy",
    "click",
    "pytest",
    "_pytest",
    "execnet",
    "conftest",
    "tests_of_mine",
)
EXPECTED = {"good": {"pass"}, "wrong": {"fail"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "good.py", GOOD)
    write(tmp_path, "wrong.py", WRONG)
    return tmp_path


def verdicts(folder: Path) -> dict[str, set[str]]:
    results = read_results(folder / "out.jsonl")
    assert results.end is not None
    assert results.missing() == ()
    assert {item.outcome for item in results.items} <= {"tight", "exact", "wrong"}
    names = results.header.implementations
    return {name: {item.verdict for item in results.items if item.implementation == name} for name in names}


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("kind", ["modules", "packages"])
def test_files_in_the_current_folder_replace_no_library(folder: Path, kind: str) -> None:
    for name in SHADOWS:
        path = folder / f"{name}.py" if kind == "modules" else folder / name / "__init__.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise SystemExit('the file of the current folder was imported')\n", encoding="utf-8")
    # Not `python -m`, which imports from the current folder before the suite can do anything about it.
    done = run_in(folder, str(Path(sys.executable).with_name("bnconform")), *RUN)
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(folder) == EXPECTED


def test_modules_beside_an_adapter_and_in_the_current_folder_are_found(folder: Path) -> None:
    write(folder, "beside.py", "NAME = 'found'\n")
    write(folder, "named.py", GOOD.replace('name = "good"', "import beside\n    name = beside.NAME"))
    for target in ("named.py", "named:Good"):
        done = bnconform(folder, "run", "-n", "0", "--results", "out.jsonl", "-i", target, *CASES)
        assert done.returncode == 0, done.stdout + done.stderr
        assert read_results(folder / "out.jsonl").header.implementations == ("found",)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        {"PYTEST_PLUGINS": "no_such_plugin"},
        {"PYTEST_ADDOPTS": "-k nothing --no-such-option"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTHONWARNINGS": "error"},
        {"PYTHONPATH": f"{os.pathsep}{ROOT}"},
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"TERM": "dumb", "NO_COLOR": "1"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_the_environment_changes_no_verdict(folder: Path, environment: dict[str, str]) -> None:
    done = bnconform(folder, *RUN, **environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(folder) == EXPECTED
    assert "Diagnosis" in done.stdout


def test_what_ascii_does_not_have_is_written_in_ascii(folder: Path) -> None:
    command = [sys.executable, "-m", "bn_conformance", *RUN]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, timeout=300, check=False)
    text = done.stdout.decode("ascii")
    assert "\nx 1 of 2 implementations does not conform" in text
    assert "?" not in text


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "| true", "2>&1 | true"])
def test_nobody_need_read_what_a_run_prints(folder: Path, redirection: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m bn_conformance {' '.join(RUN)} {redirection}"
    done = run_in(folder, "bash", "-fc", command)
    assert done.returncode == 1, done.stderr
    assert verdicts(folder) == EXPECTED
    assert "Traceback" not in done.stderr
