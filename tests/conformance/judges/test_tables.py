"""The page of judges, and the command that makes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.cli import main
from bn_conformance.judges.measuring import SuiteVerdicts, judge_by
from bn_conformance.judges.own import NAME
from bn_conformance.judges.suite import suites
from bn_conformance.judges.tables import FAMOUS, METHOD, SIGNS, against_json, against_markdown, against_text
from bn_conformance.judges.verdict import Word
from bn_reference.deviations import catalogue

PAGE = Path(__file__).parents[3] / "docs" / "judges.md"
SOME = ("eps-outside-root", "gradients-zero", "second-x-zero")
VERDICTS = [
    SuiteVerdicts("kernelbench", dict(zip(SOME, (Word.PASSES, Word.NOT_ASKED, Word.NOT_ASKED), strict=True)), (), 22),
    SuiteVerdicts(NAME, dict.fromkeys(SOME, Word.CAUGHT), ("Welford",), 22),
]


def rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_the_famous_mistakes_are_in_the_catalogue() -> None:
    assert set(FAMOUS) <= set(catalogue())


def test_the_page_in_the_documentation_has_a_row_for_each_suite_with_source_and_date() -> None:
    """Its rows are those of today; its numbers are of the day when it was made."""
    text = PAGE.read_text(encoding="utf-8")
    found = rows(text)
    for suite in suites().values():
        assert any(row[:3] == [suite.title, ", ".join(suite.compares), suite.tolerance] for row in found), suite.name
        assert any(row[:3] == [suite.title, suite.source, suite.read] for row in found), suite.name
    assert sum(row[0] == NAME for row in found) >= 2
    assert METHOD in text
    assert all(title in text for title in FAMOUS.values())


def test_the_counts_of_the_page_add_up() -> None:
    counts = [
        [int(cell) for cell in row[3:6]]
        for row in rows(PAGE.read_text(encoding="utf-8"))
        if f"of {len(ALGORITHMS)}" in row[-1]
    ]
    assert len(counts) == len(suites()) + 1
    assert {sum(count) for count in counts} == {sum(counts[0])}


def test_the_text_has_a_row_for_each_suite_and_names_what_passes_and_what_fails() -> None:
    lines = against_text(VERDICTS, 3.0).splitlines()
    assert lines[1].split() == ["kernelbench", "0", "1", "2", "0", "of", "22"]
    assert "kernelbench passes: eps-outside-root" in lines
    assert "bnconform fails: Welford" in lines
    assert lines[-1] == "3 deviations judged by 2 suites in 3 s"


def test_the_markdown_shows_the_same() -> None:
    text = against_markdown(VERDICTS, 3.0)
    assert ["bnconform", "Welford"] in rows(text)
    assert any(row[0].startswith("KernelBench") and row[1:] == [SIGNS[Word.PASSES], "·"] for row in rows(text))
    assert "3 s" not in text


def test_the_json_has_every_word() -> None:
    told = json.loads(against_json(VERDICTS, 3.0))["suites"]
    assert told["kernelbench"]["deviations"]["eps-outside-root"] == "passes"
    assert told["kernelbench"]["source"].startswith("github.com/")
    assert told[NAME]["right_algorithms_failed"] == ["Welford"]


def test_judging_in_one_process_gives_all_deviations_in_order() -> None:
    *shares, verdicts = judge_by(["tensara"], SOME, 1)
    assert isinstance(verdicts, SuiteVerdicts)
    assert shares[-1] == 1.0
    assert tuple(verdicts.deviations) == SOME
    assert (verdicts.alarms, verdicts.algorithms) == ((), len(ALGORITHMS))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--against", "kernelbunch"), "there is no suite 'kernelbunch'; did you mean kernelbench"),
        (("--against", "onnx", "--conditional", "3"), "leave out --conditional and --case"),
        (("--against", "onnx", "no-such"), "no deviation matches"),
    ],
)
def test_a_mistake_in_the_options_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(main, ["power", *arguments])
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.slow
def test_the_command_judges_by_a_suite_and_by_this_one() -> None:
    arguments = ["power", "eps-outside-root", "gradients-zero", "--against", "tensara", "-n", "1", "--format", "json"]
    done = CliRunner().invoke(main, arguments)
    told = json.loads(done.stdout)["suites"]
    assert done.exit_code == 0
    assert told["tensara"]["deviations"] == {"eps-outside-root": "passes", "gradients-zero": "not asked"}
    assert told[NAME]["caught"] == 2
    assert told[NAME]["right_algorithms_failed"] == []
