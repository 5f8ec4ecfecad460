"""A command writes in the format that its file is named in, unless `--format` says another."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import called, write
from tests.support.sample_results import item, records, results

from bn_conformance.commands.formats import contradiction, format_for
from bn_conformance.commands.report import SUFFIXES
from bn_conformance.results.json_line import to_line
from bn_conformance.user_error import UserError

REPORT = (*SUFFIXES, "terminal")
COMPARE = ("terminal", "markdown", "html", "json")


@pytest.mark.parametrize(
    ("name", "formats", "meant"),
    [
        ("page.md", REPORT, "markdown"),
        ("PAGE.MD", REPORT, "markdown"),
        ("page.htm", REPORT, "html"),
        ("page.txt", REPORT, "terminal"),
        ("out/ctrf.json", REPORT, "ctrf"),
        ("badge.json", REPORT, "badge-json"),
        ("badge.svg", REPORT, "badge-svg"),
        ("page", REPORT, "html"),
        ("", REPORT, "html"),
        ("-", REPORT, "html"),
        ("changes.json", COMPARE, "json"),
        ("changes.log", COMPARE, "terminal"),
        ("-", COMPARE, "terminal"),
    ],
)
def test_the_name_of_a_file_says_its_format(name: str, formats: tuple[str, ...], meant: str) -> None:
    assert format_for(name, formats) == meant


@pytest.mark.parametrize(("name", "formats"), [("page.pdf", REPORT), ("new.jsonl", REPORT), ("changes.svg", COMPARE)])
def test_a_name_that_says_a_format_which_is_not_there_is_refused(name: str, formats: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=f"no format here has a name in {Path(name).suffix}"):
        format_for(name, formats)


@pytest.mark.parametrize("format_", SUFFIXES)
def test_the_name_that_a_report_gets_by_itself_is_one_of_its_format(format_: str) -> None:
    assert format_for(f"new{SUFFIXES[format_]}", REPORT) == format_
    assert not contradiction(f"new{SUFFIXES[format_]}", format_)


def test_a_report_is_written_as_its_file_is_named_and_a_contradiction_is_told(tmp_path: Path) -> None:
    write(tmp_path, "new.jsonl", "".join(f"{to_line(record)}\n" for record in records(results([item("i", "a")]))))
    for name, start in (("page.md", "###"), ("page.html", "<!doctype html>"), ("page.txt", "  ")):
        done = called(tmp_path, "report", "new.jsonl", "-o", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / name).read_text().startswith(start)
    done = called(tmp_path, "report", "new.jsonl", "-o", "page.html", "--format", "markdown")
    assert (done.returncode, done.stderr) == (0, "Note: page.html holds markdown, as --format says.\n")
    assert (tmp_path / "page.html").read_text().startswith("###")
    done = called(tmp_path, "report", "new.jsonl", "-o", "other.jsonl")
    assert done.returncode == 2
    assert not (tmp_path / "other.jsonl").exists()
