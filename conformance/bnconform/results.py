"""What is made of results, from Python: comparisons, published texts, scripts of faults, verdicts on vectors."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bn_conformance.commands.publish import published_name
from bn_conformance.commands.vectors import closing as vectors_line
from bn_conformance.matrix.reproducing import Reproducer, plan_of
from bn_conformance.options import DEFAULTS, OPTIONS
from bn_conformance.report.changes import Changes, changes_between, common_changes
from bn_conformance.report.changes_html import changes_html
from bn_conformance.report.changes_json import changes_json
from bn_conformance.report.changes_terminal import print_changes
from bn_conformance.report.failure import item_text
from bn_conformance.report.published import published
from bn_conformance.results.file import Results, read_results
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.user_error import UserError
from bn_conformance.vectors.check import Checked, CheckedFile, check_submission
from bnconform.pages import ShownResult, printed
from bnconform.verdict import Verdict

Given = Verdict | str | os.PathLike[str]
"""A verdict, or a results file."""


@dataclass(frozen=True, eq=False, repr=False)
class RunComparison(ShownResult):
    """What changed from one run to another. `print` shows all; it is true where nothing got worse.

    Attributes:
        changes: what changed: `new_failures`, `fixed`, `warned`, `conventions`, `versions` and so on.
    """

    changes: Changes

    @property
    def regressed(self) -> bool:
        """Whether something got worse."""
        return self.changes.regressed

    def __bool__(self) -> bool:
        return not self.regressed

    def html(self) -> str:
        """All of it as one page that needs no other file."""
        return changes_html(self.changes)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, as `bnconform compare --format json` writes it."""
        return changes_json(self.changes)

    def __str__(self) -> str:
        return printed(lambda console: print_changes(self.changes, console))


@dataclass(frozen=True, eq=False, repr=False)
class VectorsVerdict(ShownResult):
    """The verdict on a file of results that were made elsewhere. It is true where all of it conforms.

    Attributes:
        path: of the file.
        checked: a verdict for each case in the file, with its `item` and what is `missing`.
        problems: lines that cannot be used.
    """

    path: str
    checked: tuple[Checked, ...]
    problems: tuple[str, ...]
    file: CheckedFile

    @property
    def exit_code(self) -> int:
        """As that of `bnconform vectors check`."""
        return self.file.exit_code

    def __bool__(self) -> bool:
        return self.exit_code == 0

    def __str__(self) -> str:
        failing = [one for one in self.checked if one.item.verdict == ItemVerdict.FAIL.value]
        lines = [item_text(one.item, one.case) for one in failing] + list(self.problems)
        return "\n".join((*lines, vectors_line(self.path, self.file)))


def compare(old: Given, new: Given, *, common: bool = False) -> RunComparison:
    """What changed from one run to another: new failures, fixed, levels, conventions, versions.

    Args:
        old: a verdict of `check`, or a results file.
        new: likewise.
        common: compare only the items that both have.

    Raises:
        UserError: a file cannot be read, or with `common` the two have nothing in common.
    """
    between = common_changes if common else changes_between
    return RunComparison(between(_results(old), _results(new)))


def publish(results: Given, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write a small TOML file for each implementation, without times: a change is a difference in git.

    Args:
        results: a verdict of `check`, or a results file.
        folder: that the files are written to.

    Returns:
        The files.

    Raises:
        UserError: the run did not end, nothing was judged, or a file cannot be written.
    """
    contents = _results(results)
    if contents.end is None:
        raise UserError("the run did not end; publish a whole one")
    texts = published(contents)
    if not texts:
        raise UserError("nothing was judged; there is nothing to publish")
    paths = {Path(folder) / f"{published_name(name)}.toml": text for name, text in texts.items()}
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); name another folder") from None
    return tuple(paths)


def repro(item: str, *, device: str = DEFAULTS["device"]) -> str:
    """A script without bnconform that shows a fault in the framework alone.

    Args:
        item: `IMPLEMENTATION::CASE`, as reports name it.
        device: that layers run on.

    Returns:
        The text of the script. It exits with 1 where the fault shows.

    Raises:
        UserError: there is no such item, nothing is wrong with it, or no script can show it.
    """
    if "::" not in item:
        raise UserError(f"{item!r} is no item; write IMPLEMENTATION::CASE")
    with closing(Reproducer(plan_of(item, device=device))) as reproducer:
        return reproducer.script_of(item).text


def check_vectors(path: str | os.PathLike[str], *, level: str = DEFAULTS["level"]) -> VectorsVerdict:
    """Judge results that were made elsewhere from the vectors of `bnconform vectors export`.

    Args:
        path: JSON lines, or a JSON list, with case, step, quantity and values.
        level: the worst level that passes.

    Raises:
        UserError: the file cannot be read, or there is no such level.
    """
    if level not in OPTIONS["level"].choices:
        raise UserError(f"level is {level!r}; allowed are {', '.join(OPTIONS['level'].choices)}")
    name = os.fspath(path)
    file = check_submission(name, Threshold(level))
    problems = tuple(f"line {one.line}: {one.message}" for one in file.problems)
    return VectorsVerdict(name, file.checked, problems, file)


def _results(given: Given) -> Results:
    return given.results if isinstance(given, Verdict) else read_results(os.fspath(given))
