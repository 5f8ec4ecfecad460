"""Real models, trained a few steps: what is carried from one framework's file to another's gives the same outputs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from tests.support.own_process import Call, process_with
from tests.support.ported_models import CHANNELS, carried_ratios

FILES = {"torch": ("a.pt", "b.pt"), "keras": ("a.weights.h5", "b.weights.h5"), "flax": ("a.msgpack", "b.msgpack")}
OTHERS = {"torch": ("a.pth", "b.pth"), "keras": ("a.keras", "b.keras"), "flax": ("orbax", "carried")}


@pytest.fixture(scope="module")
def call() -> Iterator[Call]:
    """Calls in a process in which Keras computes with torch, so that the three frameworks fit into one."""
    with process_with({"KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}) as call:
        yield call


@pytest.mark.slow
@pytest.mark.framework
@pytest.mark.parametrize(
    ("source", "target", "files"),
    [
        *((*pair, FILES) for pair in permutations(FILES, 2)),
        *((*pair, OTHERS) for pair in pairwise(("torch", "keras", "flax", "torch"))),
    ],
)
def test_a_trained_model_gives_the_same_outputs_in_another_framework(
    source: str, target: str, files: dict[str, tuple[str, str]], call: Call, tmp_path: Path
) -> None:
    existing, written = files[target]
    names = (f"trained-{files[source][0]}", existing, written)
    ratios = call(carried_ratios, source, target, names, tmp_path)
    assert set(ratios) == set(CHANNELS)
    assert max(ratios.values()) <= 1.0, ratios
