"""The items of the matrix in pytest: one for each implementation and case, made and run in every process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType

import pytest

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import Implementation
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
"""The attribute of a pytest report that holds the record of its item, as a line of JSON."""


class Items:
    """A pytest plugin that makes the items of a plan and runs them.

    Args:
        plan: of the run.
        judged: items that were judged before, by id; their records are taken as they are.
        gates: ids of items that judge nothing: a process of a run in stages waits at one for the later stage.
    """

    def __init__(
        self, plan: Plan, judged: Mapping[str, Item] = MappingProxyType({}), gates: Sequence[str] = ()
    ) -> None:
        self._plan, self._judged, self._gates = plan, judged, gates
        self._items = plan.to_judge
        self._runner: Runner | None = None
        self._record: Item | None = None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item per implementation and case."""
        if "matrix_item" in metafunc.fixturenames:
            ids = [*self._items, *self._gates]
            metafunc.parametrize("matrix_item", ids, ids=ids)

    @pytest.fixture
    def judge_item(self) -> Callable[[str], None]:
        """Runs an item and fails or expects the failure as its verdict says."""
        return self._judge

    def _judge(self, item_id: str) -> None:
        if item_id in self._gates:
            return
        implementation, case = self._items[item_id]
        record = self._record = self._judged.get(item_id) or self._run(implementation, case)
        if record.verdict == ItemVerdict.KNOWN.value:
            pytest.xfail(f"known fault: {record.known_fault}")
        if record.verdict == ItemVerdict.FAIL.value:
            pytest.fail(item_text(record, case, self._plan.source(case)), pytrace=False)
        if record.verdict in (ItemVerdict.REFUSED, *SILENT):
            pytest.skip(f"{record.outcome}: {record.message}")  # no pass in pytest's counts and JUnit files either

    def _run(self, implementation: Implementation, case: Case) -> Item:
        self._runner = self._runner or Runner(self._plan)
        return self._runner.run(implementation, case)

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
