"""The HTML page of a comparison of two implementations, in the style of the report and as safe as that."""

from __future__ import annotations

from bn_conformance.diff.comparing import Diff
from bn_conformance.diff.rendering import CHECK_HEAD, FELT_HEAD, check_row, explanation, felt_rows, result
from bn_conformance.report.html import page


def render(diff: Diff) -> str:
    """The comparison as one HTML document that needs no network and has no script."""
    return page(
        "diff.html.j2",
        diff=diff,
        explanation=explanation(diff),
        felt_head=FELT_HEAD,
        felt_rows=felt_rows(diff),
        check_head=CHECK_HEAD,
        check_row=check_row,
        result=result,
    )
