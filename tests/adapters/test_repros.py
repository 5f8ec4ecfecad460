"""For every known fault: `bnconform repro` writes a script, and the script shows the fault in the framework alone."""

from __future__ import annotations

from collections.abc import Iterator

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


PROCESSES = {str(implementation_of(item).process_key): implementation_of(item).environment for item in EXAMPLES}


@pytest.fixture(scope="module")
def process(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Call a function where the framework of an implementation starts with its environment."""
    with process_with(PROCESSES[request.param]) as call:
        yield call


@pytest.mark.parametrize(
    ("process", "item"),
    [(str(implementation_of(item).process_key), item) for item in EXAMPLES],
    ids=EXAMPLES,
    indirect=["process"],
)
def test_a_script_shows_the_fault(process: Call, item: str) -> None:
    assert process(shown, item) == ""
