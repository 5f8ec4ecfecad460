"""A verdict as HTML for a notebook. Every text of it is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from bn_conformance import text
from bnconform.text import COLUMNS, MOST_PROBLEMS, SECTIONS, Told, counts_of, numbers_of, said, shown


def as_html(verdict: Told) -> str:
    """The verdict as a piece of HTML, with no script and nothing from elsewhere."""
    sections = [(title, sign, verdict.summary.problems(wanted)) for wanted, title, sign in SECTIONS]
    return _template().render(
        verdict=verdict,
        sections=sections,
        families=shown(verdict.coverage),
        columns=COLUMNS,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("bnconform"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_displayed,
    )
    environment.filters.update(said=said, numbers_of=numbers_of, counts_of=counts_of)
    environment.globals.update(MOST=MOST_PROBLEMS)
    return environment.get_template("verdict.html.j2")


def _displayed(value: Any) -> Any:
    """What an expression of the template shows: text with its control characters made visible."""
    return text.printable(value) if type(value) is str else value
