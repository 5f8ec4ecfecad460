"""For every known fault: `bnconform repro` writes a script, and the script shows the fault in the framework alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.own_process import Call, process_with
from tests.support.repros import Entry, entries, shown

from bn_conformance.implementations.known_faults import shipped

pytestmark = [pytest.mark.framework, pytest.mark.slow]

ENTRIES = {entry.id: entry for entry in entries()}
PROCESSES = {str(entry.implementation.process_key): entry.implementation for entry in ENTRIES.values()}


@pytest.fixture(scope="module")
def process(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Call a function where the framework of an implementation starts with its environment."""
    with process_with(PROCESSES[request.param].environment) as call:
        yield call


@pytest.mark.parametrize(
    ("process", "entry"),
    [(str(entry.implementation.process_key), entry) for entry in ENTRIES.values()],
    ids=ENTRIES,
    indirect=["process"],
)
def test_a_script_shows_the_fault(process: Call, entry: Entry) -> None:
    assert process(shown, entry.implementation.name, entry.cases) == ""


def test_every_entry_but_those_of_large_cases_is_shown() -> None:
    # What a large case shows takes a minute; `python -m tests.measure.large_repros` runs these.
    shown_lines = {entry.fault.line for entry in [*ENTRIES.values(), *entries(large=True)]}
    assert [fault.title for fault in shipped() if fault.line not in shown_lines] == []
