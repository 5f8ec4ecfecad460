"""Known faults of a registered implementation, and code that calls the same kernel."""

from __future__ import annotations

from dataclasses import replace

from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault


def test_a_fault_of_what_an_implementation_inherits_is_its_own() -> None:
    mine = Implementation(name="mine.Norm", target="mine.py:Norm", versions={"torch": "2.13.0"})
    fault = KnownFault(implementation="torch.nn", case="*", versions={"torch": ">=2.13"}, reason="its kernel")
    assert not fault.applies_to(mine)
    assert fault.applies_to(replace(mine, inherits=("torch.nn",)))
    assert not fault.applies_to(replace(mine, inherits=("torch.nn",), versions={}))


def test_what_is_inherited_crosses_to_other_processes() -> None:
    mine = Implementation(name="mine.Norm", target="mine.py:Norm", inherits=("torch.nn",))
    assert Implementation.from_json(mine.to_json()) == mine
