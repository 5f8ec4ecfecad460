"""The matrix in pytest: the controlling process plans, hands out the items and records what comes back."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from bn_conformance.hosting.orphan import end_with_parent
from bn_conformance.matrix.arguments import options_of, require_expressions
from bn_conformance.matrix.attempts import TRIES
from bn_conformance.matrix.blocks import blocks, processes_for
from bn_conformance.matrix.forks import Forks, forks_for
from bn_conformance.matrix.items import LOST, RECORD, Items
from bn_conformance.matrix.node_ids import gates, item_id
from bn_conformance.matrix.opening import opening_of
from bn_conformance.matrix.plan import Plan, make_plan
from bn_conformance.matrix.plugin_names import CONTROL, ITEMS, JUDGED_KEY, PARENT_KEY, PLAN_KEY
from bn_conformance.matrix.preflight import Tried, preflight, resumed
from bn_conformance.matrix.progress import Progress, show_first_failure
from bn_conformance.matrix.recorder import Recorder
from bn_conformance.matrix.reports import report_findings
from bn_conformance.matrix.resuming import Interrupted, interrupted_run
from bn_conformance.matrix.reusing import Reused, reused_items
from bn_conformance.matrix.stages import FIRST, LATER, Stages
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED
from bn_conformance.results.file import Results
from bn_conformance.results.json_line import ResultsError, from_line, to_line
from bn_conformance.results.records import Item
from bn_conformance.user_error import UserError

if TYPE_CHECKING:
    from bn_conformance.matrix.cluster import Cluster
    from bn_conformance.matrix.scheduler import BlockScheduling

MOST_FAILED_STARTS = 8
"""Judging processes that may end one after the other before any has started."""


def register(config: pytest.Config) -> None:
    """Register the plugins of this process; xdist's processes get the plan from the controlling one.

    Raises:
        pytest.UsageError: something that the options name does not exist, or cannot be read.
    """
    front, alone = bool(config.getoption("bn_front")), bool(config.getoption("bn_alone"))
    sent = getattr(config, "workerinput", {}).get(PLAN_KEY)
    if sent is not None:
        end_with_parent(config.workerinput[PARENT_KEY])  # type: ignore[attr-defined]
        plan = Plan.from_json(sent)
        judged = {item.id: item for item in map(_item, config.workerinput[JUDGED_KEY])}  # type: ignore[attr-defined]
        waiting = gates(config.workerinput["workercount"]) if plan.later else ()  # type: ignore[attr-defined]
        config.pluginmanager.register(Items(plan, judged, waiting, alone=alone), ITEMS)
        return
    require_expressions(config)
    try:
        options = options_of(config)
        interrupted = interrupted_run(options.resume) if options.resume else None
        tried = Tried(make_plan(options if interrupted is None else interrupted.options(options)), {})
        if interrupted is not None:
            tried = Tried(resumed(tried.plan), {})
        elif not config.option.collectonly:
            tried = preflight(tried.plan)
        control = Control(config, tried, front, interrupted)
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Items(control.plan, tried.items, alone=alone), ITEMS)
    config.pluginmanager.register(control, CONTROL)


def _item(line: str) -> Item:
    record = from_line(line)
    assert isinstance(record, Item)
    return record


class Control:
    """A pytest plugin of the controlling process.

    Args:
        config: of pytest.
        tried: the plan of the run, and what was judged of it before.
        front: whether `bnconform run` called pytest, so that progress is shown here and not by pytest.
        interrupted: the run that this one finishes; None for a new one.
    """

    def __init__(self, config: pytest.Config, tried: Tried, front: bool, interrupted: Interrupted | None) -> None:
        self._config, self._front, self._judged = config, front, tried.items
        self._failure_shown = front and show_first_failure(tried.items.values())
        self._cache = TemporaryDirectory(prefix="bnconform-", ignore_cleanup_errors=True)
        self.plan = tried.plan if tried.plan.cache else tried.plan.with_cache(self._cache.name)
        self._recorder: Recorder | None = None
        self._progress: Progress | None = None
        self._failed_starts = 0
        self._cluster: Cluster | None = None
        self._forks: Forks | None = None
        self._own_items: list[pytest.Item] = []
        self._stages = Stages(tried.plan, (), ())
        if not config.option.collectonly:
            self._open(interrupted)

    def _open(self, interrupted: Interrupted | None) -> None:
        """Open the results with what earlier runs have judged, and leave the rest to be judged."""
        plan, opening = self.plan, opening_of(self.plan)
        done, left = set[str](), [*plan.items]
        if interrupted is not None:
            interrupted.check(plan, opening)
            done = {item.id for item in interrupted.judged(plan)}
            left = interrupted.missing(plan)
        reused = reused_items(plan, opening, left) if plan.options.reuse else Reused()
        done |= {item.id for item in reused.items}
        if plan.options.ray:
            self._judge_with(0)
            from bn_conformance.matrix.cluster import Cluster  # which imports Ray

            self._cluster = Cluster(plan.options.ray, plan.runnable)
        self._environments = opening.environments
        self._recorder = Recorder(plan, opening, interrupted, reused.items)
        sys.stderr.write("".join(f"{note}\n" for note in reused.notes))
        if interrupted is not None or done:
            self.plan = plan.remaining([item for item in left if item not in done])
            gc.freeze()  # what was read stays to the end, and is not looked through for garbage again and again
            if not self.plan.left:
                self._judge_with(0)  # there is nothing to start processes for
        option = self._config.option
        if option.bn_forks:
            self._forks = forks_for(self.plan, self._judged, option.bn_forks, option.bn_fewest)
        elif option.bn_fewest:
            self._judge_with(processes_for(self.plan))

    def _judge_with(self, most: int) -> None:
        """Let xdist start at most so many processes; none where one would do, which is this one."""
        option = self._config.option
        option.tx = (getattr(option, "tx", None) or [])[:most]  # there is none where -n 0 leaves xdist out
        if len(option.tx) < 2:
            option.dist, option.tx = "no", []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Keep xdist from printing lines about its processes where the front shows progress."""
        plugins = self._config.pluginmanager
        session, reporter = plugins.get_plugin("dsession"), plugins.get_plugin("terminaldistreporter")
        if self._front and session is not None:
            session.terminal = None
            plugins.unregister(reporter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Leave the items to the forks or the cluster, if there are any."""
        if session.testsfailed:
            return None
        if self._forks is not None:
            report_findings(session, self._forks.judge(self._stages.asks_later), self.plan, alone=True)
            return True
        if self._cluster is not None:
            from bn_conformance.matrix.cluster_loop import run_on_cluster

            run_on_cluster(session, self._cluster, self.plan, self._environments)
            return True
        return None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give xdist's processes the plan, so that all of them make the same items."""
        judged = [to_line(item) for item in self._judged.values()]
        node.workerinput |= {PLAN_KEY: self.plan.to_json(), JUDGED_KEY: judged, PARENT_KEY: os.getpid()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> BlockScheduling:
        """Hand out work by implementation and block of signatures."""
        from bn_conformance.matrix.scheduler import BlockScheduling  # which imports xdist

        processes = len(config.getoption("tx") or []) or 1
        asked = blocks(self.plan, processes)
        return BlockScheduling(config, log, asked, self._record_lost, self.plan.later, self._stages.asks_later)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Say of an item that is lost what happened to it."""
        report.longrepr = f"{LOST} {TRIES} times while it ran: it was killed, or its memory was used up"

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note that a judging process has started, and what it collected: every process collects the same."""
        self._failed_starts = 0
        self._begin(ids)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what was collected where this process judges as well."""
        self._own_items = session.items
        self._begin([item.nodeid for item in session.items])

    def _begin(self, nodes: Sequence[str]) -> None:
        """Plan what pytest collected and did not deselect."""
        if self._recorder is not None and not self._recorder.begun:
            collected = [item for item in map(item_id, nodes) if item in self.plan.items]
            try:
                count = self._recorder.begin(collected)
                self._stages = Stages(self.plan, collected, self._recorder.items)
                done = [item for item in self._recorder.items if item.id in self.plan.items]
                self._progress = Progress(count, done, self._failure_shown) if self._front else None
                if self._progress is not None and self._stages.first:
                    self._progress.stage(FIRST, self._stages.first)
                if self._stages.between or not self._stages.later:
                    self._end_stage()
            except ResultsError as error:
                self._recorder = None
                raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object | None) -> None:
        """End the run where judging processes end again and again before they have started."""
        self._failed_starts += error is not None
        if self._failed_starts > MOST_FAILED_STARTS:
            pytest.exit(f"judging processes end while they start ({error})", returncode=EXIT_NOT_JUDGED)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record an item."""
        if self._recorder is None:
            return
        record = getattr(report, RECORD, None)
        if report.when == "call" and record is not None:
            self._add(record if isinstance(record, Item) else _item(record))
        elif report.failed:
            self._record_lost(item_id(report.nodeid), report.longreprtext)

    def _record_lost(self, item: str, message: str) -> None:
        """Record an item that has no record of its own."""
        if self._recorder is not None and item in self.plan.items:
            self._add(self._recorder.lost(item, message))

    def _add(self, record: Item) -> None:
        assert self._recorder is not None
        try:
            new = self._recorder.add(record)
            if new and self._progress is not None:
                self._progress.advance(record)
            if new and self._stages.add(record):
                self._end_stage()
        except ResultsError as error:
            pytest.exit(str(error), returncode=EXIT_NOT_JUDGED)

    def _end_stage(self) -> None:
        """Record what is not asked, and go on to the later stage, if there is one and it is asked.

        Raises:
            ResultsError: that cannot be written.
        """
        assert self._recorder is not None
        stages = self._stages
        later = not stages.later or stages.asks_later()
        for item in stages.not_asked(later):
            self._recorder.add(item)
        if not later:
            self._own_items[:] = [item for item in self._own_items if item_id(item.nodeid) not in self.plan.later]
        elif self._progress is not None and stages.later:
            self._progress.stage(LATER, stages.later, stages.passage())

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Keep pytest from printing letters where the front shows progress."""
        if self._front and (report.when == "call" or report.skipped):  # skipped where no item is left to judge
            return ("failed" if report.failed else "passed"), "", ""
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the results and let what only the whole run shows decide the exit status."""
        if self._progress is not None:
            self._progress.close()
        if self._forks is not None:
            self._forks.close()
        if self._recorder is not None:
            option = self._config.option
            stops = bool(option.maxfail or getattr(option, "stepwise", False))
            try:
                session.exitstatus = self._recorder.finish(int(session.exitstatus), stops)
            except ResultsError as error:
                sys.stderr.write(f"Error: {error}\n")
                session.exitstatus = EXIT_NOT_JUDGED
        self._cache.cleanup()

    @property
    def results(self) -> Results | None:
        """What was written; None where nothing was begun."""
        return self._recorder.results if self._recorder is not None else None

    def pytest_terminal_summary(self) -> None:
        """Print the summary of the run, made from the results file alone."""
        if self._recorder is not None:
            self._recorder.print_summary()
