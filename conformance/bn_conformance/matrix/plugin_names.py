"""Names under which the parts of the matrix find each other in pytest."""

from __future__ import annotations

CONTROL, ITEMS = "bnconform-control", "bnconform-items"
"""The plugin of the controlling process, and the one that makes and runs the items."""

PLAN_KEY = "bnconform-plan"
"""Where xdist's processes find the plan among their input."""

JUDGED_KEY = "bnconform-judged"
"""Where they find the records of the items that were judged before, a line each."""

PARENT_KEY = "bnconform-parent"
"""Where they find the number of the process that started them."""
