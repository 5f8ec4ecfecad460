"""A program in any language on the other side of two pipes: questions in lines of JSON, answers in lines of JSON.

conformance/COMMANDS.md describes the messages, which are those of the worker protocol, without a target to load.
"""

from __future__ import annotations

import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from bn_conformance.hosting.lines import LineBuffer, most_after
from bn_conformance.hosting.wire import Line, WireError, decode_line, encode_line
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import one_line

VERSION = 1
"""Of the messages, as a program's description names it."""

SECONDS = 60.0
"""How long an answer may take."""


class ProtocolMistake(Exception):
    """A program does not keep to the protocol; the message says what it did and what was expected."""


class ProgramRefusal(Exception):
    """A program answered with an error of its own.

    Attributes:
        kind: the type that the program gave it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Program:
    """A running program.

    Args:
        command: as a shell would split it; it is run without a shell.
        seconds: how long an answer may take.

    Raises:
        TargetError: the command cannot be started.
    """

    def __init__(self, command: str, seconds: float = SECONDS) -> None:
        self.command, self._seconds = command, seconds
        try:
            words = shlex.split(command)
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except (OSError, ValueError, IndexError) as error:
            raise TargetError(f"{command!r} cannot be started: {one_line(str(error), 200)}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._buffer, self._lines = LineBuffer(), list[Line]()

    def ask(self, operation: str, **arguments: Any) -> Any:
        """The result of an operation.

        Raises:
            ProtocolMistake: the answer is none, or the program is gone or silent.
            ProgramRefusal: the program answered with an error.
        """
        try:
            request = encode_line({"op": operation, **arguments})
            self._buffer.most = most_after(len(request))
            self._input.write(request)
            self._input.flush()
        except OSError:
            raise ProtocolMistake(f"the program ended before {operation}{self._code()}") from None
        try:
            answer = decode_line(self._line(operation))
        except WireError as error:
            raise ProtocolMistake(f"the answer to {operation} is no message: {error}") from None
        if set(answer) & {"ok", "error"} == {"ok"}:
            return answer["ok"]
        error_given = answer.get("error")
        if not isinstance(error_given, Mapping) or not {"type", "message"} <= set(error_given):
            raise ProtocolMistake(
                f"the answer to {operation} has neither ok nor an error with type and message: {_shown(answer)}"
            )
        raise ProgramRefusal(one_line(str(error_given["type"]), 80), one_line(str(error_given["message"]), 500))

    def _line(self, operation: str) -> Line:
        """The next line of the program."""
        end = time.monotonic() + self._seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while not self._lines:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise ProtocolMistake(f"no answer to {operation} within {self._seconds:g} s; flush each answer")
                piece = self._output.read1(1 << 16)  # type: ignore[attr-defined]
                if not piece:
                    raise ProtocolMistake(f"the program ended at {operation} without an answer{self._code()}")
                self._lines += self._buffer.feed(piece)
        return self._lines.pop(0)

    def _code(self) -> str:
        try:
            return f" (exit code {self._process.wait(1.0)})"
        except subprocess.TimeoutExpired:
            return ""

    def left_over(self) -> str:
        """What the program has written that answers nothing; empty for nothing."""
        return _shown(self._lines[0].text.decode(errors="replace")) if self._lines else ""

    def close(self) -> None:
        """End the program."""
        for stream in (self._input, self._output):
            try:
                stream.close()
            except OSError:
                continue
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _shown(value: Any) -> str:
    return one_line(str(value), 100)
