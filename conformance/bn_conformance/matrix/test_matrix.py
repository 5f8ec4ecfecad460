"""One item per implementation and case; `bn_conformance.matrix.items` makes the items and runs them."""

from __future__ import annotations

from collections.abc import Callable


def test_case(matrix_item: str, judge_item: Callable[[str], None]) -> None:
    """The implementation conforms on the case."""
    judge_item(matrix_item)
