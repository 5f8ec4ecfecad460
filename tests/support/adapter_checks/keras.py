"""Checks of the adapters of Keras on one backend: `python -m tests.support.adapter_checks.keras BACKEND`.

Keras keeps one backend for a process. The program performs every check on it and prints, as JSON, the name of each with
the error that it ended in, or with null.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import (
    TOLERANCE,
    assert_same_gradients,
    check_agreement,
    check_defaults,
    check_hyperparameters_in_float64,
    configurations,
    name_of,
)

from bn_adapters.keras_layers import KerasJax, KerasTensorflow, KerasTorch
from bn_conformance.adapter import Array, LayerConfig

ADAPTERS = {adapter.backend: adapter for adapter in (KerasTensorflow, KerasJax, KerasTorch)}
# keras.backend.result_type("float64", "float32") is float32 on every backend but TensorFlow's (BIT64_TO_BIT32_DTYPE in
# keras/src/backend/common/dtypes.py), so that the layer computes float64 in float32 there: a fault of Keras, declared
# as the float64 that the layer claims to give, and left for the matrix to report.
FLOAT64_IN_FLOAT32 = {"jax", "torch"}


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def agreement(backend: str, config: LayerConfig) -> None:
    adapter = ADAPTERS[backend]()
    if config.dtype != "float64" or backend not in FLOAT64_IN_FLOAT32:
        check_agreement(adapter, config)
        return
    check_agreement(adapter, config, tolerance=TOLERANCE["float32"])
    with pytest.raises(AssertionError, match="is off by"):  # once this does not raise, FLOAT64_IN_FLOAT32 has to go
        check_agreement(adapter, config)


def float64_hyperparameters(backend: str) -> None:
    if backend in FLOAT64_IN_FLOAT32:
        with pytest.raises(AssertionError):
            check_hyperparameters_in_float64(ADAPTERS[backend]())
    else:
        check_hyperparameters_in_float64(ADAPTERS[backend]())


def views(backend: str) -> None:
    """Any view of an array gives the numbers of its contiguous copy, and no array is written to."""
    layer = ADAPTERS[backend]().build(LayerConfig(num_channels=3, rank=2))
    base = normal(8, 3)
    expected = layer.forward(base, True)
    read_only = base.copy()
    read_only.flags.writeable = False
    strided = np.repeat(base, 2, axis=0)[::2]
    for view in (base[::-1][::-1], np.flip(np.flip(base, 0).copy(), 0), read_only, strided, np.asfortranarray(base)):
        assert layer.forward(view, True) == pytest.approx(expected, abs=1e-6)
        assert np.array_equal(view, base)
        assert layer.backward(view).dx.shape == view.shape
    y = layer.forward(np.broadcast_to(base[:1], base.shape), True)
    assert not y.any()


def refusals(backend: str) -> None:
    """Bad input is refused by Keras, whose errors come through."""
    layer = ADAPTERS[backend]().build(LayerConfig(num_channels=3, rank=2))
    with pytest.raises(ValueError, match="expected axis 1 of input shape to have value 3"):
        layer.forward(normal(2, 4), True)
    with pytest.raises(ValueError, match="expected ndim=2"):
        layer.forward(normal(2, 3, 2), True)
    with pytest.raises(ValueError, match="must match"):
        layer.set_parameters(np.ones(1, np.float32), None)
    with pytest.raises(ValueError, match="cumulative"):
        ADAPTERS[backend]().build(LayerConfig(num_channels=3, momentum="cumulative"))


def latest_forward(backend: str) -> None:
    """`backward` is of the latest forward and of the state before it, and can be repeated."""
    config = LayerConfig(num_channels=2, rank=2)
    layer, other = ADAPTERS[backend]().build(config), ADAPTERS[backend]().build(config)
    first, second, dy = (normal(4, 2, seed=seed) for seed in range(3))
    with pytest.raises(RuntimeError, match="needs a forward"):
        layer.backward(dy)
    for training in (True, False):
        layer.forward(first, training)
        layer.forward(second, training)
        other.set_running_statistics(*layer.running_statistics())
        other.forward(second, training)
        once = layer.backward(dy)
        assert_same_gradients(once, layer.backward(dy))
        assert_same_gradients(once, other.backward(dy))


def own_memory(backend: str) -> None:
    """The layer keeps no array that it is given, and gives none that it keeps."""
    layer = ADAPTERS[backend]().build(LayerConfig(num_channels=64, rank=2))
    mean, variance, gamma = (np.full(64, value, np.float32) for value in (1, 2, 3))
    layer.set_running_statistics(mean, variance)
    layer.set_parameters(gamma, None)
    for array in (mean, variance, gamma, *layer.running_statistics(), *layer.state().values()):
        array[...] = 9
    assert np.all(layer.running_statistics().mean == 1)
    assert np.all(layer.running_statistics().variance == 2)
    assert np.all(layer.state()["gamma"] == 3)
    assert layer.forward(normal(4, 64), False).flags.writeable


def one_thread(backend: str) -> None:
    if backend == "torch":
        import torch

        assert torch.get_num_threads() == 1
        assert os.environ["KERAS_TORCH_DEVICE"] == "cpu"
    elif backend == "tensorflow":
        import tensorflow

        assert tensorflow.config.threading.get_intra_op_parallelism_threads() == 1
        assert not tensorflow.config.get_visible_devices("GPU")
    else:
        import jax

        assert os.environ["NPROC"] == "1"
        assert {device.platform for device in jax.devices()} == {"cpu"}


def other_backend(backend: str) -> None:
    """In a process where Keras runs one backend, the adapter of another says what is wrong."""
    other = next(name for name in ADAPTERS if name != backend)
    with pytest.raises(RuntimeError, match=f"KERAS_BACKEND={other}"):
        ADAPTERS[other]().build(LayerConfig(num_channels=2))


def versions(backend: str) -> None:
    found = ADAPTERS[backend]().versions()
    assert "keras" in found
    assert any(backend in name for name in found)


def checks(backend: str) -> dict[str, Callable[[], None]]:
    """By name, what is checked; JAX compiles every operation for every shape, so each value is met once only."""
    named: dict[str, Callable[[], None]] = {
        f"agrees-{name_of(config)}": partial(agreement, backend, config)
        for config in configurations(ADAPTERS[backend].capabilities, thin=backend != "torch")
    }
    named["defaults"] = lambda: check_defaults(ADAPTERS[backend]())
    others = (float64_hyperparameters, views, refusals, latest_forward, own_memory, one_thread, versions, other_backend)
    return named | {check.__name__: partial(check, backend) for check in others}


def outcome(check: Callable[[], None]) -> str | None:
    try:
        check()
    except BaseException:  # pytest's own failures are no Exceptions
        return traceback.format_exc()
    return None


if __name__ == "__main__":
    print(json.dumps({name: outcome(check) for name, check in checks(sys.argv[1]).items()}))
