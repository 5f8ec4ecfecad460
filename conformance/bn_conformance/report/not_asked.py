"""What is said of cases that a run did not ask."""

from __future__ import annotations

from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import NOT_ASKED_BECAUSE, ItemVerdict
from bn_conformance.text import counted


def not_asked_line(results: Results) -> str:
    """How many cases were not asked, and why; nothing where all were."""
    reasons = [item.message for item in results.items if item.verdict == ItemVerdict.NOT_ASKED.value]
    if not reasons:
        return ""
    be, them = ("was", "it") if len(reasons) == 1 else ("were", "them")
    sampled = "of each class of them some were"
    why = f"failures were found without {them}" if NOT_ASKED_BECAUSE in reasons else sampled
    return f"{counted(len(reasons), 'more case')} {be} not asked: {why}; --thorough asks {them}."
