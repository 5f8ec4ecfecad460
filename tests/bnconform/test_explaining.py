"""`bnconform.explain`: arrays, tensors of a framework, files and dictionaries, from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.recorded_steps import EPS, WEIGHT, save, step

import bnconform


def test_arrays_files_and_dictionaries_say_the_same(tmp_path: Path) -> None:
    arrays = step(backward=False)
    x, y, rest = arrays["x"], arrays["y"], {name: array for name, array in arrays.items() if name not in ("x", "y")}
    told = bnconform.explain(x, y, **rest)
    assert told.within
    assert {one.name: one.value for one in told.settings}["eps"] == EPS
    for given in (save(tmp_path / "step.npz", arrays), str(tmp_path / "step.npz"), arrays):
        other = bnconform.explain(given)
        same = {"source": "", "taken": []}
        assert other.to_json() | same == told.to_json() | same


def test_names_and_choices_are_taken() -> None:
    arrays = step(backward=False)
    arrays["activations"] = arrays.pop("x")
    told = bnconform.explain(
        arrays, names={"x": "activations"}, momentum=WEIGHT, convention={"running_variance": "unbiased"}
    )
    assert told.within
    assert {one.name: one.how for one in told.settings}["running_variance"] == "given"


@pytest.mark.framework
def test_tensors_of_torch_are_arrays() -> None:
    import torch

    torch.manual_seed(0)
    layer = torch.nn.BatchNorm2d(3)
    x = torch.randn(8, 3, 4, 4, dtype=torch.bfloat16).float()
    told = bnconform.explain(x, layer(x), gamma=layer.weight, beta=layer.bias)
    assert told.within
    low = layer(x.bfloat16())
    told = bnconform.explain(x.bfloat16(), low, gamma=layer.weight, beta=layer.bias)
    assert told.within
    assert told.reading.config.dtype == "bfloat16"


def test_what_cannot_be_an_array_is_one_line() -> None:
    x = step()["x"]
    with pytest.raises(bnconform.UserError, match="y is a object; give an array of numbers"):
        bnconform.explain(x, object())
    with pytest.raises(bnconform.UserError, match="y cannot be read as an array"):
        bnconform.explain(x, [[1.0], [2.0, 3.0]])
    with pytest.raises(bnconform.UserError, match="all arrays are in the dictionary; leave out y"):
        bnconform.explain({"x": x}, x)
    with pytest.raises(bnconform.UserError, match="names is for a file or a dictionary"):
        bnconform.explain(x, x, names={"x": "x"})
    with pytest.raises(bnconform.UserError, match="level is 'exact'"):
        bnconform.explain(x, x, level="exact")


def test_a_level_is_held_to() -> None:
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(8, 16)) + 60).astype(np.float32)
    mean = x.mean(axis=0)
    variance = (x * x).mean(axis=0, dtype=np.float32) - mean * mean  # raw moments: an unstable algorithm
    y = (x - mean) / np.sqrt(variance + np.float32(EPS))
    told = bnconform.explain(x, y, eps=EPS)
    assert [one.level for one in told.arrays] == ["degraded(raw-moments)"]
    assert told.within
    assert not bnconform.explain(x, y, eps=EPS, level="stable").within
