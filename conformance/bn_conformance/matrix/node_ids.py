"""What stands in pytest's ids of the items of the matrix."""

from __future__ import annotations

_GATE = "between the stages::"


def gates(count: int) -> list[str]:
    """Ids of the items at which that many processes wait for the later stage. They judge nothing."""
    return [f"{_GATE}{number}" for number in range(count)]


def is_gate(nodeid: str) -> bool:
    """Whether a pytest node id is that of a gate."""
    return item_id(nodeid).startswith(_GATE)


def item_id(nodeid: str) -> str:
    """The id `implementation::case` in a pytest node id `path::test_case[implementation::case]`."""
    return nodeid.partition("::test_case[")[2].removesuffix("]")
