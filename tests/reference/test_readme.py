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


def test_the_readme_lists_the_folders_of_the_package_and_modules_that_exist() -> None:
    package = README.parent / "bn_reference"
    rows = re.findall(r"^\| `([a-z]+)/` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    folders = sorted(path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__")
    assert sorted(folder for folder, _ in rows) == folders
    named = [(folder, name) for folder, holds in rows for name in re.findall(r"`([a-z_]+)`", holds)]
    assert len(named) > 15
    assert [pair for pair in named if not (package / pair[0] / f"{pair[1]}.py").exists()] == []
