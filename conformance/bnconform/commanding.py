"""`command_line`: any command of the command line, from Python, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from bnconform.pages import ShownResult


@dataclass(frozen=True, repr=False)
class CommandResult(ShownResult):
    """What a command gave. It is true where the command ended with 0.

    Attributes:
        exit_code: of the command; `docs/python.md` says where its meanings are.
        output: what it wrote on standard output.
        errors: what it wrote on standard error: progress, and the message of an error.
    """

    exit_code: int
    output: str
    errors: str

    def __bool__(self) -> bool:
        return self.exit_code == 0

    def __str__(self) -> str:
        return self.output if self.output else self.errors


def command_line(*arguments: str | os.PathLike[str]) -> CommandResult:
    """Run a command of the command line: `command_line("report", "mine.jsonl", "-o", "mine.html")`.

    It runs in a process of its own, with this one's folder and environment. Code that this program has defined is not
    there: give `check` and the other functions objects.

    Args:
        arguments: as they follow `bnconform` in a shell, each by itself.

    Returns:
        The exit code and what was written. A mistake in the arguments is exit code 2, with the message in `errors`.
    """
    command = [sys.executable, "-m", "bn_conformance", *(os.fspath(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    return CommandResult(done.returncode, done.stdout, done.stderr)
