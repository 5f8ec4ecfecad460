"""An explanation as an HTML page in the style of the report, and as a piece of HTML for a notebook."""

from __future__ import annotations

from bn_conformance.explain import tables
from bn_conformance.explain.explanation import ExplainedStep
from bn_conformance.report.html import page


def explanation_html(told: ExplainedStep) -> str:
    """The explanation as one HTML document that needs no network and has no script."""
    return page("explanation.html.j2", told=told, tables=tables)


def explanation_fragment(told: ExplainedStep) -> str:
    """The explanation as a piece of HTML, with no style of its own."""
    return page("explanation_fragment.html.j2", told=told, tables=tables)
