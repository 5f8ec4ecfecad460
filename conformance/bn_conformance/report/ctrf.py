"""Results in the Common Test Report Format (https://ctrf.io), which dashboards of several CI systems read."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from bn_conformance.report.summary import summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item

STATUS = {
    ItemVerdict.PASS.value: "passed",
    ItemVerdict.REFUSED.value: "other",
    ItemVerdict.WARN.value: "passed",
    ItemVerdict.FAIL.value: "failed",
    ItemVerdict.KNOWN.value: "other",
    ItemVerdict.NOT_JUDGED.value: "other",
    ItemVerdict.UNSUPPORTED.value: "skipped",
    ItemVerdict.NOT_ASKED.value: "skipped",
}
"""The status of each verdict. A known fault, a refusal and what was not judged are `other`: no pass, and no failure."""


STATUSES = ("passed", "failed", "pending", "skipped", "other")
"""All that CTRF has."""


def ctrf(results: Results) -> dict[str, Any]:
    """The results as a CTRF document. Times are in milliseconds, as CTRF has them."""
    summary = summarise(results)
    tests = [_test(entry.item) for one in summary.implementations for entry in one.entries]
    start = int(datetime.fromisoformat(results.header.created).timestamp() * 1000)
    seconds = results.end.seconds if results.end is not None else 0.0
    numbers = Counter(test["status"] for test in tests)
    return {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "results": {
            "tool": {"name": "bnconform", "version": results.header.suite},
            "summary": {
                "tests": len(tests),
                **{status: numbers[status] for status in STATUSES},
                "start": start,
                "stop": start + int(seconds * 1000),
            },
            "tests": tests,
        },
    }


def _test(item: Item) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": item.id,
        "status": STATUS[item.verdict],
        "duration": int((item.seconds + item.harness_seconds) * 1000),
        "rawStatus": item.outcome,
    }
    message = item.known_fault or item.message
    if message:
        test["message"] = message
    if item.reproduce and item.verdict == ItemVerdict.FAIL.value:
        test["extra"] = {"reproduce": item.reproduce}
    return test
