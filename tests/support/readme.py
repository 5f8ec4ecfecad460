"""The example at the top of README.md: its code, its command and its output.

`python -m tests.support.readme` runs the command and writes its output into README.md.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

README = Path(__file__).parents[2] / "README.md"
_EXAMPLE = re.compile(
    r"^```python\n# (?P<file>\w+\.py)\n(?P<code>.*?)^```$.*?"
    r"^```sh\nbnconform (?P<command>.*?)\n```$.*?"
    r"^```text\n(?P<output>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_NOISE = re.compile(r"^bringing up nodes\.\.\.$")


@dataclass(frozen=True)
class Example:
    """What README.md shows: a file, its code, the command that judges it and what that prints."""

    file: str
    code: str
    command: str
    output: str


def read_example() -> Example:
    """The example as README.md has it."""
    match = _EXAMPLE.search(README.read_text(encoding="utf-8"))
    assert match, "README.md has no example"
    return Example(**match.groupdict())


def run_example(example: Example) -> str:
    """What the command prints today, without the progress lines of pytest-xdist and without trailing blanks."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / example.file).write_text(example.code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "bn_conformance", *shlex.split(example.command.replace("\\\n", " "))],
            cwd=folder,
            env=os.environ | {"COLUMNS": "80"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines() if not _NOISE.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).strip() + "\n")


def main() -> int:
    """Write the output of today into README.md."""
    example = read_example()
    text = README.read_text(encoding="utf-8")
    before, after = f"```text\n{example.output}```", f"```text\n{run_example(example)}```"
    README.write_text(text.replace(before, after, 1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
