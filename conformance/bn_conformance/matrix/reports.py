"""Reports of items that pytest did not run itself: made of the records that come back from who judged them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import pytest

from bn_conformance.matrix.items import RECORD, properties
from bn_conformance.matrix.node_ids import item_id
from bn_conformance.matrix.plan import Plan
from bn_conformance.report.failure import item_text
from bn_conformance.results.json_line import from_line
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item

Finding = Item | str | tuple[str, str]
"""What is known of an item: its record, be it as a line of JSON, or its id with why it is lost."""

_PHASES: tuple[Literal["setup", "call", "teardown"], ...] = ("setup", "call", "teardown")


def report_findings(
    session: pytest.Session, findings: Iterable[Finding | None], plan: Plan, *, alone: bool = False
) -> None:
    """Report items as pytest does, as it becomes known what they gave.

    Args:
        session: with the items that pytest collected.
        findings: None, where nothing came, lets the run end where it was asked to.
        plan: of the run.
        alone: whether nothing but the matrix reads the reports, so that a record has one, which holds it.
    """
    nodes = {item_id(node.nodeid): node for node in session.items}
    for found in findings:
        if isinstance(found, tuple):
            item, why = found
            _report(nodes[item], "failed", why)
        elif found is not None:
            record = found if isinstance(found, Item) else from_line(found)
            assert isinstance(record, Item)
            if alone:
                _report_alone(nodes[record.id], record)
            else:
                _report_record(nodes[record.id], record, plan)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)


def _report_alone(node: pytest.Item, record: Item) -> None:
    outcome: Literal["failed", "passed"] = "failed" if record.verdict == ItemVerdict.FAIL.value else "passed"
    report = pytest.TestReport(node.nodeid, node.location, {}, outcome, None, "call")
    setattr(report, RECORD, record)
    node.ihook.pytest_runtest_logreport(report=report)


def _report_record(node: pytest.Item, record: Item, plan: Plan) -> None:
    more: dict[str, Any] = {RECORD: record, "duration": record.seconds + record.harness_seconds}
    more["user_properties"] = properties(record)
    if record.verdict == ItemVerdict.FAIL.value:
        case = plan.items[record.id][1]
        _report(node, "failed", item_text(record, case, plan.source(case)), **more)
    elif record.verdict == ItemVerdict.KNOWN.value:
        _report(node, "skipped", "", wasxfail=f"known fault: {record.known_fault}", **more)
    else:
        _report(node, "passed", None, **more)


def _report(node: pytest.Item, outcome: Any, text: str | None, **more: Any) -> None:
    """Report an item as pytest reports one that it ran itself: its set-up, the call, and what follows."""
    node.ihook.pytest_runtest_logstart(nodeid=node.nodeid, location=node.location)
    keywords: dict[str, Literal[1]] = dict.fromkeys(node.keywords, 1)
    for when in _PHASES:
        call = when == "call"
        report = pytest.TestReport(
            node.nodeid,
            node.location,
            keywords,
            outcome if call else "passed",
            text if call else None,
            when,
            **(more if call else {}),
        )
        node.ihook.pytest_runtest_logreport(report=report)
    node.ihook.pytest_runtest_logfinish(nodeid=node.nodeid, location=node.location)
