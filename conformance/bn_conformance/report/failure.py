"""A failing item in words: what is wrong, by how much, which clause says so, and what to run next.

The first lines are what a reader needs most: implementation, quantity, expected and got.
"""

from __future__ import annotations

import shlex

from bn_conformance.cases.model import Case
from bn_conformance.report.legend import explained, readable
from bn_conformance.report.quantity_text import error_and_allowed, expected_and_got, not_judged, place
from bn_conformance.results.records import Item, Quantity
from bn_reference.specification.clauses import clauses

MOST_QUANTITIES, MOST_CLAUSES = 3, 3


def item_text(item: Item, case: Case, source: str = "") -> str:
    """The explanation of an item, several lines; `source` is the file of a case that is a regression."""
    bad = [quantity for quantity in item.quantities if quantity.outcome == item.outcome]
    worst = sorted(bad, key=lambda quantity: -(quantity.ratio or 0.0))[:MOST_QUANTITIES]
    lines = [f"{item.implementation} is {readable(item.outcome)} on {item.case}"]
    for quantity in worst:
        lines += _quantity(quantity)
    if item.message and item.message not in (quantity.message for quantity in worst):
        lines.append(f"  {item.message}")
    lines += ["", f"  the case: {case.title}"]
    ids = dict.fromkeys(id_ for quantity in bad for id_ in quantity.clauses) or case.clauses
    for id_ in list(ids)[:MOST_CLAUSES]:
        lines.append(f"  clause {id_} ({clauses()[id_].requirement}): {clauses()[id_].text}")
    lines += [f"  {word}: {meaning}" for word, meaning in explained([item.outcome])]
    lines += ["", "  what to do next"]
    lines.append(f"    run it again: {item.reproduce}")
    lines.append(f"    see its data, with code to paste: bnconform show {shlex.quote(source or item.case)}")
    return "\n".join(lines)


def _quantity(quantity: Quantity) -> list[str]:
    said = [expected_and_got(quantity), quantity.message]
    lines = [f"  {place(quantity.name, quantity.index)}: {'; '.join(filter(None, said)) or readable(quantity.outcome)}"]
    ulp = "" if quantity.ulp is None else f"that is {quantity.ulp:.3g} units in the last place"
    return lines + [f"    {text}" for text in (error_and_allowed(quantity), ulp, not_judged(quantity)) if text]


def item_line(item: Item) -> str:
    """The item in a line: implementation, case, outcome and its worst quantity or its message."""
    worst = next((quantity for quantity in item.quantities if quantity.outcome == item.outcome), None)
    said = f": {place(worst.name)}, ratio {worst.ratio:.3g}" if worst and worst.ratio is not None else ""
    message = f": {item.message}" if item.message else ""
    return f"{item.implementation} {item.case} is {readable(item.outcome)}{said}{message}"
