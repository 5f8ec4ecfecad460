"""The code blocks of the documents, and why one is not run.

A block that no test can run has the reason on the line before it: `<!-- not run: REASON -->`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>.*?) -->\n)?^ *```(?P<language>\S*).*?\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
SHOWN = "text"
"""The language of a block that shows what a command prints; nothing in it is meant to be run."""


@dataclass(frozen=True)
class Block:
    """A block of code in a document.

    Attributes:
        document: its path in the repository.
        line: where the block begins.
        language: `sh`, `python` and so on; empty where the document does not say.
        reason: why no test runs it; empty where one does.
        code: what is in it, with continued lines joined in shell code.
    """

    document: str
    line: int
    language: str
    reason: str
    code: str

    @property
    def id(self) -> str:
        """A name for a test."""
        return f"{self.document}:{self.line}"

    def command_lines(self) -> list[list[str]]:
        """The words of every command of shell code, without comments."""
        lines = self.code.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


@cache
def documents() -> tuple[Path, ...]:
    """Every document of the repository that people write."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(sorted(ROOT / name for name in listed.stdout.split() if "published" not in name))


@cache
def blocks() -> tuple[Block, ...]:
    """Every block of code of every document."""
    return tuple(block for document in documents() for block in _blocks_of(document))


def _blocks_of(document: Path) -> Iterator[Block]:
    text = document.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        yield Block(
            document.relative_to(ROOT).as_posix(),
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            found["reason"] or "",
            dedent(found["code"]),
        )
