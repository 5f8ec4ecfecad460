"""What a layer keeps of its latest forward for the gradients."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def recorded(latest: T | None) -> T:
    """The record of the latest forward.

    Raises:
        RuntimeError: there was no forward.
    """
    if latest is None:
        raise RuntimeError("backward needs a forward before it")
    return latest
