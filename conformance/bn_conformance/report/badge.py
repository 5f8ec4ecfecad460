"""The verdict on a run as a badge: for shields.io, as its endpoint JSON, or as an SVG of its own."""

from __future__ import annotations

from markupsafe import escape

from bn_conformance.report.summary import Summary, summarise
from bn_conformance.results.file import Results
from bn_conformance.text import counted

LABEL = "batch norm"

_COLOURS = {"ok": "#2e7d32", "warn": "#8a6d00", "known": "#6a4fa3", "fail": "#b3261e", "short": "#5f6368"}
_COLOURS["absent"] = _COLOURS["short"]
_CHARACTER, _MARGIN = 6.6, 10
"""Widths in pixels: of a character of the badge's font on average, and of the space beside a text."""


def badge_json(results: Results) -> dict[str, object]:
    """The badge as an endpoint of shields.io (schema version 1)."""
    summary = summarise(results)
    return {"schemaVersion": 1, "label": LABEL, "message": _message(summary), "color": _COLOURS[_state(summary)]}


def badge_svg(results: Results) -> str:
    """The badge as an SVG that needs no network."""
    summary = summarise(results)
    message, colour = _message(summary), _COLOURS[_state(summary)]
    left, right = (int(len(text) * _CHARACTER) + 2 * _MARGIN for text in (LABEL, message))
    title = escape(f"{LABEL}: {message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<rect width="{left}" height="20" fill="#444"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14">{escape(LABEL)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{escape(message)}</text></g></svg>\n'
    )


def _state(summary: Summary) -> str:
    return "fail" if summary.results.stale_faults or summary.results.end is None else summary.state


def _message(summary: Summary) -> str:
    """The verdict in a few words."""
    verdicts = summary.tally.verdicts
    if summary.results.end is None:
        return "the run did not end"
    if not summary.tally.judged:
        return "nothing judged"
    if failing := verdicts["fail"]:
        return f"{counted(failing, 'failure')}"
    if stale := len(summary.results.stale_faults):
        return counted(stale, "stale known fault")
    if summary.state == "short":
        return "too little judged"
    if known := verdicts["known-fault"]:
        return counted(known, "known fault")
    return "conforms"
