"""What the README of the reference shows is what it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "reference" / "README.md"


def test_the_snippet_of_the_readme_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line with a comment `# prints ...` does; the code is run as one script."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    promised = re.findall(r"# prints (.*)$", snippet, re.MULTILINE)
    assert promised
    names: dict[str, Any] = {}
    exec(compile(snippet, str(README), "exec"), names)
    assert capsys.readouterr().out.splitlines() == promised


def test_every_file_that_the_readme_names_exists() -> None:
    text = README.read_text(encoding="utf-8")
    package = README.parent / "bn_reference"
    named = re.findall(r"`([a-z_]+\.py|[A-Z]+\.md)`", text.partition("```python")[0])
    assert len(named) > 10
    assert [name for name in named if not (package / name).exists()] == []
