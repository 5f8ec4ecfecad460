"""The README and the page about Python say what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(document: str) -> list[str]:
    """The Python code of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [dedent(code) for _, code in PYTHON.findall(text)]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the layer of the README."""
    (layer,) = (block for block in blocks("README.md") if block.startswith("# my_layers.py"))
    (tmp_path / "my_layers.py").write_text(layer, encoding="utf-8")
    return tmp_path


@pytest.mark.framework
@pytest.mark.slow
def test_the_example_of_the_readme_prints_what_it_says(folder: Path) -> None:
    (code,) = (block for block in blocks("README.md") if "import bnconform" in block)
    done = run(folder, "-c", code)
    assert done.stdout.splitlines() == re.findall(r"# prints (.*)", code), done.stderr


@pytest.mark.framework
@pytest.mark.slow
def test_the_example_of_the_page_runs(folder: Path) -> None:
    first, _ = blocks("docs/python.md")
    done = run(folder, "-c", first)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✓ batchnorm.BatchNorm2d conforms")


@pytest.mark.framework
@pytest.mark.slow
def test_the_tests_of_the_page_judge_the_layer(folder: Path) -> None:
    _, tests = blocks("docs/python.md")
    (folder / "test_mine.py").write_text(tests, encoding="utf-8")
    done = run(folder, "-m", "pytest", "-q", "-rA", "-k", "test_batch_norm and nchw and float32 and offset")
    assert "FAILED test_mine.py::test_batch_norm[num/nchw/float32/offset-10000]" in done.stdout
    assert done.returncode == 1
