"""Recording a run: records go to the results file as they come. Only the controlling process has a recorder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from bn_conformance.judging.item import lost_item, reproduce
from bn_conformance.matrix.closing import conclude, stale_faults
from bn_conformance.matrix.diagnosing import diagnoses
from bn_conformance.matrix.opening import environment_record, header
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.results import outcomes
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED
from bn_conformance.results.file import read_results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import End, Item
from bn_conformance.results.writer import Writer

_PYTEST_INTERRUPTED = 2


class Recorder:
    """Writes records as they come and knows, at the end, what is missing.

    Args:
        plan: of the run.

    Raises:
        ResultsError: the results file cannot be written.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._planned: Sequence[str] = tuple(plan.items)
        self._start = time.perf_counter()
        self._items: dict[str, Item] = {}
        self._writer = Writer(plan.options.results)
        self.path = self._writer.path
        self.begun = False

    @property
    def _partial(self) -> bool:
        """Whether pytest's options (`-k`, `-m`, `--lf`) left items out on purpose."""
        return len(self._planned) < len(self._plan.items)

    def begin(self, planned: Sequence[str]) -> None:
        """Write the header.

        What pytest deselected is not planned. Then nothing is said either of the cases that an implementation does not
        support: pytest has no item of them that could be selected.

        Args:
            planned: ids of the items that are to be judged.

        Raises:
            ResultsError: it cannot be written.
        """
        self.begun, self._planned = True, planned
        unsupported = [] if self._partial else self._unsupported()
        self._writer.write(header(self._plan, [*planned, *(item.id for item in unsupported)]))
        self._writer.write(*map(environment_record, self._plan.implementations), *unsupported)

    def _unsupported(self) -> list[Item]:
        return [
            Item(
                implementation=implementation.name,
                case=case.id,
                outcome=outcomes.UNSUPPORTED,
                verdict=ItemVerdict.UNSUPPORTED.value,
                message=reason,
            )
            for implementation, case, reason in self._plan.unsupported()
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
        return replace(item, reproduce=reproduce(implementation.address, case.id))

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
        self._writer.write(*stale)
        if not interrupted:
            runner = Runner(self._plan)
            try:
                self._writer.write(*diagnoses(self._plan, items, runner))
            finally:
                runner.close()
        partial = self._partial or stopped
        conclusion = conclude(self._plan, self._planned, items, stale, partial=partial, interrupted=interrupted)
        seconds = round(time.perf_counter() - self._start, 3)
        self._writer.write(
            End(exit_code=conclusion.exit_code, seconds=seconds, message=conclusion.message, stopped=stopped)
        )
        self._writer.close()
        return conclusion.exit_code

    def print_summary(self) -> None:
        """Print the summary of the results file to standard output."""
        from rich.console import Console

        from bn_conformance.report.terminal import print_summary

        print_summary(read_results(self.path), Console())
