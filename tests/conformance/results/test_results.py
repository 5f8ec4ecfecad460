"""The results file: what is written is read, and what is no results file is refused in one clear line."""

from __future__ import annotations

import gzip
import subprocess
import sys
from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pytest
from tests.support.sample_matrix import realistic
from tests.support.sample_results import HOSTILE_TEXT, item, quantity, records, results

from bn_conformance.results import file as results_module
from bn_conformance.results.file import read_results
from bn_conformance.results.json_line import ResultsError, from_line, to_line
from bn_conformance.results.records import CaseInfo, End, Environment, Item
from bn_conformance.results.writer import Writer, write_results


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A small whole file: header, one environment, two items, end."""
    path = tmp_path / "results.jsonl"
    write_results(path, records(results([item("torch.nn", "a"), item("torch.nn", "b", "wrong", "fail")])))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(path))


def rewritten(path: Path, number: int, old: str, new: str) -> Path:
    """The file with a part of one of its lines replaced."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new, 1)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_every_record_of_a_matrix_is_read_as_it_was_written() -> None:
    for record in records(realistic(count=80)):
        assert repr(from_line(to_line(record))) == repr(record)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = realistic(count=80)
    path = tmp_path / "deep" / "results.jsonl"
    write_results(path, records(written))
    loaded = read_results(path)
    assert repr(loaded.items) == repr(written.items)
    assert loaded.header == written.header
    assert loaded.environments == written.environments
    assert loaded.stale_faults == written.stale_faults
    assert loaded.end is None


@pytest.mark.parametrize("outcome", ["refused", "not-judged"])
def test_of_an_old_file_what_was_refused_or_not_judged_is_no_pass(outcome: str) -> None:
    assert from_line(to_line(item("i", "a", outcome, "pass"))) == item("i", "a", outcome, outcome)
    assert from_line(to_line(item("i", "a", outcome, "fail"))) == item("i", "a", outcome, "fail")


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_numbers_that_are_not_finite_survive(value: float) -> None:
    line = to_line(item("i", "c", quantities=(quantity(got=value),)))
    assert not any(word in line for word in (":NaN", ":Infinity", ":-Infinity"))
    record = from_line(line)
    assert isinstance(record, Item)
    got = record.quantities[0].got
    assert got is not None
    assert got == value or (isnan(got) and isnan(value))


def test_what_a_quantity_does_not_have_stays_absent() -> None:
    written = item("i", "c", quantities=(quantity(ratio=None, index=None, expected=None, ulp=None),))
    assert "null" not in to_line(written)
    assert from_line(to_line(written)) == written


def test_a_default_that_an_implementation_does_not_have_stays_none() -> None:
    environment = Environment(implementation="i", status="ok", convention={"default_eps": None})
    assert from_line(to_line(environment)) == environment


def test_numpy_numbers_are_written_as_numbers_and_sets_in_order() -> None:
    of_numpy = quantity(error=np.float32(0.5), index=(np.int64(3),))
    assert from_line(to_line(item("i", "c", quantities=(of_numpy,)))) == item(
        "i", "c", quantities=(quantity(error=0.5, index=(3,)),)
    )
    line = to_line(Environment(implementation="i", status="ok", capabilities={"dtypes": frozenset("cab")}))
    assert '"dtypes":["a","b","c"]' in line


