"""What is said of cases that are newer than the set of cases that a run holds to."""

from __future__ import annotations

from collections.abc import Collection

from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted


def newly_judged(newer: Collection[str], results: Results) -> str:
    """What is said of cases that came after the set of cases that the run holds to."""
    warned = [item.id for item in results.items if item.case in newer and item.verdict == ItemVerdict.WARN.value]
    what = f"; {counted(len(warned), 'item')} of them warn, such as {warned[0]}" if warned else ""
    are = "is" if len(newer) == 1 else "are"
    held = results.header.options.get("case_set", "")
    return f"{counted(len(newer), 'case')} {are} newer than the set {held}, newly judged, and fail nobody{what}."
