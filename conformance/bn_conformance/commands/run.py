"""`bnconform run` and `bnconform check`: thin fronts to the pytest matrix."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import click

from bn_conformance.matrix.recorder import NOT_JUDGED, USAGE

_PYTEST_INTERNAL, _PYTEST_USAGE, _PYTEST_NOTHING = 3, 4, 5


def run(
    implementations: tuple[str, ...],
    clauses: tuple[str, ...],
    cases: tuple[str, ...],
    processes: str,
    level: str,
    profile: str,
    results: str,
    device: str,
    known_faults: tuple[str, ...],
    timeout: float,
    in_process: bool,
    regressions: tuple[str, ...] = (),
    pytest_arguments: tuple[str, ...] = (),
) -> int:
    """Run the matrix under pytest with its own configuration; gives the exit code."""
    import pytest

    count = _processes(processes)
    if in_process and count:
        if processes != "auto":
            raise click.UsageError("--in-process needs -n 0")
        count = 0
    if not timeout > 0.0:
        raise click.UsageError(f"--timeout is {timeout:g}; allowed are seconds above 0")
    if results and Path(results).is_dir():
        raise click.UsageError(f"--results {results} is a folder; name a file")
    matrix = str(files("bn_conformance").joinpath("matrix"))
    arguments = ["-c", f"{matrix}/pytest.ini", "--rootdir", matrix, f"{matrix}/test_matrix.py"]
    arguments += [
        "-p",
        "no:cacheprovider",
        "--noconftest",
        "-qq",
        "--no-header",
        "--no-summary",
        "--tb=no",
        "--bn-front",
    ]
    arguments += ["-p", "xdist", "-n", str(count), "--max-worker-restart", "1000"] if count else []
    for option, values in (
        ("--bn-implementation", implementations),
        ("--bn-clause", clauses),
        ("--bn-case", cases),
        ("--bn-known-faults", known_faults),
        ("--bn-regressions", regressions),
    ):
        arguments += [f"{option}={value}" for value in values]
    arguments += [f"--bn-level={level}", f"--bn-profile={profile}", f"--bn-device={device}", f"--bn-timeout={timeout}"]
    arguments += [f"--bn-results={results}"] if results else []
    arguments += ["--bn-in-process"] if in_process else []
    os.environ.pop("PYTEST_ADDOPTS", None)
    code = int(pytest.main([*arguments, *pytest_arguments]))
    return {_PYTEST_USAGE: USAGE, _PYTEST_NOTHING: NOT_JUDGED, _PYTEST_INTERNAL: NOT_JUDGED}.get(code, code)


def _processes(text: str) -> int:
    if text in ("auto", "logical"):
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(count, 1)
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise click.UsageError(f"-n is {text!r}; allowed are auto and numbers from 0")
    return count
