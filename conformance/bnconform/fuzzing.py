"""`fuzz`: drawn cases, judged from Python, and made small where they fail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.catalogue.document import named_by_content
from bn_conformance.catalogue.regressions import write_regression
from bn_conformance.commands.fuzz import excluded_clauses, need_hypothesis
from bn_conformance.commands.show import describe_case
from bn_conformance.options import DEFAULTS
from bn_conformance.report.failure import item_line, item_text
from bn_conformance.results.records import Item
from bn_conformance.text import counted
from bn_conformance.user_error import UserError
from bnconform.judging import opened
from bnconform.keywords import Choices, Paths, Texts, request_of
from bnconform.keywords import several as several_of
from bnconform.pages import ShownResult


@dataclass(frozen=True, eq=False, repr=False)
class Fuzzed(ShownResult):
    """What a search with drawn cases found. It is true where something was judged and nothing fails.

    Attributes:
        name: of the implementation.
        configurations: cases that were judged before anything failed.
        judged: of these, those of which a number was judged, or that were rightly refused.
        seconds: that it took.
        levels: how many cases had each outcome.
        case: the smallest case that fails; None where nothing fails.
        item: its record.
        explained_by: names of the deviations that explain it.
        flaky: whether a case that failed did not fail again.
        regression: the file that it was written to; empty for none.
    """

    name: str
    configurations: int
    judged: int
    seconds: float
    levels: dict[str, int]
    case: Case | None = None
    item: Item | None = None
    explained_by: tuple[str, ...] = ()
    flaky: bool = False
    regression: str = ""

    def __bool__(self) -> bool:
        return self.case is None and self.judged > 0

    @property
    def headline(self) -> str:
        """What was found, in a line."""
        drawn = f"{self.name}: {counted(self.configurations, 'configuration')}"
        if self.case is not None:
            return f"✕ {drawn}, and one fails"
        return f"✓ {drawn}, and none fails" if self.judged else f"– {drawn}, and none could be judged"

    def __str__(self) -> str:
        lines = [self.headline, f"  {', '.join(f'{count} {level}' for level, count in self.levels.items())}"]
        if self.case is None or self.item is None:
            return "\n".join(lines)
        if self.flaky:
            lines.append("  A case that failed did not fail when it was run again: it is not deterministic.")
        lines.append(item_text(self.item, self.case, self.regression))
        if self.explained_by:
            lines.append(f"  explained by: {', '.join(self.explained_by)}")
        description = describe_case(self.case, source=self.regression)
        return "\n".join((*lines, "", description[description.index("Layer\n") :]))


def fuzz(
    obj: Any,
    *,
    seconds: float = 30.0,
    configs: int = 0,
    seed: int = 0,
    without: Texts = (),
    out: str | os.PathLike[str] = "",
    as_: str = "",
    convention: Choices = (),
    names: Mapping[str, str] = MappingProxyType({}),
    arguments: Mapping[str, Any] = MappingProxyType({}),
    level: str = DEFAULTS["level"],
    device: str = DEFAULTS["device"],
    known_faults: Paths = (),
    timeout: float | None = None,
    isolated: bool = False,
) -> Fuzzed:
    """Look for a violation with drawn configurations and sequences, and make it small.

    It needs Hypothesis (`pip install 'bnconform[fuzz]'`).

    Args:
        obj: what is judged; see `check`.
        seconds: how long configurations are drawn.
        configs: at most so many; 0 sets no limit.
        seed: equal seeds draw equal cases.
        without: clauses or families of which no case is drawn.
        out: a file for the smallest case that fails, which `check(regressions=...)` replays; none without it.
        as_: see `check`.
        convention: see `check`.
        names: see `check`.
        arguments: see `check`.
        level: see `check`.
        device: see `check`.
        known_faults: see `check`.
        timeout: see `check`.
        isolated: see `check`.

    Returns:
        What was found.

    Raises:
        UserError: as for `check`; or Hypothesis is not installed, or the file cannot be written.
    """
    if not 0.0 < seconds < float("inf"):
        raise UserError(f"seconds is {seconds:g}; allowed are seconds above 0")
    if configs < 0:
        raise UserError(f"configs is {configs}; allowed are numbers from 0, which sets no limit")
    need_hypothesis()
    from bn_conformance.fuzz.search import search
    from bn_conformance.fuzz.strategies import cases

    request = request_of(
        as_=as_,
        convention=convention,
        names=names,
        arguments=arguments,
        level=level,
        device=device,
        known_faults=known_faults,
        timeout=timeout,
        isolated=isolated,
    )
    excluded = excluded_clauses(several_of(without))
    session = opened(obj, request)
    known = session.implementation
    try:
        with session.running():
            try:
                found = search(session.judge, cases(known.capabilities, excluded), seconds, configs, seed, None)
            except ValueError as error:
                raise UserError(f"{known.name}: {error}") from None
            explained_by = () if found.case is None else session.explaining(found.case)
    finally:
        session.close()
    told = Fuzzed(known.name, found.configurations, found.judged, found.seconds, dict(found.levels.most_common()))
    if found.case is None or found.item is None:
        return told
    case = named_by_content(replace(found.case, title=f"found by fuzzing: {found.item.outcome}"))
    item = replace(found.item, case=case.id, explained_by=explained_by)
    path = os.fspath(out)
    if path:
        _write(Path(path), case, item, known.name, seed)
    return replace(told, case=case, item=item, explained_by=explained_by, flaky=found.flaky, regression=path)


def _write(path: Path, case: Case, item: Item, name: str, seed: int) -> None:
    notes = {
        "implementation": name,
        "seed": seed,
        "summary": item_line(item),
        "explained_by": list(item.explained_by or ()),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_regression(path, case, notes)
    except OSError as error:
        raise UserError(f"the regression cannot be written to {path} ({error.strerror}); name another file") from None
