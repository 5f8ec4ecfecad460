"""The changes between two runs as an HTML page, in the style of the report and as safe as that."""

from __future__ import annotations

from bn_conformance.report.change_groups import change_parts, notes, verdict
from bn_conformance.report.changes import Changes
from bn_conformance.report.html import page


def changes_html(changes: Changes) -> str:
    """The comparison as one HTML document that needs no network and has no script."""
    return page("changes.html.j2", verdict=verdict(changes), notes=notes(changes), parts=change_parts(changes))
