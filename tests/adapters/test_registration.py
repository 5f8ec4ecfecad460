"""What a new adapter needs beside its module: what is missing is said as `make missing` says it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.measure.missing_of_adapters import of_defined, of_installing
from tests.support.adapter_checks.registered import GROUP, defined_adapters, modules, project

from bn_conformance.adapter import Adapter

ADAPTERS = dict(defined_adapters())


@pytest.fixture(params=ADAPTERS)
def target(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def adapter(target: str) -> type[Adapter]:
    return ADAPTERS[target]


def test_an_adapter_is_registered_under_its_name(target: str, adapter: type[Adapter]) -> None:
    assert list(of_defined({target: adapter}, project()["entry-points"][GROUP])) == []


def test_what_an_adapter_says_to_install_is_an_extra_of_the_default_matrix(adapter: type[Adapter]) -> None:
    assert list(of_installing([adapter], project()["optional-dependencies"])) == []


def test_an_adapter_has_a_test(target: str) -> None:
    module, _, name = target.partition(":")
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert any(module in text and name in text for text in tests), f"add a test of {name} to tests/adapters"


def test_importing_the_adapters_imports_no_framework() -> None:
    frameworks = {library for adapter in ADAPTERS.values() for library in adapter.requires} - {"numpy"}
    code = f"import sys, {', '.join(modules())}; print(*sorted({frameworks} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
