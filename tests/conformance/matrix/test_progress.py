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
