"""Which installed distributions a module comes from."""

from __future__ import annotations

from importlib.metadata import packages_distributions

from bn_conformance.identity.owners import owners


def test_modules_have_the_owners_that_the_standard_library_finds() -> None:
    expected = {module: {*names} for module, names in packages_distributions().items()}
    assert {module: {*owners(module)} for module in expected} == expected


def test_a_module_that_nothing_installs_has_no_owner() -> None:
    assert owners("no_such_module_anywhere") == []
