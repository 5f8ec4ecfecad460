"""What a layer does to the process that it runs in changes no result, of itself or of who comes after it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support import hostile_process
from tests.support.good_numpy import EVERYTHING
from tests.support.hostile_process import Unruly

from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.process import END_LIMIT
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.options import RunOptions
from bn_conformance.results.records import Item

ROOT = Path(__file__).parents[3]
CASES = (
    "grad/nchw/float32/random",
    "num/nc/float32/offset-1000",
    "edge/nc-0x5/float32/empty-batch",
    "pure/nc/float32/same-bits",
    "state/nc/float32/save-and-load",
)
KINDS = [name for name, kind in vars(hostile_process).items() if inspect.isclass(kind) and issubclass(kind, Unruly)]


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        made = Runner(Plan(RunOptions(timeout=20.0), (), (), ()))
        yield made
        made.close()


def run(runner: Runner, name: str, framework: str) -> list[Item]:
    target = f"tests.support.hostile_process:{name}"
    made = Implementation(name="it", target=target, capabilities=EVERYTHING, framework=framework)
    items = [runner.run(made, all_cases()[case]) for case in CASES]
    return [replace(item, seconds=0.0, harness_seconds=0.0, reproduce="") for item in items]


@pytest.fixture(scope="module")
def healthy(runner: Runner) -> list[Item]:
    return run(runner, "Unruly", "healthy")


def test_there_is_something_to_change(healthy: list[Item]) -> None:
    assert len(healthy) == len(CASES)
    assert {item.verdict for item in healthy} == {"pass", "refused"}


@pytest.mark.parametrize("name", KINDS)
def test_what_a_layer_does_to_its_process_changes_no_result(
    runner: Runner, healthy: list[Item], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(runner, name, name) == healthy
    start = time.monotonic()
    assert run(runner, "Unruly", "healthy") == healthy
    assert time.monotonic() - start < END_LIMIT + 10.0
    assert "could not be ended" not in capsys.readouterr().err
