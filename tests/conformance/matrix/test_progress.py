"""The progress of a run: the first failure is there before the end, also where nobody watches a terminal."""

from __future__ import annotations

import pytest

from bn_conformance.matrix.progress import Progress
from bn_conformance.results.records import Item


def item(case: str, verdict: str) -> Item:
    outcome = "wrong" if verdict == "fail" else "tight"
    return Item(implementation="mine", case=case, outcome=outcome, verdict=verdict)


def test_the_first_failure_is_shown_when_it_comes_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(100)
    progress.advance(item("a/b", "pass"))
    assert "first failure" not in capsys.readouterr().err
    progress.advance(item("c/d", "fail"))
    assert "first failure: mine c/d is wrong" in capsys.readouterr().err
    progress.advance(item("e/f", "fail"))
    progress.close()
    assert "first failure" not in capsys.readouterr().err


def test_what_was_not_judged_is_counted_apart(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(4)
    for verdict in ("pass", "refused", "not-judged", "unsupported"):
        progress.advance(item("a/b", verdict))
    progress.close()
    said = "(4 of 4), 1 judged, 0 failed, 1 refused, 1 not judged, 1 not supported and not run"
    assert said in capsys.readouterr().err


def test_a_line_says_how_far_the_run_is(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(3)
    for case in ("a", "b", "c"):
        progress.advance(item(case, "pass"))
    progress.close()
    lines = [line.split(",")[0].strip() for line in capsys.readouterr().err.splitlines()]
    assert lines == ["33 % (1 of 3)", "66 % (2 of 3)", "100 % (3 of 3)"]
