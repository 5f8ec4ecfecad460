"""Recording a run: records go to the results file as they come. Only the controlling process has a recorder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from bn_conformance.judging.item import lost_item
from bn_conformance.matrix.closing import conclude, stale_faults
from bn_conformance.matrix.diagnosing import diagnoses
from bn_conformance.matrix.opening import Opening
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.resuming import Interrupted
from bn_conformance.matrix.runner import Runner
from bn_conformance.results import outcomes
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import End, Item, Record
from bn_conformance.results.writer import Writer

_PYTEST_INTERRUPTED = 2


class Recorder:
    """Writes records as they come and knows, at the end, what is missing.

    Args:
        plan: of the run.
        opening: what stands first.
        interrupted: the run that this one finishes, whose file is gone on with; None for a new file.
        reused: items that were taken over from other results.

    Raises:
        ResultsError: the results file cannot be written.
    """

    def __init__(
        self, plan: Plan, opening: Opening, interrupted: Interrupted | None = None, reused: Iterable[Item] = ()
    ) -> None:
        self._plan, self._opening, self._interrupted = plan, opening, interrupted
        self._reused = tuple(reused)
        self._planned: Sequence[str] = tuple(plan.items)
        self._start = time.perf_counter()
        self._earlier_seconds = interrupted.seconds if interrupted is not None else 0.0
        self._last: list[Record] = []
        judged = [*interrupted.judged(plan), *interrupted.not_asked(plan)] if interrupted is not None else []
        self._items = {item.id: item for item in (*judged, *self._reused)}
        self._writer = Writer(plan.options.results, interrupted.extent if interrupted is not None else None)
        self.path = self._writer.path
        self.begun = False

    @property
    def _partial(self) -> bool:
        """Whether pytest's options (`-k`, `-m`, `--lf`) left items out on purpose."""
        return len(self._planned) < len(self._plan.items)

    @property
    def items(self) -> list[Item]:
        """The items that are recorded, without those that a declaration leaves out."""
        return [*self._items.values()]

    def begin(self, collected: Iterable[str]) -> int:
        """Write the header, unless the file has one, and the items that are reused.

        What pytest deselected is not planned. Then nothing is said either of the cases that an implementation does not
        support: pytest has no item of them that could be selected.

        Args:
            collected: ids of the items that are to be judged.

        Returns:
            How many items are planned.

        Raises:
            ResultsError: it cannot be written.
        """
        self.begun = True
        opening, there = self._opening, self._interrupted
        planned = {*collected, *self._items} if there is None else {*there.results.header.planned}
        self._planned = [item for item in self._plan.items if item in planned]
        unsupported = () if self._partial else opening.unsupported
        beyond = () if self._partial else self._plan.beyond_sample
        ids = (*self._planned, *beyond, *(item.id for item in unsupported))
        header = replace(opening.header, planned=ids) if there is None else there.results.header
        self._opening = replace(opening, header=header, unsupported=unsupported)
        self._writer.write(*self._not_there_yet(), *self._reused)
        return len(self._planned)

    def _not_there_yet(self) -> list[Record]:
        """The records of the opening that the file does not hold yet."""
        opening, there = self._opening, self._interrupted
        if there is None:
            return [opening.header, *opening.environments, *opening.unsupported]
        described = {record.implementation for record in there.results.environments}
        recorded = {item.id for item in there.results.items}
        return [
            *(record for record in opening.environments if record.implementation not in described),
            *(item for item in opening.unsupported if item.id not in recorded),
        ]

    def add(self, item: Item) -> bool:
        """Record an item; False where it was recorded before.

        Raises:
            ResultsError: it cannot be written.
        """
        if item.id in self._items:
            return False
        self._items[item.id] = item
        self._writer.write(item)
        return True

    def lost(self, item_id: str, message: str) -> Item:
        """The record of a planned item whose judging process ended, or that failed outside of its case."""
        implementation, case = self._plan.items[item_id]
        item = lost_item(implementation.name, case, outcomes.CRASHED, message.strip()[-500:])
        return replace(item, reproduce=self._plan.reproduce(implementation, case))

    def finish(self, pytest_status: int, stops: bool) -> int:
        """Write what only the end shows, and say how the run went.

        Args:
            pytest_status: pytest's own exit status.
            stops: a failure stops the run (`-x`, `--maxfail`, `--stepwise`).

        Returns:
            The exit code.

        Raises:
            ResultsError: the end cannot be written.
        """
        if self._writer.failed:
            self._writer.close()
            return EXIT_NOT_JUDGED
        if not self.begun:
            self.begin(self._planned)
        items = self._items.values()
        stopped = stops and any(item.verdict == ItemVerdict.FAIL.value for item in items)
        interrupted = pytest_status == _PYTEST_INTERRUPTED and not stopped
        stale = [] if self._partial or stopped or interrupted else stale_faults(self._plan, items)
        self._last += stale
        if not interrupted:
            runner = Runner(self._plan)
            try:
                self._last += diagnoses(self._plan, items, runner)
            except KeyboardInterrupt:  # all that was judged is told all the same
                interrupted = True
            finally:
                runner.close()
        partial = self._partial or stopped
        conclusion = conclude(self._plan, self._planned, items, stale, partial=partial, interrupted=interrupted)
        seconds = round(self._earlier_seconds + time.perf_counter() - self._start, 3)
        self._last.append(
            End(exit_code=conclusion.exit_code, seconds=seconds, message=conclusion.message, stopped=stopped)
        )
        self._writer.write(*self._last)
        self._writer.close()
        return conclusion.exit_code

    @cached_property
    def results(self) -> Results:
        """What the results file holds, once it is finished."""
        opening = self._opening
        items = (*opening.unsupported, *self._items.values())
        return Results.of(str(self.path), (opening.header, *opening.environments, *items, *self._last))

    def print_summary(self) -> None:
        """Print the summary of the records in the results file to standard output."""
        from rich.console import Console

        from bn_conformance.report.terminal import print_summary

        print_summary(self.results, Console())
