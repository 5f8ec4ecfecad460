"""Lines of the worker protocol, put together from the bytes in which they come, none longer than is allowed.

A long text under `data` is an array's, and is decoded as it comes. Where such an array says before its text that it is
larger than a line may be, nothing more of it is read.
"""

from __future__ import annotations

import base64
import re
from math import prod
from typing import IO

from bn_conformance.cases.recipes import dtype_of
from bn_conformance.hosting import wire
from bn_conformance.hosting.wire import CUT, DATA, Line, WireError

_KIND = re.compile(rb'"dtype"\s*:\s*"(\w{1,20})"\s*,\s*"shape"\s*:\s*\[([\d,\s]{0,400})\]\s*,\s*$')
"""What an array says of itself just before its text."""

_KIND_SIZE = 512


ANY_ANSWER = 1 << 26
"""Bytes that the line of an answer may have, whatever was asked."""

TIMES_ASKED = 16
"""How many times as long as all that was asked the line of an answer may be."""


def most_after(sent: int) -> int:
    """Bytes that the line of an answer may have when so many were sent to ask for it."""
    return ANY_ANSWER + TIMES_ASKED * sent


class LineBuffer:
    """Puts lines together.

    Attributes:
        most: bytes that a line may have; None for any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self._text, self._cut, self._fresh, self._size = bytearray(), list[bytearray](), 0, 0
        self.most = most

    @property
    def begun(self) -> bool:
        """Whether there is the beginning of a line."""
        return self._size > 0

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes; the lines that end in them.

        Raises:
            WireError: a line is longer than is allowed, or says that it will be.
        """
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append(self.rest(b"\n"))
        self._add(rest)
        return lines

    def rest(self, end: bytes = b"") -> Line:
        """The line so far, which ends here."""
        line = Line(bytes(self._text + end), tuple(self._cut))
        self._text, self._cut, self._fresh, self._size = bytearray(), [], 0, 0
        return line

    def _add(self, data: bytes) -> None:
        self._text += data
        self._fresh += len(data)
        self._size += len(data)
        if self.most is not None and self._size > self.most:
            raise WireError(f"a line is longer than {self.most:,} bytes")
        if self._fresh >= wire.PIECE:
            _cut_out(self._text, self._cut, self.most)
            self._fresh = 0


def read_line(stream: IO[bytes]) -> Line:
    """The next line of a stream; its text is empty where there is none."""
    piece = stream.readline(wire.PIECE)
    if len(piece) < wire.PIECE and piece.endswith(b"\n"):
        return Line(piece)
    buffer = LineBuffer()
    while piece:
        for line in buffer.feed(piece):
            return line
        piece = stream.readline(wire.PIECE)
    return buffer.rest()


def _cut_out(text: bytearray, cut: list[bytearray], most: int | None) -> None:
    """Decode what is there of an array in which a text ends, and leave its number and the rest in its place."""
    start = text.rfind(DATA) + len(DATA)
    if start <= len(DATA) or text.find(b'"', start) >= 0:
        return
    head = bytes(text[max(0, start - len(DATA) - _KIND_SIZE) : start - len(DATA)])
    if not head.rstrip().endswith((b",", b"{")):  # the end of a longer key
        return
    mark = f"{CUT}{len(cut) - 1}{CUT}".encode()
    begun = bool(cut) and text.startswith(mark, start)
    if not begun and most is not None:
        _check_size(head, most)
    start += len(mark) if begun else 0
    end = start + (len(text) - start) // 4 * 4
    try:
        decoded = base64.b64decode(text[start:end], validate=True)
    except ValueError:  # no array of ours; what it is will be seen when the line is whole
        return
    if begun:
        cut[-1] += decoded
        del text[start:end]
    else:
        text[start:end] = f"{CUT}{len(cut)}{CUT}".encode()
        cut.append(bytearray(decoded))


def _check_size(head: bytes, most: int) -> None:
    """Check what an array says of its size before its text.

    Raises:
        WireError: it is larger than a line may be.
    """
    found = _KIND.search(head)
    if found is None or found[1].decode() not in wire.NUMERIC:
        return  # what it is will be seen when the line is whole
    shape = [int(size) for size in found[2].split(b",") if size.strip().isdigit()]
    size = prod(shape) * dtype_of(found[1].decode()).itemsize
    if size > most:
        told = f"{size:,}" if size < 1 << 60 else "far more"
        raise WireError(f"an array says that it has {told} bytes, where a line has at most {most:,}")
