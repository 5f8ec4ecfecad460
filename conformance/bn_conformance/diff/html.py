"""The HTML page of a comparison of two sides, in the style of the report and as safe as that."""

from __future__ import annotations

from bn_conformance.diff import tables
from bn_conformance.diff.difference import Diff
from bn_conformance.report.html import page


def diff_html(diff: Diff) -> str:
    """The comparison as one HTML document that needs no network and has no script."""
    return page("diff.html.j2", diff=diff, tables=tables)
