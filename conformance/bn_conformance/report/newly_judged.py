"""What is said of cases that are newer than the set of cases that a run holds to."""

from __future__ import annotations

from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted


def newly_judged(results: Results) -> str:
    """What is said of cases that came after the set of cases that the run holds to; nothing where there are none."""
    newer = {case.id for case in results.header.cases if case.newer}
    if not newer:
        return ""
    warned = [item.id for item in results.items if item.case in newer and item.verdict == ItemVerdict.WARN.value]
    warn = "warns" if len(warned) == 1 else "warn"
    what = f"; {counted(len(warned), 'item')} {warn}, such as {warned[0]}" if warned else ""
    are, fail = ("is", "fails") if len(newer) == 1 else ("are", "fail")
    held = results.header.options.get("case_set", "")
    return f"{counted(len(newer), 'case')} {are} newer than the set {held}, newly judged, and {fail} nobody{what}."
