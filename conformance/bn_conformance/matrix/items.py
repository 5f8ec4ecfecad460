"""The items of the matrix in pytest: one for each implementation and case, made and run in every process."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.report.failure import explain
from bn_conformance.results.json_line import to_line
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item

PROPERTY = "bnconform-item"
"""The user property of a pytest report that holds the record of its item, as a line of JSON."""


class Items:
    """A pytest plugin that makes the items of a plan and runs them.

    Args:
        plan: of the run.
        brief: whether a failure is said in a line, because a summary follows.
    """

    def __init__(self, plan: Plan, brief: bool) -> None:
        self._plan, self._brief = plan, brief
        self._items = plan.items
        self._runner: Runner | None = None
        self._record: Item | None = None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item per implementation and case."""
        if "matrix_item" in metafunc.fixturenames:
            ids = list(self._items)
            metafunc.parametrize("matrix_item", ids, ids=ids)

    @pytest.fixture
    def judge_item(self) -> Callable[[str], None]:
        """Runs an item and fails or expects the failure as its verdict says."""
        return self._judge

    def _judge(self, item_id: str) -> None:
        self._runner = self._runner or Runner(self._plan)
        implementation, case = self._items[item_id]
        record = self._record = self._runner.run(implementation, case)
        if record.verdict == ItemVerdict.KNOWN.value:
            pytest.xfail(f"known fault: {record.known_fault}")
        if record.verdict == ItemVerdict.FAIL.value:
            text = record.message if self._brief else explain(record, case, self._plan.source(case))
            pytest.fail(text, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Attach the record to the report, which carries it to the controlling process."""
        self._record = None
        try:
            return (yield)
        finally:
            if self._record is not None:
                item.user_properties.append((PROPERTY, to_line(self._record)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End the process in which layers run."""
        if self._runner is not None:
            self._runner.close()
