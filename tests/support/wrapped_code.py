"""Code of a test, in a file of its own, loaded as a target and judged in this process on a few cases."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from textwrap import dedent

from tests.support.judge_layers import judge_all, lines

from bn_conformance.adapter import Adapter
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.results.records import Item
from bn_conformance.targets.loading import load_adapter

FEW = ("fwd/*/random", "eval/*/random", "stat/*/first-step", "stat/*/several-steps", "grad/*/random", "layout/*/all")
"""Cases that every right layer passes, whatever its edges are."""


def code_in(folder: Path, text: str, name: str = "", file: str = "mine.py") -> str:
    """The target of code that is written into a file of a folder."""
    path = folder / file
    path.write_text(dedent(text))
    return f"{path}:{name}" if name else str(path)


def adapter_from(folder: Path, text: str, name: str = "") -> type[Adapter]:
    return load_adapter(code_in(folder, text, name))


def cases_for(adapter: type[Adapter], patterns: Iterable[str] = FEW) -> list[Case]:
    """The cases of some patterns that an adapter declares, as it is asked them."""
    can, convention = adapter.capabilities, adapter.convention
    return [
        as_declared(case, can, convention)
        for case in all_cases().values()
        if any(fnmatch(case.id, pattern) for pattern in patterns) and not unsupported_reason(case, can, convention)
    ]


def judged(adapter: type[Adapter], *patterns: str) -> list[Item]:
    cases = cases_for(adapter, patterns or FEW)
    assert cases, "no case of these is supported"
    return judge_all(adapter(), cases)


def assert_right(adapter: type[Adapter], *patterns: str, least: int = 4) -> None:
    """Every number of the few cases is at a level that conforms, and there are enough of them."""
    items = judged(adapter, *patterns)
    wrong = [item for item in items if item.verdict == "fail"]
    assert not wrong, lines(wrong)
    assert len(items) >= least, lines(items)


def outcome_of(target: str, *patterns: str) -> tuple[str, int, str]:
    """What is said of a target, how many cases were judged, and what fails: for a process of its own."""
    adapter = load_adapter(target)
    items = judged(adapter, *patterns)
    return said_of(adapter), len(items), lines(item for item in items if item.verdict == "fail")


def said_of(adapter: type[Adapter]) -> str:
    """What is printed of an adapter before it is judged."""
    return "\n".join(getattr(adapter, "notes", ()))
