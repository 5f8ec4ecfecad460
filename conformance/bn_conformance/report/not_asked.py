"""What is said of cases that a check did not ask, since failures were found without them."""

from __future__ import annotations

from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted


def not_asked_line(results: Results) -> str:
    """How many cases were not asked, and why; nothing where all were."""
    count = sum(item.verdict == ItemVerdict.NOT_ASKED.value for item in results.items)
    if not count:
        return ""
    be, them = ("was", "it") if count == 1 else ("were", "them")
    why = f"failures were found without {them}; --thorough asks {them}"
    return f"More sizes and tours, {counted(count, 'case')}, {be} not asked: {why}."
