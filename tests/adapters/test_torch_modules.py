"""The adapters of PyTorch and the layer for a user's module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tests.support.adapter_checks.agreement import (
    assert_same_gradients,
    check_agreement,
    check_defaults,
    check_hyperparameters_in_float64,
    configurations,
    name_of,
    numpy_dtype,
)

from bn_adapters.torch_modules import TorchFunctional, TorchModuleLayer, TorchNN, TorchNNChannelsLast
from bn_adapters.torch_tensors import to_array, to_tensor
from bn_conformance.adapter import CUMULATIVE, Adapter, Array, LayerConfig

ADAPTERS: list[type[Adapter]] = [TorchNN, TorchFunctional, TorchNNChannelsLast]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("adapter", "config"),
    [pytest.param(a, c, id=f"{a.name}-{name_of(c)}") for a in ADAPTERS for c in configurations(a.capabilities)],
)
def test_agrees_with_plain_numpy(adapter: type[Adapter], config: LayerConfig) -> None:
    check_agreement(adapter(), config)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_declared_defaults_are_measured(adapter: type[Adapter]) -> None:
    check_defaults(adapter())
    check_hyperparameters_in_float64(adapter())


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    ("dtype", "parameter_dtype"),
    [("float32", "float64"), ("float16", "float64"), ("bfloat16", "float64"), ("bfloat16", "float16")],
)
def test_wider_parameters_that_are_not_declared_are_refused_by_torch(
    adapter: type[Adapter], dtype: str, parameter_dtype: str
) -> None:
    assert (dtype, parameter_dtype) not in adapter.capabilities.mixed
    layer = adapter().build(LayerConfig(num_channels=2, dtype=dtype, parameter_dtype=parameter_dtype))
    with pytest.raises(RuntimeError, match="mixed dtype"):
        layer.forward(normal(2, 2, 2, 2).astype(numpy_dtype(dtype)), True)


@pytest.mark.parametrize("adapter", [TorchNN, TorchNNChannelsLast])
def test_cumulative_momentum_is_the_plain_average(adapter: type[Adapter]) -> None:
    layer = adapter().build(LayerConfig(num_channels=2, momentum=CUMULATIVE))
    batches = [normal(4, 2, 3, 3, seed=seed) for seed in range(3)]
    for x in batches:
        layer.forward(x, True)
    mean, variance = layer.running_statistics()
    assert mean == pytest.approx(np.mean([x.mean((0, 2, 3)) for x in batches], axis=0), abs=1e-6)
    assert variance == pytest.approx(np.mean([x.var((0, 2, 3), ddof=1) for x in batches], axis=0), abs=1e-6)
    assert layer.state()["num_batches_tracked"] == 3


# --- the way in and out ----------------------------------------------------------------------------------------------

BASE = normal(6, 4, 8)
VIEWS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda array: array,
    "strided": lambda array: array[::2, :, 1::3],
    "transposed": lambda array: array.transpose(2, 0, 1),
    "offset": lambda array: array[1:, 1:, 1:],
    "broadcast": lambda array: np.broadcast_to(array[:1], array.shape),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_views_become_tensors_over_the_same_memory(name: str, dtype: str) -> None:
    view = VIEWS[name](BASE.astype(numpy_dtype(dtype)))
    tensor = to_tensor(view)
    assert tuple(stride * view.itemsize for stride in tensor.stride()) == view.strides
    back = to_array(tensor)
    assert back.dtype == view.dtype
    assert np.array_equal(back, view)
    assert np.shares_memory(back, view)


def test_a_read_only_array_is_handed_over_as_it_is_and_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    array = normal(3)
    array.flags.writeable = False
    assert np.shares_memory(to_array(to_tensor(array)), array)
    assert not recwarn.list


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(BASE[::-1], id="negative stride"),
        pytest.param(np.ndarray((3,), np.float32, bytearray(32), 0, (6,)), id="stride between two elements"),
    ],
)
def test_views_that_torch_cannot_hold_are_copied(array: Array) -> None:
    assert np.array_equal(to_array(to_tensor(array)), array)


def test_every_bfloat16_keeps_its_bits() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    assert np.array_equal(to_array(to_tensor(every).clone()).view(np.uint16), every.view(np.uint16))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_bad_input_is_refused_by_torch_itself(adapter: type[Adapter]) -> None:
    layer = adapter().build(LayerConfig(num_channels=3))
    x = normal(2, 3, 2, 2)
    with pytest.raises(RuntimeError, match="running_mean should contain 4 elements not 3"):
        layer.forward(normal(2, 4, 2, 2), True)
    with pytest.raises(RuntimeError, match="mixed dtype"):
        layer.forward(x.astype(np.float64), True)
    with pytest.raises(NotImplementedError, match="not implemented for 'Int'"):
        layer.forward(np.ones((2, 3, 2, 2), np.int32), True)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer.forward(x[:1, :, :1, :1], True)
    with pytest.raises(RuntimeError, match="must match the size"):
        layer.set_parameters(np.ones(2, np.float32), None)
    layer.forward(x, True)
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        layer.backward(x[:1])


# --- one layer through several steps ---------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_backward_is_of_the_latest_forward_and_may_be_repeated(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=2)
    layer, other = adapter().build(config), adapter().build(config)
    first, second, dy = (normal(4, 2, 3, 3, seed=seed) for seed in range(3))
    with pytest.raises(RuntimeError, match="needs a forward"):
        layer.backward(dy)
    layer.forward(first, True)
    layer.forward(second, True)
    other.forward(second, True)
    once = layer.backward(dy)
    assert_same_gradients(once, layer.backward(dy))
    assert_same_gradients(once, other.backward(dy))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_is_returned_is_not_memory_of_the_layer(adapter: type[Adapter]) -> None:
    layer = adapter().build(LayerConfig(num_channels=2))
    for array in (*layer.running_statistics(), *layer.state().values()):
        array[...] = 9
    assert np.array_equal(layer.running_statistics().variance, [1, 1])
    gamma = np.full(2, 2, np.float32)
    layer.set_parameters(gamma, None)
    gamma[...] = 9
    assert np.array_equal(layer.state()["weight"], [2, 2])


@pytest.mark.parametrize(("rank", "memory_format"), [(4, "channels_last"), (5, "channels_last_3d")])
def test_channels_last_reaches_the_module(rank: int, memory_format: str) -> None:
    import torch

    seen = []
    layer = TorchNNChannelsLast().build(LayerConfig(num_channels=3, rank=rank))
    assert isinstance(layer, TorchModuleLayer)
    layer.held.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = normal(2, 3, *[4] * (rank - 2))
    assert layer.forward(x, True).shape == x.shape
    assert seen[0].is_contiguous(memory_format=getattr(torch, memory_format))
    assert not seen[0].is_contiguous()
    laid_out = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    layer.forward(laid_out, True)
    assert np.shares_memory(to_array(seen[1]), laid_out)


def test_a_module_that_writes_into_its_input_is_seen_doing_it() -> None:
    import torch

    class Greedy(torch.nn.BatchNorm1d):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            x.data.zero_()
            return y

    x = normal(4, 2)
    TorchModuleLayer(Greedy(2)).forward(x, True)
    assert not x.any()


def test_parameters_that_a_module_lacks_have_no_gradient() -> None:
    import torch

    class Bare(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return 3 * x

    layer = TorchModuleLayer(Bare())
    x = normal(4, 2)
    layer.forward(x, True)
    dx, dgamma, dbeta = layer.backward(x)
    assert np.array_equal(dx, 3 * x)
    assert dgamma is None
    assert dbeta is None
