"""Options of pytest do in `bnconform run -- ...` what users of pytest expect."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.support.command_line import GOOD, WRONG, bnconform, run, write

EPS = ("--case", "fwd/nc/float32/eps-*")


@pytest.mark.slow
def test_what_k_deselects_is_not_planned(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done, results = run(tmp_path, "-i", good, *EPS, "--", "-k", "default")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results.header.planned == ("good::fwd/nc/float32/eps-default",)
    assert [item.id for item in results.items] == [*results.header.planned]


@pytest.mark.slow
def test_what_k_deselects_is_not_planned_in_several_processes(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done, results = run(tmp_path, "-n", "2", "-i", good, *EPS, "--", "-k", "default")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results.header.planned == ("good::fwd/nc/float32/eps-default",)


@pytest.mark.slow
@pytest.mark.parametrize("selection", [("-k", "float32 or float64 or float16"), ("--deselect", "nothing")])
def test_pytest_selects_from_every_case_and_not_from_a_sample(tmp_path: Path, selection: tuple[str, ...]) -> None:
    good = write(tmp_path, "good.py", GOOD)
    collected = [
        bnconform(tmp_path, "run", "-n", "0", "-i", good, *options, "--", "--co", "-q", *more).stdout.count("good::")
        for options, more in (((), ()), ((), selection), (("--case", "*"), selection))
    ]
    assert 0 < 2 * collected[0] < collected[1] == collected[2]


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize("option", ["-k", "-m"])
def test_a_selection_of_nothing_judges_nothing(tmp_path: Path, option: str, processes: str) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done, results = run(tmp_path, "-n", processes, "-i", good, *EPS, "--", option, "nonexistent")
    assert done.returncode == 3
    assert results.header.planned == ()
    assert "Nothing was judged" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_x_stops_at_the_first_failure_and_says_what_was_not_run(tmp_path: Path, processes: str) -> None:
    wrong = write(tmp_path, "wrong.py", WRONG)
    done, results = run(tmp_path, "-n", processes, "-i", wrong, *EPS, "--", "-x")
    assert done.returncode == 1, done.stdout + done.stderr
    not_run = len(results.header.planned) - len(results.items)
    assert not_run > 0
    assert results.missing() == ()
    assert f"{not_run} planned items not run: the run stopped at a failure" in done.stdout


@pytest.mark.slow
def test_a_conforming_run_that_would_stop_at_a_failure_is_whole(tmp_path: Path) -> None:
    done, results = run(tmp_path, "-i", write(tmp_path, "good.py", GOOD), *EPS, "--", "-x")
    assert done.returncode == 0
    assert not results.stopped


@pytest.mark.slow
def test_lf_runs_what_failed_last(tmp_path: Path) -> None:
    good, wrong = write(tmp_path, "good.py", GOOD), write(tmp_path, "wrong.py", WRONG)
    both = ("-i", good, "-i", wrong, "--case", "fwd/nc/float32/eps-default", "--")
    assert run(tmp_path, *both, "--lf")[0].returncode == 1
    (tmp_path / "results.jsonl").unlink(missing_ok=True)
    done, results = run(tmp_path, *both, "--lf")
    assert done.returncode == 1
    assert results.header.planned == ("wrong::fwd/nc/float32/eps-default",)


@pytest.mark.slow
def test_lf_runs_what_stopped_the_run_before(tmp_path: Path) -> None:
    some = ("-i", write(tmp_path, "wrong.py", WRONG), *EPS, "--")
    _, stopped = run(tmp_path, *some, "-x")
    done, results = run(tmp_path, *some, "--lf")
    assert done.returncode == 1
    assert results.header.planned == tuple(item.id for item in stopped.items)


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize("options", [("-m", "a and"), ("-k", "a b(")])
def test_an_expression_that_pytest_refuses_is_all_that_is_said(
    tmp_path: Path, processes: str, options: tuple[str, ...]
) -> None:
    good = write(tmp_path, "good.py", GOOD)
    some = ("-n", processes, "-i", good, *EPS, "--results", "none.jsonl")
    done = bnconform(tmp_path, "run", *some, "--", *options)
    assert done.returncode == 2
    assert "ERROR: " in done.stderr
    assert options[1] in done.stderr
    assert done.stdout.strip() == ""
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.slow
def test_a_junit_file_says_what_is_wrong_and_how_to_run_it_again(tmp_path: Path) -> None:
    wrong = write(tmp_path, "wrong.py", WRONG)
    run(tmp_path, "-i", wrong, "--case", "fwd/nc/float32/eps-default", "--", "--junitxml=junit.xml")
    (case,) = ElementTree.parse(tmp_path / "junit.xml").iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    text = failure.text or ""
    assert "wrong is wrong on fwd/nc/float32/eps-default" in text
    assert "clause FWD-1 (MUST)" in text
    said = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
    assert said["level"] == "wrong"
    assert said["clauses"] == "FWD-1, FWD-5"
    assert float(said["ratio"] or 0) > 1
    assert said["reproduce"] == "bnconform run -i 'wrong.py' --case 'fwd/nc/float32/eps-default'"
    assert "bnconform-item" not in said


@pytest.mark.slow
def test_of_a_junit_file_what_was_refused_is_skipped(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done, _ = run(tmp_path, "-i", good, "--case", "err/nc/float32/channels-training", "--", "--junitxml=junit.xml")
    (case,) = ElementTree.parse(tmp_path / "junit.xml").iter("testcase")
    skipped = case.find("skipped")
    assert skipped is not None
    assert (skipped.get("message") or "").startswith("refused: ")
    assert "1 case: 1 refused" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--co", "-q"), ("--collect-only", "-q", "-k", "eps")])
def test_collecting_lists_the_items_and_writes_no_results(tmp_path: Path, options: tuple[str, ...]) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done = bnconform(tmp_path, "run", "-n", "0", "-i", good, *EPS, "--results", "none.jsonl", "--", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_case[good::fwd/nc/float32/eps-default]" in done.stdout
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.slow
def test_v_makes_pytest_name_each_item(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", GOOD)
    done, _ = run(tmp_path, "-i", good, "--case", "fwd/nc/float32/eps-default", "--", "-v", "--durations=1")
    assert "test_case[good::fwd/nc/float32/eps-default] PASSED" in done.stdout
    assert "slowest" in done.stdout
