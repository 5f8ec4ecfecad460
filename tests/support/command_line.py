"""The command line as a person uses it: in a process of its own, in a folder of its own, on adapters in files there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from bn_conformance.cli import main
from bn_conformance.results.file import Results, read_results

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("torch", "tensorflow", "jax", "keras", "flax", "tf_keras")
HEAD = """
from bn_conformance.adapter import Adapter, Array, Convention
from tests.support.good_numpy import GoodLayer, GoodNumpy
"""
GOOD = f"""{HEAD}
class Good(GoodNumpy):
    name = "good"
"""
WRONG = f"""{HEAD}
class Layer(GoodLayer):
    def inverse(self, variance):
        return super().inverse(variance * 1.01)

class Wrong(GoodNumpy):
    name, layer = "wrong", Layer
"""
CRASHING = f"""{HEAD}
import os

class Layer(GoodLayer):
    def backward(self, dy):
        os.abort()

class Crashing(GoodNumpy):
    name, layer = "crashing", Layer
"""


def bnconform(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, where adapters may import `tests`."""
    return subprocess.run(
        [sys.executable, "-m", "bn_conformance", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as `bnconform` does, but in this process, which takes a tenth of the time.

    What a command raises, where `bnconform` would end with a traceback, is raised.
    """
    with chdir(folder):
        done = CliRunner(env={"PYTHONPATH": str(ROOT), "COLUMNS": "200"}).invoke(
            main, arguments, catch_exceptions=False
        )
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def write(folder: Path, name: str, text: str) -> str:
    """Write a file, and give its name."""
    (folder / name).write_text(text, encoding="utf-8")
    return name


def run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Results]:
    """`bnconform run` in one process, and its results."""
    done = bnconform(folder, "run", "-n", "0", "--results", "out.jsonl", *arguments)
    return done, read_results(folder / "out.jsonl")


def assert_usage(done: subprocess.CompletedProcess[str], words: str) -> None:
    """A mistake ends a command with 2 and one line, which holds the words."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("Usage:", "Try "))]
    assert len(lines) == 1, done.stderr
    assert words in lines[0]
    assert "Traceback" not in done.stdout


def modules_after(code: str) -> set[str]:
    """The modules that Python holds after it ran some code."""
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())
