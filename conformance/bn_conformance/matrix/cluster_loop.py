"""pytest's loop over the items, where a cluster runs them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bn_conformance.matrix.cluster import Cluster, NodeDiffers
from bn_conformance.matrix.node_ids import item_id
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.reports import report_findings
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED
from bn_conformance.results.records import Environment


def run_on_cluster(session: pytest.Session, cluster: Cluster, plan: Plan, environments: Iterable[Environment]) -> None:
    """Run the items of a session on a cluster, and report each as pytest does.

    Args:
        session: with the items that pytest collected.
        cluster: that judges them.
        plan: of the run.
        environments: of its implementations, with their fingerprints.
    """
    collected = {item_id(node.nodeid) for node in session.items}
    selected = plan.remaining([item for item in plan.to_judge if item in collected])
    try:
        report_findings(session, cluster.judge(selected, environments), plan)
    except NodeDiffers as error:
        pytest.exit(str(error), returncode=EXIT_NOT_JUDGED)
    finally:
        cluster.close()
