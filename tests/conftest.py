"""Which tests need a framework, and how `--variants` thins out tests of many variants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parent / "adapters"
NEED_NONE = {"test_textbook.py"}
"""Modules of `tests/adapters` that run without any framework; all others of that folder are marked `framework`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--variants",
        type=int,
        metavar="N",
        help="run at most N variants of each parametrised test, evenly spread over all of them",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark before pytest selects by `-m` and `-k`, and thin out what it has selected."""
    for item in items:
        if item.path.is_relative_to(ADAPTERS) and item.path.name not in NEED_NONE:
            item.add_marker("framework")
    yield
    most: int | None = config.getoption("--variants")
    if most is None:
        return
    variants: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        variants[item.nodeid.partition("[")[0]].append(item)
    kept = {item for of_one_test in variants.values() for item in spread(of_one_test, most)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def spread(items: Sequence[pytest.Item], most: int) -> list[pytest.Item]:
    """At most so many items, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[place * len(items) // most] for place in range(most)]
