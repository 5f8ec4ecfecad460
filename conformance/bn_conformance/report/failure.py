"""A failing item in words: what differs, where, by how much, what the clause says, and how to see it again."""

from __future__ import annotations

from bn_conformance.cases.model import Case
from bn_conformance.results.records import Item, Quantity
from bn_reference.specification.clauses import clauses


def explain(item: Item, case: Case, source: str = "") -> str:
    """The explanation of an item, several lines; `source` is the file of a case that is a regression."""
    lines = [f"{item.implementation} is {item.outcome} on {item.case}", f"  tests: {case.title}"]
    if item.message:
        lines.append(f"  {item.message}")
    bad = [quantity for quantity in item.quantities if quantity.outcome == item.outcome]
    for quantity in sorted(bad, key=lambda entry: -(entry.ratio or 0.0))[:3]:
        lines += _quantity(quantity)
    ids = dict.fromkeys(id_ for quantity in bad for id_ in quantity.clauses) or case.clauses
    lines += [f"  {id_} {clauses()[id_].requirement}: {clauses()[id_].text}" for id_ in list(ids)[:3]]
    lines.append(f"  reproduce: {item.reproduce}")
    lines.append(f"  the data, and code to paste: bnconform show '{source or item.case}'")
    return "\n".join(lines)


def _quantity(quantity: Quantity) -> list[str]:
    lines = [f"  {quantity.name}: {quantity.message}" if quantity.message else f"  {quantity.name}:"]
    if quantity.expected is not None and quantity.got is not None:
        lines.append(f"    at {list(quantity.index or ())}: expected {quantity.expected!r}, got {quantity.got!r}")
    if quantity.error is not None:
        ulp = "" if quantity.ulp is None else f", {quantity.ulp:.3g} ulp"
        lines.append(
            f"    error {quantity.error:.3g}{ulp}; allowed {quantity.bound:.3g}; error / allowed = {quantity.ratio:.3g}"
        )
    if quantity.judged < quantity.total:
        lines.append(
            f"    {quantity.total - quantity.judged} of {quantity.total} elements not judged: their bound is vacuous"
        )
    return lines


def one_line(item: Item) -> str:
    """The item in a line."""
    worst = next((quantity for quantity in item.quantities if quantity.outcome == item.outcome), None)
    what = f" ({worst.name}, ratio {worst.ratio:.3g})" if worst and worst.ratio is not None else ""
    return f"{item.implementation} {item.case}: {item.outcome}{what} {item.message}".rstrip()
