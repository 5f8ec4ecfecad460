"""Which installed distributions a module comes from."""

from __future__ import annotations

import subprocess
import sys

from bn_conformance.identity.owners import owners

BOTH = """
from importlib.metadata import packages_distributions
from bn_conformance.identity.owners import owners
expected = {module: {*names} for module, names in packages_distributions().items()}
assert len(expected) > 10
assert {module: {*owners(module)} for module in expected} == expected
"""


def test_modules_have_the_owners_that_the_standard_library_finds() -> None:
    """Asked in a process of its own: ray adds a folder of distributions to the path of the process that imports it."""
    done = subprocess.run([sys.executable, "-c", BOTH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_module_that_nothing_installs_has_no_owner() -> None:
    assert owners("no_such_module_anywhere") == []
