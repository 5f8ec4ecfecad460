"""The items of the matrix in pytest: one for each implementation and case, made and run in every process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType

import pytest

from bn_conformance.cases.model import Case
from bn_conformance.matrix.node_ids import item_id
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.report.entries import badness
from bn_conformance.report.failure import item_text
from bn_conformance.results.json_line import to_line
from bn_conformance.results.outcomes import SILENT, ItemVerdict
from bn_conformance.results.records import Item

LOST = "the process that judged it ended"
"""How the message begins of an item that ended its judging process every time."""

RECORD = "bnconform_item"
"""The attribute of a pytest report that holds the record of its item: itself, or a line of JSON, which can be sent."""

_ENDING = (KeyboardInterrupt, pytest.exit.Exception)
"""What ends a run, and is no error of an item."""


class Items:
    """A pytest plugin that makes the items of a plan and runs them.

    Args:
        plan: of the run.
        judged: items that were judged before, by id; their records are taken as they are.
        gates: ids of items that judge nothing: a process of a run in stages waits at one for the later stage.
        alone: whether nothing but the matrix reads pytest's reports, so that an item has one, which holds its record.
    """

    def __init__(
        self,
        plan: Plan,
        judged: Mapping[str, Item] = MappingProxyType({}),
        gates: Sequence[str] = (),
        *,
        alone: bool = False,
    ) -> None:
        self._plan, self._judged, self._gates, self._alone = plan, judged, gates, alone
        self._items = plan.to_judge
        self._runner: Runner | None = None
        self._record: Item | None = None
        self._following = ""
        """The id of the item that comes next; empty where none is begun before its turn."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item per implementation and case."""
        if "matrix_item" in metafunc.fixturenames:
            ids = [*self._items, *self._gates]
            metafunc.parametrize("matrix_item", ids, ids=ids)

    @pytest.fixture
    def judge_item(self) -> Callable[[str], None]:
        """Runs an item and fails or expects the failure as its verdict says."""
        return self._judge

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Judge an item without set-up, teardown and their reports, where nobody reads these: they take a millisecond.

        Of an error of the suite itself pytest makes the report.
        """
        self._following = item_id(nextitem.nodeid) if nextitem is not None and self._is_alone(item) else ""
        if not self._alone:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # none is shown at the end
            call = pytest.CallInfo.from_call(lambda: self._record_of(item_id(item.nodeid)), "call", reraise=_ENDING)
        if call.excinfo is not None:
            report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        else:
            record = call.result
            failed = record is not None and record.verdict == ItemVerdict.FAIL.value
            report = pytest.TestReport(item.nodeid, item.location, {}, "failed" if failed else "passed", None, "call")
            if record is not None:
                setattr(report, RECORD, record if self._is_alone(item) else to_line(record))
        item.ihook.pytest_runtest_logreport(report=report)
        return True

    @staticmethod
    def _is_alone(item: pytest.Item) -> bool:
        """Whether no other process judges. What ends one of several is the item that it runs: it runs no other."""
        return not hasattr(item.config, "workerinput")

    def _judge(self, item_id: str) -> None:
        record = self._record = self._record_of(item_id)
        if record is None:
            return
        _, case = self._items[item_id]
        if record.verdict == ItemVerdict.KNOWN.value:
            pytest.xfail(f"known fault: {record.known_fault}")
        if record.verdict == ItemVerdict.FAIL.value:
            pytest.fail(item_text(record, case, self._plan.source(case)), pytrace=False)
        if record.verdict in (ItemVerdict.REFUSED, *SILENT):
            pytest.skip(f"{record.outcome}: {record.message}")  # no pass in pytest's counts and JUnit files either

    def _record_of(self, item_id: str) -> Item | None:
        """The record of an item, which is judged now unless it was before; None for a gate."""
        if item_id in self._gates:
            return None
        if item_id in self._judged:
            return self._judged[item_id]
        self._runner = self._runner or Runner(self._plan)
        return self._runner.run(*self._items[item_id], self._case_after(item_id))

    def _case_after(self, item_id: str) -> Case | None:
        """The case that comes next, if it is certain to be judged on the same implementation; else None."""
        later, following = self._plan.later, self._items.get(self._following)
        if following is None or self._following in self._judged or (item_id in later) != (self._following in later):
            return None
        implementation, case = following
        return case if implementation is self._items[item_id][0] else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the record to the report, which carries it to the controlling process, and what JUnit files show."""
        record = self._record if call.when == "call" else None
        if record is not None:
            self._record = None
            item.user_properties += properties(record)
        report = yield
        if record is not None:
            setattr(report, RECORD, to_line(record))
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End the process in which layers run."""
        if self._runner is not None:
            self._runner.close()


def properties(record: Item) -> list[tuple[str, object]]:
    """What a JUnit file says of an item beside its failure: names and values."""
    worst = max(record.quantities, key=badness, default=None)
    shown: dict[str, object] = {"implementation": record.implementation, "case": record.case, "level": record.outcome}
    shown["verdict"] = record.verdict
    if worst is not None:
        shown |= {"quantity": worst.name, "clauses": ", ".join(worst.clauses)}
        shown |= {} if worst.ratio is None else {"ratio": f"{worst.ratio:.3g}"}
    if record.known_fault:
        shown["known-fault"] = record.known_fault
    return [*shown.items(), ("reproduce", record.reproduce)]
