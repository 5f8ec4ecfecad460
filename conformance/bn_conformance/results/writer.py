"""Writing a results file: one run at a time, and what was written stays whatever happens later."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO

from bn_conformance.reading import at_once
from bn_conformance.results.file import Extent
from bn_conformance.results.json_line import ResultsError, to_line
from bn_conformance.results.records import Record

try:
    import fcntl
except ImportError:  # not on Windows, where runs that name one file are not kept apart
    fcntl = None  # type: ignore[assignment]


class Writer:
    """Writes a results file record by record and flushes each, so that a run that is cut off keeps what it wrote.

    Args:
        path: the file, which is replaced; where it is empty a new one in `reports/` is made, named after the time.
        kept: what is kept of a file that is there, which has been read before; None for nothing.

    Raises:
        ResultsError: the file cannot be written, or another run writes it or has written it since it was read.
    """

    def __init__(self, path: str | Path, kept: Extent | None = None) -> None:
        self.path = Path(path) if path else Path(default_path())
        self.failed = False
        """Whether something could not be written."""
        try:
            self._stream = _opened(self.path, kept) if path else self._new()
        except OSError as error:
            raise self._error(error) from None

    def _new(self) -> BinaryIO:
        """A file that no other run has; another name where one was faster."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                return self.path.open("xb")
            except FileExistsError:
                self.path = Path(default_path())

    def write(self, *records: Record) -> None:
        """Append records.

        Raises:
            ResultsError: they cannot be written; nothing will be from now on, so that whole lines stay whole.
        """
        if self.failed:
            return
        try:
            self._stream.write("".join(to_line(record) + "\n" for record in records).encode())
            self._stream.flush()
        except OSError as error:
            self.failed = True
            raise self._error(error) from None

    def close(self) -> None:
        """Close the file.

        Raises:
            ResultsError: it was removed meanwhile, so that nothing of it is left.
        """
        removed = os.fstat(self._stream.fileno()).st_nlink == 0
        with suppress(OSError):  # what could not be written has been said
            self._stream.close()
        if removed and not self.failed:
            raise ResultsError(f"{self.path}: was removed while the run wrote it; run again")

    def _error(self, error: OSError) -> ResultsError:
        why = "another run writes it" if isinstance(error, BlockingIOError) else error.strerror
        return ResultsError(f"{self.path}: cannot be written ({why}); name another file with --results")


def default_path() -> str:
    """A results file that does not exist yet, named after the time."""
    now = datetime.now(UTC)
    names = (f"reports/{now:%Y%m%d-%H%M%S}{f'-{number}' if number > 1 else ''}.jsonl" for number in count(1))
    return next(name for name in names if not Path(name).exists())


def _opened(path: Path, kept: Extent | None) -> BinaryIO:
    """A file to append to, of which no more is left than is kept; it is cut once no other run writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = open(path, "ab", opener=at_once)  # noqa: SIM115 - Path.open has no opener; the writer closes it
    try:
        if stat.S_ISREG(path.stat().st_mode):
            if fcntl is not None:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if kept is not None and path.stat().st_size != kept.size:
                raise ResultsError(f"{path}: another run has written it meanwhile; try again")
            stream.truncate(0 if kept is None else kept.judged)
    except BaseException:
        stream.close()
        raise
    return stream


def write_results(path: str | Path, records: Iterable[Record]) -> None:
    """Write all records of a results file.

    Raises:
        ResultsError: the file cannot be written.
    """
    writer = Writer(path)
    try:
        writer.write(*records)
    finally:
        writer.close()
