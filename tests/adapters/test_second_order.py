"""Second-order gradients of every adapter that declares them against the formulas of SPEC.md in plain float64 NumPy.

Each adapter runs in a process of its own. PyTorch's are also set against differences of its own gradients, in
`test_torch_second_order`, which knows no formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS
from tests.support.adapter_checks.registered import registered_adapters
from tests.support.adapter_checks.steps import draw, rows
from tests.support.own_process import Call, process_of

from bn_adapters.keras_layers import KerasJax, KerasTensorflow, KerasTorch
from bn_adapters.tensorflow_layers_v1 import TensorflowLayersV1
from bn_adapters.tensorflow_ops import TensorflowMoments
from bn_adapters.torch_modules import TorchFunctional
from bn_conformance.adapter import Adapter, Array, LayerConfig, SecondOrder

ADAPTERS = {name: adapter for name, adapter in registered_adapters().items() if adapter.capabilities.second_order}
# tf.nn.moments stops the gradient of the mean inside the variance, which is no constant in the second order: a fault of
# TensorFlow, left for the matrix to report. Once `check_training` fails for one of these, its known fault has to go.
MEAN_STOPPED = {TensorflowMoments.name, TensorflowLayersV1.name, KerasTensorflow.name}
# torch 2.13 cannot differentiate a batch_norm with a bias and no weight twice where dx and dbeta are both weighed.
BIAS_ALONE_RAISES = (TorchFunctional.name, "beta")
CONFIG = LayerConfig(num_channels=CHANNELS, momentum=0.25)
EPS = 2.0**-10
TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-5, "float64": 1e-14}

Data = dict[str, Array]


@pytest.fixture(scope="module", params=ADAPTERS)
def run(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Call a function of an adapter where its framework starts with its environment."""
    with process_of(ADAPTERS[request.param]) as call:
        yield call


def data(config: LayerConfig = CONFIG) -> Data:
    """x, dy and v_dx, and vectors of the parameters' format; v_dx has a mean, as an error in the mean needs one."""
    generator, x = np.random.default_rng(7), draw(config)
    arrays = {"x": x, "dy": generator.normal(size=x.shape), "v_dx": generator.normal(0.5, 1.0, x.shape)}
    vectors = {name: generator.normal(1.5, 1.0, CHANNELS) for name in ("gamma", "beta", "v_dgamma", "v_dbeta")}
    return {name: array.astype(config.dtype) for name, array in arrays.items()} | {
        name: vector.astype(config.parameter_dtype) for name, vector in vectors.items()
    }


def built(adapter: type[Adapter], given: Data, config: LayerConfig = CONFIG) -> Any:
    layer = adapter().build(config)
    layer.set_parameters(given["gamma"] if config.gamma else None, given["beta"] if config.beta else None)
    return layer


def asked(layer: Any, given: Data, config: LayerConfig = CONFIG) -> SecondOrder:
    vectors = (given["v_dgamma"] if config.gamma else None, given["v_dbeta"] if config.beta else None)
    found: SecondOrder = layer.double_backward(given["dy"], given["v_dx"], *vectors)
    return found


def plain(given: Data, config: LayerConfig = CONFIG, statistics: Any = None, mean_stopped: bool = False) -> list[Any]:
    """Rows of ds_dx, ds_dgamma and rows of ds_ddy: SECOND-1 to 3, or SECOND-4 where there are statistics."""
    x, dy, v_dx = (rows(given[name], config) for name in ("x", "dy", "v_dx"))
    gamma = given["gamma"].astype(np.float64) if config.gamma else np.ones(CHANNELS)
    v_dgamma = given["v_dgamma"].astype(np.float64) if config.gamma else np.zeros(CHANNELS)
    v_dbeta = given["v_dbeta"].astype(np.float64) if config.beta else np.zeros(CHANNELS)
    mean, variance = (x.mean(0), x.var(0)) if statistics is None else np.asarray(statistics, np.float64)
    r = 1 / np.sqrt(variance + EPS)
    normal = (x - mean) * r
    if statistics is not None:
        return [v_dgamma * r * dy, r * (dy * v_dx).sum(0), gamma * r * v_dx + v_dgamma * normal + v_dbeta]

    def projected(a: Any) -> Any:
        return a - a.mean(0) - normal * (a * normal).mean(0)

    b = (v_dx * projected(dy)).mean(0)
    through = (dy * normal).mean(0) * projected(v_dx) + normal * b
    ds_dx = r * ((v_dgamma - gamma * r * (v_dx * normal).mean(0)) * projected(dy) - gamma * r * through)
    if mean_stopped:  # d2 variance / dx2 is 2 / n on the diagonal then, and not 2 / n - 2 / n^2
        ds_dx = ds_dx - gamma * r**2 * (dy * normal).mean(0) * v_dx.mean(0)
    return [ds_dx, r * len(x) * b, gamma * r * projected(v_dx) + v_dgamma * normal + v_dbeta]


def check_equal(found: SecondOrder, expected: list[Any], config: LayerConfig = CONFIG) -> None:
    assert found.ds_dx.shape == found.ds_ddy.shape == draw(config).shape
    assert found.ds_dx.dtype == found.ds_ddy.dtype == np.dtype(config.dtype)
    assert (found.ds_dgamma is not None) == config.gamma
    parts = [rows(found.ds_dx, config), found.ds_dgamma, rows(found.ds_ddy, config)]
    for part, value in zip(parts, expected, strict=True):
        if part is not None:
            scale = float(np.abs(value).max())
            np.testing.assert_allclose(
                np.asarray(part, np.float64), value, rtol=0, atol=TOLERANCE[config.dtype] * max(1.0, scale)
            )


