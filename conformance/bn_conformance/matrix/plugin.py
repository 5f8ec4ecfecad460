"""The matrix in pytest: items from the plan, run in this process or in xdist's, recorded by the controlling one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bn_conformance.catalogue.selection import SelectionError
from bn_conformance.matrix.plan import Options, Plan, blocks, make
from bn_conformance.matrix.recorder import Recorder
from bn_conformance.matrix.runner import Runner
from bn_conformance.matrix.scheduler import BlockScheduling, item_id
from bn_conformance.report.failure import explain
from bn_conformance.results.json_line import from_line, to_line
from bn_conformance.results.outcomes import Verdict
from bn_conformance.results.records import Item

PROPERTY = "bnconform-item"
PLAN_KEY = "bnconform-plan"


def options_of(config: pytest.Config) -> Options:
    """The matrix's options from pytest's."""
    return Options(
        implementations=tuple(config.getoption("--bn-implementation")),
        clauses=tuple(config.getoption("--bn-clause")),
        cases=tuple(config.getoption("--bn-case")),
        level=config.getoption("--bn-level"),
        profile=config.getoption("--bn-profile"),
        results=config.getoption("--bn-results"),
        device=config.getoption("--bn-device"),
        known_faults=tuple(config.getoption("--bn-known-faults")),
        timeout=config.getoption("--bn-timeout"),
        in_process=config.getoption("--bn-in-process"),
        regressions=tuple(config.getoption("--bn-regressions")),
    )


def _plan_of(config: pytest.Config) -> Plan:
    from bn_conformance.catalogue.regressions import RegressionError
    from bn_conformance.implementations.known_faults import KnownFaultsError
    from bn_conformance.implementations.registry import UnknownImplementation
    from bn_conformance.targets.naming import TargetError

    try:
        return make(options_of(config))
    except (SelectionError, UnknownImplementation, TargetError, KnownFaultsError, RegressionError) as error:
        raise pytest.UsageError(str(error)) from None


class MatrixPlugin:
    """Makes, runs and records the items of the matrix."""

    def __init__(self, config: pytest.Config) -> None:
        shipped = getattr(config, "workerinput", {}).get(PLAN_KEY)
        self._cache: TemporaryDirectory[str] | None = None
        if shipped is None:
            self._cache = TemporaryDirectory(prefix="bnconform-", ignore_cleanup_errors=True)
            self.plan = replace(_plan_of(config), cache=self._cache.name)
        else:
            self.plan = Plan.from_json(shipped)
        self.items = self.plan.items()
        self._front = bool(config.getoption("--bn-front"))
        self._runner: Runner | None = None
        self._last: Item | None = None
        self.recorder: Recorder | None = None
        if shipped is None:
            front = self._front and not config.option.collectonly
            self.recorder = None if config.option.collectonly else Recorder(self.plan, tuple(self.items), front)
        self._config = config

    # Every process: making and running items.

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item per implementation and case."""
        if "matrix_item" in metafunc.fixturenames:
            ids = list(self.items)
            metafunc.parametrize("matrix_item", ids, ids=ids)

    @pytest.fixture
    def judge_item(self) -> Callable[[str], None]:
        """Runs an item and fails or expects the failure as its verdict says."""
        return self._judge

    def _judge(self, item: str) -> None:
        self._runner = self._runner or Runner(self.plan)
        implementation, case = self.items[item]
        record = self._runner.run(implementation, case)
        self._last = record
        if record.verdict == Verdict.KNOWN.value:
            pytest.xfail(f"known fault: {record.known_fault}")
        if record.verdict == Verdict.FAIL.value:
            pytest.fail(record.message if self._front else explain(record, case, self.plan.source(case)), pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Attach the record to the report, which carries it to the controlling process."""
        self._last = None
        try:
            return (yield)
        finally:
            if self._last is not None:
                item.user_properties.append((PROPERTY, to_line(self._last)))

    # The controlling process: handing out and recording.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give xdist's processes the plan, so that all of them make the same items."""
        node.workerinput[PLAN_KEY] = self.plan.to_json()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> BlockScheduling:
        """Work by implementation and block of signatures."""
        processes = len(config.getoption("tx") or []) or 1
        return BlockScheduling(config, log, blocks(self.plan, processes))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record an item; one whose process died has no record of its own."""
        if self.recorder is None:
            return
        line = dict(report.user_properties).get(PROPERTY)
        if report.when == "call" and isinstance(line, str):
            record = from_line(line)
            assert isinstance(record, Item)
            self.recorder.add(record)
        elif report.failed:
            self.recorder.lost(item_id(report.nodeid), report.longreprtext)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """With the front's own progress pytest prints no letters."""
        if self._front and report.when == "call":
            return ("failed" if report.failed else "passed"), "", ""
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the results and let what only the whole run shows decide the exit status."""
        if self._runner is not None:
            self._runner.close()
        if self.recorder is not None:
            partial = bool(self._config.option.keyword or self._config.option.markexpr)
            session.exitstatus = self.recorder.finish(int(session.exitstatus), partial)
        if self._cache is not None:
            self._cache.cleanup()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The summary of the run, made from the results file alone."""
        if self.recorder is not None:
            self.recorder.print_summary()
