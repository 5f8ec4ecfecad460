"""The adapters of Keras, each in a process of its own, since Keras keeps one backend for a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.adapter_checks.keras import ADAPTERS, checks

from bn_adapters.keras_layers import KerasAdapter
from bn_conformance.implementations.implementation import filled_in


@pytest.fixture(scope="module")
def outcomes() -> Callable[[str], dict[str, str | None]]:
    """By backend, the outcome of each check, from one process for each backend."""
    known: dict[str, dict[str, str | None]] = {}

    def of(backend: str) -> dict[str, str | None]:
        adapter: type[KerasAdapter] = ADAPTERS[backend]
        if backend not in known:
            environment = os.environ | filled_in(adapter.environment, "cpu") | {"PYTHONPATH": os.pathsep.join(sys.path)}
            done = subprocess.run(
                [sys.executable, "-m", "tests.support.adapter_checks.keras", backend],
                cwd=Path(__file__).parents[2],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            known[backend] = json.loads(done.stdout.splitlines()[-1])
        return known[backend]

    return of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "name"),
    [pytest.param(b, name, id=f"{ADAPTERS[b].name}-{name}") for b in ADAPTERS for name in checks(b)],
)
def test_keras(backend: str, name: str, outcomes: Callable[[str], dict[str, str | None]]) -> None:
    assert outcomes(backend)[name] is None, outcomes(backend)[name]
