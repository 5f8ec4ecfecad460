"""For every known fault: `bnconform repro` writes a script, and the script shows the fault in the framework alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.support.own_process import Call, process_with
from tests.support.repros import shown

from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import shipped
from bn_conformance.implementations.registry import registered
from bn_conformance.results.records import split_id

pytestmark = [pytest.mark.framework, pytest.mark.slow]

# What a large case shows takes a minute: `python -m tests.measure.large_repros` runs these.
EXAMPLES = dict.fromkeys(fault.example for fault in shipped() if "/large-" not in fault.example)
KNOWN = registered()


def implementation_of(item: str) -> Implementation:
    return KNOWN[split_id(item)[0]]


ENVIRONMENTS = {str(implementation_of(item).process_key): implementation_of(item).environment for item in EXAMPLES}
KEYS = {item: str(implementation_of(item).process_key) for item in EXAMPLES}
"""The process of each item, by the key of its environment."""


@pytest.fixture(scope="module")
def process_of_key() -> Iterator[Callable[[str], Call]]:
    """Give the process of a key, whose framework starts with its environment; the one of another key is ended."""
    with ExitStack() as stack:
        running: dict[str, Call] = {}

        def process(key: str) -> Call:
            if key not in running:
                stack.close()
                running.clear()
                running[key] = stack.enter_context(process_with(ENVIRONMENTS[key]))
            return running[key]

        yield process


BY_PROCESS = [item for key in ENVIRONMENTS for item in EXAMPLES if KEYS[item] == key]


@pytest.mark.parametrize("item", BY_PROCESS)
def test_a_script_shows_the_fault(process_of_key: Callable[[str], Call], item: str) -> None:
    assert process_of_key(KEYS[item])(shown, item) == ""
