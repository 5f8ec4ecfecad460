"""The terminal summary: readable at any width, without colour, whatever the results hold."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from rich.console import Console
from tests.support.sample_declarations import IMPLEMENTATIONS, NONSTANDARD, TEXTBOOK, TORCH
from tests.support.sample_matrix import realistic
from tests.support.sample_results import HOSTILE_NAME, HOSTILE_TEXT, case, item, off_by_three_percent, results

from bn_conformance.report.terminal import print_summary
from bn_conformance.results.file import Results
from bn_conformance.results.records import Diagnosis, End, Environment, StaleFault


def printed(run_results: Results, width: int = 100) -> str:
    stream = StringIO()
    print_summary(run_results, Console(file=stream, width=width))
    return stream.getvalue()


def ids(number: int) -> list[str]:
    return [f"c{n}" for n in range(number)]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_but_commands_to_copy(width: int) -> None:
    lines = printed(realistic(count=120), width).splitlines()
    assert [line for line in lines if len(line) > width and not line.lstrip().startswith("bnconform ")] == []


@pytest.mark.parametrize("width", [80, 120])
def test_the_matrix_names_every_implementation_and_every_family(width: int) -> None:
    text = printed(realistic(count=120, hostile=False), width)
    families = "FWD STAT EVAL GRAD NUM DTYPE LAYOUT EDGE STATE PURE ERR"
    assert text.splitlines()[0].split() == ["implementation", *families.split()]
    for name in IMPLEMENTATIONS:
        folded = re.escape(name).replace(r"\[", r"(\[|\s.*\n +\[)")
        assert re.search(rf"^. {folded}\s", text, re.MULTILINE), name


def test_a_wide_terminal_has_words_and_a_narrow_one_signs_with_their_meaning() -> None:
    run_results = results([item("i", "a", "wrong", "fail"), item("i", "b")])
    assert "✕ wrong 1" in printed(run_results).splitlines()[1]
    narrow = printed(realistic(count=120, hostile=False), 80)
    assert re.search(r"^✕ tf.nn.moments .* ✕\d", narrow, re.MULTILINE)
    assert re.search(r"^✕ fails   ◆ known fault   ▲ only warns   ✓ conforms   – nothing judged$", narrow, re.MULTILINE)


def test_a_narrow_matrix_has_five_signs_and_numbers_and_nothing_else() -> None:
    rows = re.findall(r"^[✕◆▲✓] [a-z][\w.]+ {5,}(.*)$", printed(realistic(count=120, hostile=False), 80), re.MULTILINE)
    cells = [cell for row in rows for cell in row.split()]
    assert len(cells) > 50
    assert {cell for cell in cells if not re.fullmatch(r"[✕◆▲]\d+|✓|–", cell)} == set()


def test_a_failure_a_known_fault_and_a_warning_have_signs_of_their_own() -> None:
    names = [f"an-implementation-with-a-name-{n}" for n in range(3)]
    items = [
        item(names[0], "a", "wrong", "fail"),
        item(names[1], "a", "wrong", "warn"),
        item(names[2], "a", "wrong", "known-fault", known_fault="upstream"),
    ]
    rows = [line.split() for line in printed(results(items), 40).splitlines()[1:4]]
    assert [row[-1] for row in rows] == ["✕1", "▲1", "◆1"]


def test_a_terminal_too_narrow_for_a_matrix_has_a_list() -> None:
    text = printed(realistic(count=120, hostile=False), 50)
    assert text.startswith("✕ textbook.numpy: does not conform") or text.startswith("▲ textbook.numpy: conforms")
    assert "STAT ✕" in text


def test_a_failure_is_told_with_its_numbers_its_clause_and_its_command() -> None:
    worst = off_by_three_percent()
    failing = item(
        "i", "stat/nc", "wrong", "fail", quantities=(worst,), reproduce="bnconform run -i i --case 'stat/nc'"
    )
    told = Diagnosis(
        implementation="i",
        deviations=("running-var-unbiased",),
        message="the numbers match",
        confident=True,
        examined=1,
    )
    text = printed(results([failing], diagnoses=[told]), 200)
    assert "✕ running_var is wrong, clause STAT-3: i (1 case)" in text
    assert "The running variance MUST take in the batch variance by the declared estimator." in text
    assert "expected 1.0, got 1.03; the error 0.03 is 5e4 times the allowed error 1e-7" in text
    assert "at running_var[2] in step 0 of stat/nc" in text
    assert "i: the numbers match" in text
    assert "      bnconform run -i i --case 'stat/nc'" in text.splitlines()


def test_a_command_is_one_line_to_copy_however_narrow_the_terminal_is() -> None:
    command = f"bnconform run -i i --case '{'long/' * 30}'"
    text = printed(results([item("i", "a", "wrong", "fail", reproduce=command)]), 60)
    assert f"      {command}" in text.splitlines()


def test_the_same_failure_of_many_is_told_once_and_its_clause_once() -> None:
    items = [item(name, case, "wrong", "fail") for name in ("i", "j") for case in ids(5)]
    text = printed(results(items), 200)
    assert text.count("✕ y is wrong, clause FWD-1: i (5 cases), j (5 cases)") == 1
    assert text.count("In training, y MUST be") == 1


def test_a_long_list_of_failures_is_cut_and_says_so() -> None:
    names = "abcdefghijklmnopqrstuvwxyz"
    items = [item("i", name, "errored", "fail", message=f"raised {name * 3}") for name in names]
    text = printed(results(items))
    assert text.count("✕ errored, clause") == 20
    assert "and 6 more" in text


def test_messages_that_differ_in_numbers_alone_are_one_problem() -> None:
    items = [item("i", case, "errored", "fail", message=f"shape ({n}, 3)") for n, case in enumerate(ids(30))]
    assert "(30 cases)" in printed(results(items))


def test_known_faults_have_their_reason_and_warnings_their_ratio() -> None:
    items = [
        item("i", "a", "wrong", "known-fault", known_fault="NaN for an empty batch, see #12"),
        item("i", "b", "stable", "warn"),
    ]
    text = printed(results(items))
    assert "◆ NaN for an empty batch, see #12: i (1 case)" in text
    assert "▲ y is stable, clause FWD-1, ratio up to 3: i (1 case)" in text


def test_conventions_that_differ_and_nonstandard_ones_are_told() -> None:
    environments = [Environment(implementation=name, status="ok", convention=TORCH) for name in ("i", "j")]
    environments.append(Environment(implementation="k", status="ok", convention=TEXTBOOK, nonstandard=NONSTANDARD))
    text = printed(results([item("i", "a")], environments=environments), 200)
    assert "running_variance: unbiased, but biased in k" in text
    assert "k: eps_in_running_variance: the running variance takes in variance + eps" in text
    assert "statistics_move:" not in text


def test_what_is_not_installed_stale_or_missing_is_told_with_what_to_do() -> None:
    absent = Environment(implementation="keras", status="not-installed", message="pip install 'bnconform[keras]'")
    stale = StaleFault(entry="torch.nn x", file="known.toml", line=3, message="delete lines 3 to 5")
    run_results = results([item("i", "a"), item("i", "b")], stale_faults=[stale])
    run_results = replace(
        run_results, items=run_results.items[:1], environments=(*run_results.environments, absent), end=None
    )
    header = replace(run_results.header, implementations=("i", "keras"))
    text = printed(replace(run_results, header=header))
    assert "keras: pip install 'bnconform[keras]'" in text
    assert "known.toml:3 torch.nn x: delete lines 3 to 5" in text
    assert "i::b" in text
    assert "the results file was cut off" in text
    assert "1 planned item never reported" in text


def test_what_an_interrupted_run_did_not_judge_is_neither_missing_nor_a_failure() -> None:
    ended = End(exit_code=130, seconds=1.0, message="interrupted")
    planned = [f"i::{case}" for case in "abcd"]
    cases = [case(name, "FWD-1") for name in "abcd"]
    right = results([item("i", "a")], cases=cases, planned=planned, end=ended)
    text = printed(right, 200)
    assert text.rstrip().endswith("? i interrupted: 3 of 4 cases not run")
    assert "3 planned items not run: the run was interrupted. bnconform run --resume results.jsonl judges them." in text
    assert "missing" not in text.lower()
    assert "fail" not in text
    assert "--resume" not in printed(replace(right, header=replace(right.header, options={"plain_first": True})))
    wrong = results([item("i", "a", "wrong", "fail")], cases=cases, planned=planned, end=ended)
    assert printed(wrong).rstrip().endswith("✕ i does not conform: 1 of 1 case fails")
    assert printed(results([item("i", "a")], end=ended)).rstrip().endswith("✓ i conforms")


def test_the_last_line_is_the_verdict() -> None:
    assert printed(results([item("i", "a")])).rstrip().endswith("✓ i conforms")
    failing = printed(results([item("i", "a", "wrong", "fail")]))
    assert failing.rstrip().endswith("✕ i does not conform: 1 of 1 case fails")
    two = printed(results([item("i", "a", "wrong", "fail"), item("j", "a")]))
    assert two.rstrip().endswith("✕ 1 of 2 implementations does not conform")
    empty = results([], end=End(exit_code=3, seconds=0.0))
    assert printed(empty).rstrip().endswith("– Nothing was judged")


def test_hostile_text_reaches_the_terminal_as_text_alone() -> None:
    text = printed(results([item(f"[red]{HOSTILE_NAME}", "[bold]a", "errored", "fail", message=HOSTILE_TEXT)]), 400)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert "[31m" not in text
    assert "\\x00\\u202e" in text
    assert f"[red]{HOSTILE_NAME}" in text
    assert "[bold]a" in text


def test_an_ascii_terminal_gets_ascii() -> None:
    buffer = BytesIO()
    stream = TextIOWrapper(buffer, encoding="ascii", errors="strict")
    print_summary(realistic(count=120), Console(file=stream, width=100))
    stream.flush()
    assert b"x tf.nn.moments" in buffer.getvalue()


def test_colour_adds_nothing_but_colour() -> None:
    stream = StringIO()
    run_results = realistic(count=120, hostile=False)
    print_summary(run_results, Console(file=stream, width=100, force_terminal=True, color_system="standard"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert plain != stream.getvalue()
    assert plain == printed(run_results, 100)