def test_what_was_planned_and_never_reported_is_missing() -> None:
    partial = results([item("i", "a"), item("i", "b")], planned=["i::b", "i::a"])
    assert partial.missing() == ()
    partial = results([item("i", "b"), item("j", "a")], planned=["i::b", "i::a", "j::a"], environments=())
    assert partial.missing() == ("i::a",)


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "results.jsonl")
    for count, record in enumerate(records(results([item("i", "a")])), 1):
        writer.write(record)
        assert len((tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()) == count
    writer.close()


@pytest.mark.parametrize("removed", [1, 20, 40])
def test_a_file_cut_off_in_the_middle_is_read_to_its_last_whole_line(sample: Path, removed: int) -> None:
    sample.write_bytes(sample.read_bytes()[:-removed])
    loaded = read_results(sample)
    assert [item_read.case for item_read in loaded.items] == ["a", "b"]
    assert loaded.end is None


def test_a_file_cut_off_in_an_item_loses_that_item_alone(sample: Path) -> None:
    text = sample.read_text(encoding="utf-8")
    sample.write_text(text[: text.index('"case":"b"') + 5], encoding="utf-8")
    assert [item_read.case for item_read in read_results(sample).items] == ["a"]


def test_a_file_of_another_version_is_refused(sample: Path) -> None:
    assert "another version of bnconform" in refusal(rewritten(sample, 1, '"format":1', '"format":2'))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none.jsonl")
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty, or was cut off"),
        (b'{"type":"header","form', "is empty, or was cut off"),
        (b"\xff\xfe\x00header\n", "not UTF-8"),
        (b"implementation,case\n", "line 1: it is not a record"),
        (b"[1, 2]\n", "line 1: it is not a record"),
        (b"{}\n", "line 1: it is not a record"),
        (b'{"type":["header"]}\n', "line 1: it is not a record"),
        (b"[" * 100_000 + b"\n", "line 1: it is not a record"),
        (b'{"type":"end","exit_code":0,"seconds":1}\n', "line 1: is not a results file (no header)"),
    ],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("line", "old", "new", "words"),
    [
        (1, '"planned":["torch.nn::a"', '"planned":["torch.nn::z"', "line 1: it plans 'torch.nn::z'"),
        (1, '"implementations":["torch.nn"]', '"implementations":5', "line 1: it is not a record"),
        (1, '"suite":', '"suit":', "line 1: it is not a record"),
        (2, '"status":"ok"', '"status":"fine"', "line 2: it is not a record of a results file (ValueError: status is"),
        (3, '"outcome":"tight"', '"outcome":"great"', "line 3: it is not a record of a results file (ValueError"),
        (3, '"verdict":"pass"', '"verdict":"great"', "line 3: it is not a record"),
        (3, '"case":"a"', '"case":"z"', "line 3: the header names no case 'z'"),
        (3, '"implementation":"torch.nn"', '"implementation":"x"', "line 3: the header names no implementation 'x'"),
        (4, '"ratio":1000.0', '"ratio":"much"', "line 4: it is not a record"),
        (4, '"index":[1,0,2]', '"index":["a"]', "line 4: it is not a record"),
        (
            4,
            '"seconds":0.0',
            '"seconds":"0"',
            "line 4: it is not a record of a results file (TypeError: seconds of Item",
        ),
    ],
)
def test_a_damaged_line_is_named_with_its_number(sample: Path, line: int, old: str, new: str, words: str) -> None:
    assert words in refusal(rewritten(sample, line, old, new))


def test_files_put_together_by_hand_are_refused(sample: Path) -> None:
    sample.write_text(sample.read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert "line 6: a second header; put results files together with bnconform merge" in refusal(sample)


@pytest.mark.parametrize("change", [("tight", "exact"), ("pass", "warn"), ("tight", "tight")])
def test_a_second_record_of_an_item_is_refused(sample: Path, change: tuple[str, str]) -> None:
    lines = sample.read_text(encoding="utf-8").splitlines(keepends=True)
    sample.write_text("".join([*lines[:4], lines[2].replace(*change), *lines[4:]]), encoding="utf-8")
    assert "line 5: a second record of torch.nn::a: pass (tight) and " in refusal(sample)


def test_lone_surrogates_and_control_characters_survive(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_results(path, records(results([item("i", "a", message=HOSTILE_TEXT)])))
    assert read_results(path).items[0].message == HOSTILE_TEXT
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def test_records_are_frozen_and_compared_by_value() -> None:
    case_info = CaseInfo(id="a", family="FWD", title="", clauses=("FWD-1",), requirement="MUST")
    assert case_info == CaseInfo(id="a", family="FWD", title="", clauses=("FWD-1",), requirement="MUST")
    with pytest.raises(AttributeError):
        End(exit_code=0, seconds=1.0).seconds = 2.0  # type: ignore[misc]


def test_reading_results_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from bn_conformance.results import file, merge, schema\n"
        "from bn_conformance.report import changes\n"
        "print([name for name in ('numpy', 'jinja2', 'rich', 'jsonschema', 'pytest') if name in sys.modules])"
    )
    paths = [str(Path(results_module.__file__).parents[2]), *sys.path]
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_a_compressed_file_is_read_like_any_other(sample: Path) -> None:
    packed = sample.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(sample.read_bytes()))
    assert read_results(packed).items == read_results(sample).items


def test_a_compressed_file_that_was_cut_off_is_read_as_far_as_it_goes(sample: Path) -> None:
    packed = sample.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(sample.read_bytes())[:-8])
    assert read_results(packed).items == read_results(sample).items


def test_a_file_that_is_only_named_as_compressed_is_one_line(sample: Path) -> None:
    packed = sample.with_suffix(".jsonl.gz")
    packed.write_bytes(sample.read_bytes())
    with pytest.raises(ResultsError, match=r"is not a gzip file"):
        read_results(packed)
