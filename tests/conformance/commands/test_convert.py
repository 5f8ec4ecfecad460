"""`bnconform convert` as a person meets it: what was carried, what to know of it, and how it was checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.command_line import assert_usage, called

from bn_conformance.adapter import Array

pytestmark = pytest.mark.framework


def vectors(channels: int, seed: int, dtype: str = "float32") -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    gamma, beta, mean = (generator.standard_normal(channels).astype(dtype) for _ in range(3))
    return {
        "gamma": gamma,
        "beta": beta,
        "mean": mean,
        "variance": np.exp(generator.standard_normal(channels)).astype(dtype),
    }


def torch_names(layer: str, values: Mapping[str, Array]) -> dict[str, Array]:
    leaves = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    return {f"{layer}.{leaves[role]}": array for role, array in values.items()}


def keras_names(layer: str, values: Mapping[str, Array]) -> dict[str, Array]:
    leaves = {"gamma": "gamma", "beta": "beta", "mean": "moving_mean", "variance": "moving_variance"}
    return {f"{layer}/{leaves[role]}": array for role, array in values.items()}


def save(folder: Path, name: str, *parts: Mapping[str, Array]) -> str:
    arrays: dict[str, Any] = {key: array for part in parts for key, array in part.items()}
    np.savez(folder / name, **arrays)
    return name


def loaded(folder: Path, name: str) -> dict[str, Array]:
    with np.load(folder / name, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A source with two layers of torch and a kernel."""
    kernel = {"conv.weight": np.zeros((4, 3, 3, 3), np.float32)}
    counter = {"bn1.num_batches_tracked": np.asarray(7)}
    parts = torch_names("bn1", vectors(4, 1)) | counter, torch_names("bn2", vectors(6, 2)), kernel
    return save(tmp_path, "model.npz", *parts)


@pytest.mark.slow
def test_layers_are_carried_into_an_existing_file_and_both_frameworks_run_them(tmp_path: Path, model: str) -> None:
    kernel = {"conv/kernel": np.ones((3, 3, 3, 4), np.float32)}
    names = keras_names("a", vectors(4, 3)) | keras_names("b", vectors(6, 4))
    existing = save(tmp_path, "existing.npz", names, kernel)
    done = called(tmp_path, "convert", model, "out.npz", "--into", existing)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 layers of PyTorch carried to Keras, and verified by running both" in done.stdout
    assert "Build the layers of Keras with epsilon=1e-05" in done.stdout
    assert "PyTorch's default, 0.1, is momentum=0.9 in Keras, whose default is 0.99" in done.stdout
    assert "2 layers matched by order" in done.stdout
    assert "num_batches_tracked: not carried (up to 7)" in done.stdout
    assert "3.12 % at n = 32" in done.stdout
    written = loaded(tmp_path, "out.npz")
    assert np.array_equal(written["b/moving_variance"], vectors(6, 2)["variance"])
    assert np.array_equal(written["conv/kernel"], np.ones((3, 3, 3, 4)))


@pytest.mark.slow
def test_rounding_to_the_target_is_measured_and_explains_the_difference(tmp_path: Path) -> None:
    source = save(tmp_path, "wide.npz", torch_names("bn", vectors(5, 1, "float64")))
    existing = save(tmp_path, "narrow.npz", torch_names("bn", vectors(5, 2, "float16")))
    done = called(tmp_path, "convert", source, "out.npz", "--into", existing, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert 2.0**-16 < told["layers"][0]["rounding"] <= 2.0**-11
    assert told["checks"][1]["difference"] > 1e-4
    assert told["verified"]


@pytest.mark.slow
def test_a_whole_model_may_be_one_layer_and_a_counter_nonsense(tmp_path: Path) -> None:
    bare = {name.removeprefix("bn."): array for name, array in torch_names("bn", vectors(3, 1)).items()}
    source = save(tmp_path, "bare.npz", bare, {"num_batches_tracked": np.asarray(float("nan"))})
    done = called(tmp_path, "convert", source, "out.msgpack", "--rename", "model=net.bn", "--momentum", "0.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.2 of PyTorch is momentum=0.8 in Flax" in done.stdout
    assert "net.bn" in done.stdout


@pytest.mark.slow
def test_a_shift_of_eps_keeps_the_outputs(tmp_path: Path) -> None:
    source = save(tmp_path, "model.npz", torch_names("bn", vectors(5, 1)))
    done = called(tmp_path, "convert", source, "out.npz", "--to", "torch", "--target-eps", "0.001")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is shifted by the difference of eps" in done.stdout
    expected = (vectors(5, 1)["variance"].astype(np.float64) + (1e-5 - 1e-3)).astype(np.float32)
    assert np.array_equal(loaded(tmp_path, "out.npz")["bn.running_var"], expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.pt", "out.npz", "--to", "torch"), "none.pt does not exist"),
        (("model.npz", "out.npz"), "say which with --to"),
        (("model.npz", "out.npz", "--to", "caffe"), "--to is 'caffe'; allowed are flax, keras, torch"),
        (("model.npz", "out.npz", "--to", "trch"), "--to is 'trch'; did you mean torch?"),
        (("model.npz", "out.weights.h5"), "name it with --into"),
        (("model.npz", "model.npz", "--to", "torch"), "model.npz exists; name another file"),
        (("model.npz", "out.txt"), "out.txt has an unknown ending"),
        (("model.npz", "out.pt", "--into", "model.npz"), "give both the same ending"),
        (("model.npz", "out.npz", "--into", "model.npz", "--to", "torch"), "leave out --to"),
        (("model.npz", "out.pt", "--pattern", "head*"), "no layer matches head*; there are bn1, bn2"),
        (("model.npz", "out.pt", "--eps", "-1"), "--eps is -1"),
        (("model.npz", "out.pt", "--momentum", "2"), "--momentum is 2"),
        (("model.npz", "out.pt", "--rename", "*=x"), "two layers become x"),
        (("plain.npz", "out.pt"), "has no layer of batch normalisation with running statistics"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    arguments: tuple[str, ...], words: str, tmp_path: Path, model: str
) -> None:
    save(tmp_path, "plain.npz", {"kernel": np.zeros((3, 3))})
    before = sorted(path.name for path in tmp_path.iterdir())
    assert_usage(called(tmp_path, "convert", *arguments), words)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
