"""The results file: JSON lines, one record a line, the header first and the end last.

The file is the product of a run. Reports, summaries and comparisons are made from it alone.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from bn_conformance.garbage import uncollected
from bn_conformance.reading import at_once
from bn_conformance.results.exit_codes import INTERRUPTED
from bn_conformance.results.json_line import ResultsError, from_line
from bn_conformance.results.records import Diagnosis, End, Environment, Header, Item, Record, StaleFault, split_id

LONGEST_LINE = 1 << 26
"""Characters that a line may have; the header of the whole matrix has two million."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """The records of a results file by type. `end` is None where the file was cut off."""

    path: str
    header: Header
    environments: tuple[Environment, ...]
    items: tuple[Item, ...]
    stale_faults: tuple[StaleFault, ...]
    end: End | None
    diagnoses: tuple[Diagnosis, ...] = ()

    @classmethod
    def of(cls, path: str, records: Iterable[Record]) -> Results:
        """Sort records, of which the first is the header, by type.

        Raises:
            ResultsError: there is no record.
        """
        stream = iter(records)
        header = next(stream, None)
        if not isinstance(header, Header):
            raise ResultsError(f"{path}: is empty, or was cut off in its first line; run the matrix again")
        others = [*stream]
        return cls(
            path=path,
            header=header,
            environments=tuple(record for record in others if isinstance(record, Environment)),
            items=tuple(record for record in others if isinstance(record, Item)),
            stale_faults=tuple(record for record in others if isinstance(record, StaleFault)),
            end=next((record for record in others if isinstance(record, End)), None),
            diagnoses=tuple(record for record in others if isinstance(record, Diagnosis)),
        )

    def missing(self) -> tuple[str, ...]:
        """Planned ids that never reported, though the run did not stop on purpose."""
        return () if self.stopped else self.not_reported()

    @property
    def stopped(self) -> bool:
        """Whether the run stopped at a failure, as it was asked to."""
        return self.end is not None and self.end.stopped

    @property
    def interrupted(self) -> bool:
        """Whether the run was told to end before it was through."""
        return self.end is not None and self.end.exit_code == INTERRUPTED

    def not_reported(self) -> tuple[str, ...]:
        """Planned ids that have no record."""
        reported = {item.id for item in self.items}
        return tuple(planned for planned in self.header.planned if planned not in reported)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each whole line of a file.

    A last line without its newline is left out: the run that wrote it was cut off.

    Raises:
        ResultsError: the file cannot be read, or is not UTF-8 text.
    """
    try:
        with _opened(path) as stream:
            for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE), ""), 1):
                if line.endswith("\n"):
                    yield number, line
                elif len(line) == LONGEST_LINE:
                    raise ResultsError(f"{path}, line {number}: is longer than {LONGEST_LINE:,} characters")
    except EOFError:
        return  # a compressed file that was cut off
    except (gzip.BadGzipFile, zlib.error):
        raise ResultsError(f"{path}: is not a gzip file; give it a name without .gz") from None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); name a file that bnconform run wrote") from None
    except UnicodeDecodeError:
        raise ResultsError(f"{path}: is not a results file (not UTF-8 text)") from None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The text of a file, decompressed where its name ends in .gz."""
    with open(path, "rb", opener=at_once) as stream:
        content = gzip.GzipFile(fileobj=stream) if path.suffix == ".gz" else stream
        with TextIOWrapper(content, encoding="utf-8") as text:
            yield text


@dataclass(frozen=True)
class Extent:
    """How far a file reaches.

    Attributes:
        size: in bytes.
        judged: bytes of its beginning that hold the header, environments and items; what only the end of a run writes
            follows, or the rest of a line that was cut off.
    """

    size: int
    judged: int


def extent_of(path: str | Path) -> Extent:
    """How far a results file reaches.

    Raises:
        ResultsError: it cannot be read.
    """
    size = judged = 0
    going = True
    try:
        if not Path(path).is_file() or Path(path).suffix == ".gz":
            raise ResultsError(f"{path}: is no plain file; name a file that bnconform run wrote")
        with Path(path).open("rb") as stream:
            for line in stream:
                size += len(line)
                going = going and line.endswith(b"\n") and _kind(line) not in _LAST
                judged = size if going else judged
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); name a file that bnconform run wrote") from None
    return Extent(size, judged)


_LAST = ("stale-fault", "diagnosis", "end")
"""Types of records that only the end of a run writes."""


def _kind(line: bytes) -> object:
    """The type of the record in a line; None where it is none, which `read_results` says."""
    try:
        return json.loads(line).get("type")
    except (ValueError, AttributeError, RecursionError):
        return None


class _Order:
    """Checks that each record of a file has its place: one header first, and only what the header names."""

    def __init__(self) -> None:
        self._implementations: frozenset[str] | None = None
        self._cases: frozenset[str] = frozenset()
        self._verdicts: dict[str, tuple[str, str]] = {}

    def check(self, record: Record) -> None:
        """Check the next record of the file.

        Raises:
            ResultsError: it has no place here.
        """
        if isinstance(record, Header):
            self._open(record)
        elif self._implementations is None:
            raise ResultsError("is not a results file (no header); name a file that bnconform run wrote")
        elif isinstance(record, Item | Environment | Diagnosis):
            if record.implementation not in self._implementations:
                raise ResultsError(f"the header names no implementation {record.implementation!r}")
            if isinstance(record, Item) and record.case not in self._cases:
                raise ResultsError(f"the header names no case {record.case!r}")
            if isinstance(record, Item):
                self._check_once(record)

    def _check_once(self, item: Item) -> None:
        """Check that an item has one record: of two a report would show the one, and an exit code follow the other."""
        said = (item.outcome, item.verdict)
        before = self._verdicts.setdefault(item.id, said)
        if before is not said:
            verdicts = f"{before[1]} ({before[0]}) and {said[1]} ({said[0]})"
            raise ResultsError(f"a second record of {item.id}: {verdicts}; delete one of the lines")

    def _open(self, header: Header) -> None:
        if self._implementations is not None:
            raise ResultsError("a second header; put results files together with bnconform merge")
        self._implementations = frozenset(header.implementations)
        self._cases = frozenset(case.id for case in header.cases)
        for planned in header.planned:
            implementation, case = split_id(planned)
            if implementation not in self._implementations or case not in self._cases:
                raise ResultsError(f"it plans {planned!r}, but names no such implementation or case")


def _records(path: Path) -> Iterator[Record]:
    order = _Order()
    for number, line in lines(path):
        try:
            record = from_line(line)
            order.check(record)
        except ResultsError as error:
            raise type(error)(f"{path}, line {number}: {error}") from None
        yield record


def read_results(path: str | Path) -> Results:
    """Read a results file; one that was cut off in the middle is read up to its last whole line.

    Raises:
        ResultsError: there is no such file, it is not a results file, or it is of another version.
    """
    with uncollected():
        return Results.of(str(path), _records(Path(path)))
