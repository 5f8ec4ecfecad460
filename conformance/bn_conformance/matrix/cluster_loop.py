"""pytest's loop over the items, where a cluster runs them: reports are made of the records that come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import pytest

from bn_conformance.matrix.cluster import Cluster, NodeDiffers
from bn_conformance.matrix.items import RECORD, properties
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.scheduler import item_id
from bn_conformance.report.failure import item_text
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED
from bn_conformance.results.json_line import from_line
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Environment, Item

_PHASES: tuple[Literal["setup", "call", "teardown"], ...] = ("setup", "call", "teardown")


def run_on_cluster(session: pytest.Session, cluster: Cluster, plan: Plan, environments: Iterable[Environment]) -> None:
    """Run the items of a session on a cluster, and report each as pytest does.

    Args:
        session: with the items that pytest collected.
        cluster: that judges them.
        plan: of the run.
        environments: of its implementations, with their fingerprints.
    """
    nodes = {item_id(node.nodeid): node for node in session.items}
    selected = plan.remaining([item for item in plan.to_judge if item in nodes])
    try:
        for found in cluster.judge(selected, environments):
            if isinstance(found, tuple):
                item, why = found
                _report(nodes[item], "failed", why)
            elif found is not None:
                record = from_line(found)
                assert isinstance(record, Item)
                _report_record(nodes[record.id], record, found, plan)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    except NodeDiffers as error:
        pytest.exit(str(error), returncode=EXIT_NOT_JUDGED)
    finally:
        cluster.close()


def _report_record(node: pytest.Item, record: Item, line: str, plan: Plan) -> None:
    more: dict[str, Any] = {RECORD: line, "duration": record.seconds + record.harness_seconds}
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
