"""The progress of a check on a terminal: the first failure is there before the end."""

from __future__ import annotations

import io
import sys

import pytest

from bn_conformance.results.records import Item
from bnconform.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def item(case: str, outcome: str, verdict: str) -> Item:
    return Item(implementation="mine", case=case, outcome=outcome, verdict=verdict)


def terminal_of(patch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in the place of standard error; not a fixture, since pytest sets standard error after those."""
    terminal = Terminal()
    patch.setenv("TERM", "xterm")
    patch.delenv("FORCE_COLOR", raising=False)
    patch.delenv("TTY_COMPATIBLE", raising=False)
    patch.setattr(sys, "stderr", terminal)
    return terminal


def test_the_first_failure_is_told_at_once_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with Progress("mine", 3) as progress:
        progress.advance(item("a/b", "tight", "pass"))
        assert "first failure" not in terminal.getvalue()
        progress.advance(item("c/d", "wrong", "fail"))
        assert "first failure: mine c/d is wrong" in terminal.getvalue()
        progress.advance(item("e/f", "wrong", "fail"))
    assert terminal.getvalue().count("first failure") == 1


def test_what_was_not_judged_is_not_counted_as_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with Progress("mine", 2) as progress:
        progress.advance(item("a/b", "not-judged", "not-judged"))
        progress.advance(item("c/d", "tight", "pass"))
    assert "1 judged, 0 failed" in terminal.getvalue()
    assert "2 judged" not in terminal.getvalue()
