"""The examples of adapters/README.md are the files of adapters/examples, and do what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.support.adapter_checks.whole import check_declarations

from bn_conformance.adapter import Convention

ADAPTERS = Path(__file__).parents[2] / "adapters"
EXAMPLES = ADAPTERS / "examples"
README = (ADAPTERS / "README.md").read_text(encoding="utf-8")
CASES = ("--case", "fwd/nchw/float32/*", "--case", "stat/nchw/float32/*", "--case", "grad/nchw/float32/*")


def block(name: str) -> str:
    """The code of the page under the comment with this file name."""
    match = re.search(rf"^( *)```python\n\1# {re.escape(name)}\n(.*?)^\1```", README, re.MULTILINE | re.DOTALL)
    assert match is not None, f"adapters/README.md has no block # {name}"
    return textwrap.dedent(match[2])


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_the_page_shows_the_file(path: Path) -> None:
    assert block(path.name) == path.read_text(encoding="utf-8")


def bnconform(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bn_conformance", *arguments]
    return subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("arguments", re.findall(r"^bnconform check (.*\bmy_\w+\.py.*)$", README, re.MULTILINE))
def test_a_check_of_the_page_passes(arguments: str, tmp_path: Path) -> None:
    done = bnconform("check", *arguments.split(), "-n", "0", "--results", str(tmp_path / "o.jsonl"), *CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_test_of_the_page_passes_where_the_adapter_is_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    names: dict[str, Any] = {}
    exec(block("tests/adapters/test_my_adapter.py").replace("bn_adapters.my_adapter", "my_adapter"), names)
    names["test_my_batchnorm"]()


def test_the_test_of_the_page_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    from my_adapter import MyBatchNormAdapter

    class Unbiased(MyBatchNormAdapter):
        convention = Convention(running_variance="unbiased")

    with pytest.raises(AssertionError, match="running variance is off by"):
        check_declarations(Unbiased)
