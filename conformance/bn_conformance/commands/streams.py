"""Standard streams that cannot fail: closed ones, ones whose reader has gone, and terminals that know ASCII alone.

What a command prints is for people; whether somebody reads it decides no exit code. A stream that cannot take the text,
such as a file on a full device, is another matter: what was asked for is lost then, and `lost_output` says why.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Any

_ASCII = "bnconform-ascii"
_SIGNS = {"✓": "+", "✕": "x", "×": "x", "◆": "*", "▲": "!", "…": "...", "–": "-", "─": "-", "≤": "<=", "≥": ">="}
"""What stands for the signs of the suite where an encoding does not have them."""

_GONE = (errno.EPIPE, errno.EIO)
"""Errors of a stream whose reader, or whose terminal, has gone."""


def prepare_streams() -> None:
    """Make standard output and standard error safe to write to."""
    _open_descriptors()
    codecs.register_error(_ASCII, _in_ascii)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end
        elif isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _safe(stream))


def lost_output() -> str:
    """Why text for standard output was lost; empty if none was."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Raw):
        return ""
    sys.stdout.flush()
    return raw.lost


def _open_descriptors() -> None:
    """Open descriptors 0 to 2 where they are closed: the next file that is opened would be taken for a stream."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _safe(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Raw(stream.fileno(), "w", closefd=False)
    unicode = stream.encoding.lower().startswith("utf") and stream.errors != "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors if unicode else _ASCII,
        line_buffering=stream.line_buffering or stream.isatty(),
        write_through=stream.write_through,
    )


class _Raw(io.FileIO):
    """A descriptor that takes what nobody reads any more, or what finds no room.

    Attributes:
        lost: why text was lost that somebody may want; empty if none was.
    """

    lost = ""

    def write(self, data: Any) -> int:
        """Write. What cannot be written is dropped, so that a run goes on."""
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in _GONE:
                self.lost = error.strerror or str(error)
            return memoryview(data).nbytes


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that the encoding of a stream does not have."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_SIGNS.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
