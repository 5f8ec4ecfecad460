"""A judged quantity in words: which number, of which step, what was expected, what came, and what was allowed.

The terminal, the failure text of pytest and the reports use these sentences, so that they say the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite

from bn_conformance.results.records import Quantity
from bn_conformance.text import counted, element, exact_number, number

_STEP = re.compile(r"(step|trajectory)(\d+)$")


_PLURAL = ("statistics",)


def names(quantities: Sequence[str]) -> str:
    """Quantities with their verb: `y is`, `y, dx are`."""
    return f"{', '.join(quantities)} {'is' if len(quantities) == 1 and quantities[0] not in _PLURAL else 'are'}"


def place(name: str, index: tuple[int, ...] | None = None) -> str:
    """Where a quantity is: `running_var[7] in step 0` for the name `step0.running_var` and the index (7,).

    Steps count from 0, as `bnconform show CASE` lists them. A `trajectory` is judged from the start of the case; a
    `step` from the state that was observed before it.
    """
    origin, _, own = name.rpartition(".")
    what = f"{own}{element(index)}"
    step = _STEP.match(origin)
    if step:
        since = " (carried along from the start)" if step[1] == "trajectory" else ""
        return f"{what} in step {step[2]}{since}"
    if origin == "initial":
        return f"{what} before the first step"
    if origin == "set":
        return f"{what} after they were set"
    if origin.startswith("law."):
        return f"{what} under the law {origin.removeprefix('law.')}"
    return f"the law {what}" if origin == "law" else what


def expected_and_got(quantity: Quantity) -> str:
    """Both numbers at the worst element, in all digits; empty where the quantity has none."""
    if quantity.expected is None or quantity.got is None:
        return ""
    return f"expected {exact_number(quantity.expected)}, got {exact_number(quantity.got)}"


def error_and_allowed(quantity: Quantity) -> str:
    """The error beside what is allowed, and by how many times it is over; empty where there is no error."""
    if quantity.error is None:
        return ""
    if quantity.ends is not None:
        low, high = map(number, quantity.ends)
        where = f"gives {low}" if low == high else f"stays between {low} and {high}"
        return f"no error bound means anything there, but every sound algorithm {where}"
    if not isfinite(quantity.error):
        return f"the error is not finite; allowed is {number(quantity.bound)}"
    ratio = "" if quantity.ratio is None else f"{number(quantity.ratio, 3)} times "
    return f"the error {number(quantity.error)} is {ratio}the allowed error {number(quantity.bound)}"


def not_judged(quantity: Quantity) -> str:
    """How many elements no bound means anything for; empty where all were judged."""
    unjudged = quantity.total - quantity.judged
    if unjudged <= 0:
        return ""
    of = f"{unjudged:,} of {counted(quantity.total, 'element')} not judged: no error bound means anything for them"
    return f"{of}, only the range where they may lie" if quantity.ranged == unjudged else of
