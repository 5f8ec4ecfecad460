"""The Markdown report: what GitHub shows is the text of the results, in tables that stay tables."""

from __future__ import annotations

import re

import pytest
from tests.support.sample_matrix import realistic
from tests.support.sample_results import HOSTILE, HOSTILE_TEXT, item, results

from bn_conformance.report.markdown import render_markdown
from bn_conformance.report.markdown_text import escape
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.records import StaleFault


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table; an escaped bar is none."""
    found: list[list[list[str]]] = []
    previous = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not previous.startswith("|"):
                found.append([])
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        previous = line
    return found


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    found = tables(render_markdown(realistic(count=120)))
    assert len(found) >= 3
    for table in found:
        assert len({len(row) for row in table}) == 1
        assert all(re.fullmatch(r"-+:?", cell) for cell in table[1])


def test_hostile_text_becomes_neither_html_nor_markup() -> None:
    text = render_markdown(realistic(count=120))
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert set(re.findall(r"</?([a-z]+)", text)) == {"details", "summary"}
    assert "[link](" not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\ud800-\udfff]", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("torch.nn[channels_last]", r"torch.nn\[channels\_last\]"),
        ("`code` *b* ~s~", r"\`code\` \*b\* \~s\~"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("@someone #1", r"&#64;someone \#1"),
        ("two\nlines", "two lines"),
        ("x\\", "x\\\\"),
    ],
)
def test_signs_of_markdown_are_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_long_message_is_cut() -> None:
    assert len(escape("x" * 5000)) == 200


def test_the_verdict_stands_in_the_heading_and_the_numbers_below() -> None:
    text = render_markdown(results([item("i", "a", "wrong", "fail"), item("i", "b")]))
    assert text.startswith("### Batch normalisation conformance: ✕ i does not conform: 1 of 2 cases fail\n")
    assert "1 pass, 0 refused, 0 warn, 1 fail, 0 known faults, 0 not judged, 0 not supported and not run." in text
    matrix, failures = tables(text)
    assert matrix[2] == ["i", "✕ does not conform: 1 of 2 cases fail", "✕ wrong 1"]
    assert failures[2] == ["✕ wrong", "FWD-1", "y", "i (1)", "1000", "a"]


def test_a_run_in_which_all_is_well_is_short() -> None:
    text = render_markdown(results([item("i", f"c{n}") for n in range(500)]))
    assert len(text) < 1000
    assert "Failures" not in text


def test_what_a_reader_must_know_stands_before_the_tables() -> None:
    text = render_markdown(realistic(count=120))
    assert text.index("cut off") < text.index("never reported") < text.index("| Implementation")


def test_a_stale_entry_is_told_with_its_place() -> None:
    stale = StaleFault(entry="i *", file="known.toml", line=7, message="delete lines 7 to 9")
    assert r"- known.toml:7 i \*: delete lines 7 to 9" in render_markdown(
        results([item("i", "a")], stale_faults=[stale])
    )


def test_many_failures_are_cut_to_what_github_takes() -> None:
    items = [
        item("i", f"c{n}", "errored", "fail", message="x" * 1000 + chr(97 + n % 26) * (n // 26)) for n in range(700)
    ]
    text = render_markdown(results(items))
    assert len(text.encode()) < 200_000
    items = [item("i", f"c{n}", "errored", "fail", message=f"{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(70)]
    assert "and 20 more, in the HTML report" in render_markdown(results(items))


def test_an_unknown_baseline_is_an_error() -> None:
    with pytest.raises(ResultsError, match="baseline is 'x'"):
        render_markdown(results([item("i", "a")]), baseline="x")


def test_a_multi_line_hostile_message_stays_in_its_cell() -> None:
    text = render_markdown(results([item("i", "a", "errored", "fail", message=HOSTILE_TEXT)]))
    assert "second line" in tables(text)[1][2][2]
