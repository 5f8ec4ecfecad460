"""Whatever a file holds that a command reads, the command ends at once, with one line that names the file."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bn_conformance.catalogue.regressions import RegressionError, read_regression
from bn_conformance.diff.sides import SideError, convention_side
from bn_conformance.implementations.known_faults import KnownFaultsError, load_known_faults
from bn_conformance.reading import UnusableText, json_of, text_of
from bn_conformance.results import file as results_file
from bn_conformance.results.file import read_results
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.schema import validate_file
from bn_conformance.user_error import UserError
from bn_conformance.vectors.submissions import RecordError, UnusableLine, read_submission

DEEP = "[" * 100_000 + "]" * 100_000
LESS_DEEP = "[" * 400 + "]" * 400
"""Python parses it, and then fails where it recurses over it."""
LONG = "9" * 100_000

READERS: dict[str, Callable[[Path], object]] = {
    "results": read_results,
    "results against the schema": validate_file,
    "a regression": read_regression,
    "known faults": load_known_faults,
    "a convention": lambda path: convention_side(str(path)),
}
HOSTILE = {
    "deep": DEEP,
    "deep in an object": '{"type": ' + DEEP + "}",
    "deep enough to be parsed": '{"type": "header", "format": 1, "machine": ' + LESS_DEEP + "}",
    "a long integer": LONG,
    "a long integer in an object": '{"type": "end", "format": ' + LONG + "}",
    "deep, as TOML": "fault = " + DEEP,
    "less deep, as TOML": "[[fault]]\nversions = " + LESS_DEEP,
    "a long integer, as TOML": "[[fault]]\nimplementation = " + LONG,
    "a case that is deep": '{"format": 1, "case": ' + LESS_DEEP + "}",
    "no text": "\udcff",
    "nothing": "",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", HOSTILE)
def test_what_no_file_should_hold_is_one_line(tmp_path: Path, reader: str, content: str) -> None:
    path = tmp_path / "hostile.json"
    path.write_text(HOSTILE[content] + "\n", encoding="utf-8", errors="surrogateescape")
    if (reader, content) == ("known faults", "nothing"):
        assert load_known_faults(path) == []
        return
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    message = str(caught.value)
    assert "hostile.json" in message
    assert "\n" not in message
    assert len(message) < 600


@pytest.mark.parametrize("reader", ["a regression", "known faults", "a convention"])
def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "zero.json"
    path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"zero\.json.*is larger than [0-9,]+ bytes"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
def test_a_named_pipe_that_nobody_writes_is_read_at_once(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(20)
    try:
        with suppress(UserError):
            READERS[reader](path)
    except KeyboardInterrupt:
        pytest.fail("it waits for a writer")
    finally:
        signal.alarm(0)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_file, "LONGEST_LINE", 1 << 16)
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(100):
            stream.write(b" " * (1 << 20))
    assert path.stat().st_size < 1 << 18
    with pytest.raises(ResultsError, match="line 1: is longer than 65,536 characters"):
        read_results(path)


def test_a_submission_keeps_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    good = json.dumps({"case": "fwd/nc/float32/random", "step": 0, "quantity": "y", "values": [1]})
    path.write_text(f"{good}\n{DEEP}\n{LONG}\n{good}\n")
    first, deep, long, last = read_submission(str(path))
    assert deep == UnusableLine(2, "is not JSON (nested too deeply)")
    assert long == UnusableLine(3, "is not JSON (an integer has too many digits)")
    assert not isinstance(first, UnusableLine)
    assert not isinstance(last, UnusableLine)


def test_a_name_that_no_file_has(tmp_path: Path) -> None:
    with pytest.raises(UnusableText, match="no file has such a name"):
        text_of("a\0b", 10)
    with pytest.raises(UnusableText, match="cannot be read"):
        text_of(tmp_path, 10)


def test_depth_is_counted_through_lists_and_objects() -> None:
    assert json_of('{"a": [{"b": 1}]}') == {"a": [{"b": 1}]}
    with pytest.raises(UnusableText, match="nested too deeply"):
        json_of('{"a":[' * 40 + "1" + "]}" * 40)


@pytest.mark.parametrize("shape", [[10**9, 10**9], [1 << 62, 5], [10**30, 5]])
def test_a_regression_of_a_huge_shape_is_refused_before_anything_is_made(tmp_path: Path, shape: list[int]) -> None:
    path = tmp_path / "huge.json"
    x = {"kind": "normal", "seed": 1, "offset": 0.0, "scale": 1.0}
    case = {
        "family": "FWD",
        "title": "huge",
        "clauses": ["FWD-1"],
        "config": {"num_channels": shape[-1], "rank": 2, "channel_axis": 1},
        "steps": [{"step": "batch", "training": True, "shape": shape, "x": x}],
        "judges": ["y"],
    }
    path.write_text(json.dumps({"format": 1, "found": {}, "case": case}))
    with pytest.raises(RegressionError, match="huge"):
        read_regression(path)


def test_a_submission_of_a_huge_shape_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl"
    record = {"case": "fwd/nc/float32/random", "step": 0, "quantity": "y", "values": [1], "shape": [10**200, 10**200]}
    path.write_text(json.dumps(record) + "\n")
    (found,) = read_submission(str(path))
    assert isinstance(found, UnusableLine)
    assert "needs far more" in found.message
    assert len(found.message) < 1000


@pytest.mark.parametrize(
    ("reader", "error"),
    [
        (read_results, ResultsError),
        (read_regression, RegressionError),
        (load_known_faults, KnownFaultsError),
        (read_submission, RecordError),
        (lambda path: convention_side(str(path)), SideError),
    ],
)
def test_each_kind_of_file_has_its_own_error(
    tmp_path: Path, reader: Callable[[str], object], error: type[UserError]
) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes(b"\xff\xfe\xfa\n")
    with pytest.raises(error, match=r"latin\.json"):
        reader(str(path))
