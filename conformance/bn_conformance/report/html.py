"""The HTML report: one self-contained file that needs no network and shows nothing but what the results file holds.

All text of results goes through Jinja's escaping, after `printable` has made control characters visible; no template
marks data as safe. A Content-Security-Policy in the page forbids everything but the page's own style and script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bn_conformance import text
from bn_conformance.conventions.effects import METHOD
from bn_conformance.report import legend, quantity_text
from bn_conformance.report.agreement import agreement_of
from bn_conformance.report.breakdown import breakdowns
from bn_conformance.report.convention_table import convention_table
from bn_conformance.report.embedded import embedded, plain_lines
from bn_conformance.report.entries import DEPTHS
from bn_conformance.report.glossary import WORD_ANCHORS, WORDS, anchor_of_outcome
from bn_conformance.report.left_out import left_out_lines
from bn_conformance.report.level_bar import LEVEL_WIDTH, level_bar
from bn_conformance.report.line_plot import line_plots
from bn_conformance.report.strip_plot import STRIP_WIDTH, axis_of, by_dtype, strip, worst_ratio
from bn_conformance.report.summary import Summary, summarise
from bn_conformance.results.file import Results

MOST_REASONS_SHOWN = 3
"""Reasons why cases were not judged that are shown of an implementation before one asks for more."""


@dataclass(frozen=True)
class Anchors:
    """The anchor of each thing that can be linked to."""

    implementations: dict[str, str]
    families: dict[str, str]
    cases: dict[str, str]
    clauses: dict[str, str]
    linked: set[str] = field(default_factory=set)
    """Cases that a link has led to so far: only these need a target that works without the script."""

    @classmethod
    def of(cls, summary: Summary) -> Anchors:
        """Anchors of everything in a summary."""
        return cls(
            text.slugs("i", (implementation.name for implementation in summary.implementations)),
            text.slugs("f", summary.families),
            text.slugs("c", summary.cases),
            text.slugs("s", summary.clauses),
        )

    def link_to_case(self, case: str) -> str:
        """The anchor of a case, for a link."""
        self.linked.add(case)
        return self.cases[case]

    def cell(self, implementation: str, family: str) -> str:
        """Anchor of a family within the part of an implementation; no other anchor has a dot."""
        return f"{self.implementations[implementation]}.{self.families[family]}"


def _breakable(name: str) -> Markup:
    """A name or id, escaped, with places between its parts where a line may break."""
    return Markup("<wbr>").join(re.split(r"(?<=[./])|(?=\[)", text.printable(name)))


def _displayed(value: Any) -> Any:
    """What an expression of a template shows: text without characters that disturb, as anything else is."""
    return text.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bn_conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_displayed,
    )
    environment.filters.update(
        number=text.number,
        exact_number=text.exact_number,
        element=text.element,
        plain=text.plain,
        one_line=text.one_line,
        counted=text.counted,
        percent=text.percent,
        printable=text.printable,
        readable=legend.readable,
        breakable=_breakable,
        expected_and_got=quantity_text.expected_and_got,
        error_and_allowed=quantity_text.error_and_allowed,
    )
    environment.globals.update(
        SIGNS=legend.SIGNS,
        CELL_MEANING=legend.CELL_MEANING,
        VERDICT_COUNTS=legend.VERDICT_COUNTS,
        WORDS=WORDS,
        WORD_ANCHORS=WORD_ANCHORS,
        family_title=legend.family_title,
        METHOD=METHOD,
        STRIP_WIDTH=STRIP_WIDTH,
        LEVEL_WIDTH=LEVEL_WIDTH,
        OUTCOME_KINDS=legend.RUN_KINDS,
        strip=strip,
        level_bar=level_bar,
        anchor_of_outcome=anchor_of_outcome,
        by_dtype=by_dtype,
        DEPTHS=DEPTHS,
        percent=text.percent,
        place=quantity_text.place,
        plain_lines=plain_lines,
        left_out_lines=left_out_lines,
        MOST_REASONS_SHOWN=MOST_REASONS_SHOWN,
    )
    return environment


def _asset(name: str) -> Markup:
    """A style sheet or script of this package, which holds no data and is put into the page as it is."""
    return Markup(files("bn_conformance.report").joinpath("templates", name).read_text(encoding="utf-8"))


def render_html(results: Results, baseline: str | None = None) -> str:
    """The report as an HTML document.

    Args:
        results: what a run wrote.
        baseline: implementation that the conventions of the others are set beside; torch.nn by default.

    Raises:
        ResultsError: there is no such baseline.
    """
    summary = summarise(results)
    anchors = Anchors.of(summary)
    script = _asset("sides.js") + _asset("report.js")
    conventions = convention_table(summary, baseline)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    ratios = (worst_ratio(entry) for entries in summary.cases.values() for entry in entries.values())
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            summary=summary,
            header=results.header,
            results=results,
            conventions=conventions,
            anchors=anchors,
            data=embedded(summary, anchors.cases, conventions.pair),
            axis=axis_of(ratio for ratio in ratios if ratio is not None),
            agreement=agreement_of(summary),
            breakdowns=breakdowns(summary),
            plots=line_plots(summary),
            style=_asset("report.css"),
            script=script,
            digest=digest,
        )
    )


def page(template: str, **values: Any) -> str:
    """A page of another template of this package, with the report's filters and style and without a script."""
    return _environment().get_template(template).render(style=_asset("report.css"), **values)