def check_training(adapter: type[Adapter], config: LayerConfig = CONFIG) -> None:
    given = data(config)
    layer = built(adapter, given, config)
    layer.forward(given["x"], True)
    expected = plain(given, config, mean_stopped=adapter.name in MEAN_STOPPED)
    check_equal(asked(layer, given, config), expected, config)


def check_inference(adapter: type[Adapter], config: LayerConfig = CONFIG) -> None:
    given = data(config)
    layer = built(adapter, given, config)
    layer.set_running_statistics(np.array([-0.5, 1.0, 3.0], np.float32), np.array([0.5, 1.25, 2.0], np.float32))
    layer.forward(given["x"], False)
    check_equal(asked(layer, given, config), plain(given, config, layer.running_statistics()), config)


def check_every_format(adapter: type[Adapter]) -> None:
    """In every declared pair of formats; float64 of Keras on JAX and PyTorch is float32 inside."""
    able = adapter.capabilities
    for dtype, parameter_dtype in sorted({(name, name) for name in able.dtypes} | able.mixed):
        if dtype == "float64" and adapter.name in (KerasJax.name, KerasTorch.name):
            continue
        config = replace(CONFIG, dtype=dtype, parameter_dtype=parameter_dtype)
        check_training(adapter, config)
        if dtype != "float64":  # nnx and linen before training keep float32 statistics of float64
            check_inference(adapter, config)


def check_without_parameters(adapter: type[Adapter]) -> None:
    for affine in sorted(adapter.capabilities.affine - {"both"}):
        config = replace(CONFIG, gamma=affine == "gamma", beta=affine == "beta")
        if (adapter.name, affine) == BIAS_ALONE_RAISES:
            with pytest.raises(RuntimeError, match="Expected a proper Tensor but got None"):
                check_training(adapter, config)
            continue
        check_training(adapter, config)
        check_inference(adapter, config)


def check_no_weight_is_a_weight_of_zero(adapter: type[Adapter]) -> None:
    given = data()
    layer = built(adapter, given)
    layer.forward(given["x"], True)
    nothing = np.zeros(CHANNELS, np.float32)
    some = layer.double_backward(given["dy"], given["v_dx"], nothing, nothing)
    for part, other in zip(layer.double_backward(given["dy"], given["v_dx"], None, None), some, strict=True):
        np.testing.assert_allclose(part, other, rtol=0, atol=1e-5)


def check_it_is_of_the_latest_forward(adapter: type[Adapter]) -> None:
    """And may be asked for again, and changes nothing of the layer."""
    given = data()
    layer, other = built(adapter, given), built(adapter, given)
    with pytest.raises(RuntimeError, match="needs a forward"):
        asked(layer, given)
    layer.forward(given["x"][:4], False)
    for one in (layer, other):
        one.forward(given["x"], True)
    statistics, gradients, first = layer.running_statistics(), layer.backward(given["dy"]), asked(layer, given)
    for again in (asked(layer, given), asked(other, given)):
        for part, value in zip(again, first, strict=True):
            np.testing.assert_array_equal(part, value)
    np.testing.assert_array_equal(layer.running_statistics(), statistics)
    np.testing.assert_array_equal(layer.backward(given["dy"]).dx, gradients.dx)
    np.testing.assert_array_equal(other.forward(given["x"], True), layer.forward(given["x"], True))


def check_frozen(adapter: type[Adapter]) -> None:
    if not adapter.capabilities.freeze:
        return
    given = data()
    layer = built(adapter, given)
    layer.forward(given["x"], True)
    layer.freeze()
    layer.forward(given["x"], True)
    check_equal(asked(layer, given), plain(given, statistics=layer.running_statistics()))


def check_masked(adapter: type[Adapter]) -> None:
    """ds_ddy by a difference: the weighed gradients are linear in dy, with a mask as without."""
    if not adapter.capabilities.masks:
        return
    config = LayerConfig(num_channels=CHANNELS, rank=3, channel_axis=2)
    given = data(config)
    layer, x, dy, other = built(adapter, given, config), given["x"], given["dy"], given["dy"][::-1].copy()
    mask = (np.arange(x.shape[0] * x.shape[1]) % 3 != 1).reshape(*x.shape[:2], 1)
    layer.forward_masked(x, mask, True)

    def weighed(dy: Array) -> float:
        dx, dgamma, dbeta = layer.backward(dy)
        return float((dx * given["v_dx"]).sum() + dgamma @ given["v_dgamma"] + dbeta @ given["v_dbeta"])

    found = asked(layer, given, config)
    expected = weighed(dy + other) - weighed(dy)
    assert expected == pytest.approx(float((found.ds_ddy * other).sum()), rel=1e-3, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "check",
    [
        check_training,
        check_inference,
        check_every_format,
        check_without_parameters,
        check_no_weight_is_a_weight_of_zero,
        check_it_is_of_the_latest_forward,
        check_frozen,
        check_masked,
    ],
)
def test_second_order(run: Call, check: Callable[[type[Adapter]], None]) -> None:
    run(check)


def test_every_adapter_here_declares_both_modes() -> None:
    assert {adapter.capabilities.second_order for adapter in ADAPTERS.values()} == {
        frozenset({"training", "inference"})
    }
