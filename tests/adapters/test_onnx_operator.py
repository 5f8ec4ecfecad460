"""ONNX's BatchNormalization under both of its runtimes, against plain float64 NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import check_agreement, check_defaults, configurations, plain
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.onnx_models import VECTORS, Form, model_of
from bn_adapters.onnx_operator import (
    OnnxLayer,
    OnnxReference9,
    OnnxReference14,
    OnnxReference15,
    OnnxRuntime9,
    OnnxRuntime14,
    OnnxRuntime15,
    OnnxRuntimeConvolution,
    OnnxRuntimeConvolutionUnoptimised,
    OnnxRuntimeInputs,
    OnnxRuntimeNewest,
    OnnxRuntimeUnoptimised,
    OnnxRuntimeYAlone,
    newest_opset,
)
from bn_adapters.wrappers.onnx_graph.running import by_runtime
from bn_conformance.adapter import Adapter, Array, LayerConfig

pytestmark = pytest.mark.framework

WHOLE = [OnnxReference14, OnnxRuntime9, OnnxRuntime14, OnnxRuntime15, OnnxRuntimeNewest, OnnxRuntimeInputs]
CONVOLUTIONS = [OnnxRuntimeConvolution, OnnxRuntimeConvolutionUnoptimised]
CONFIG = LayerConfig(num_channels=3, eps=0.25)
MEAN, VARIANCE = np.array([0.5, -1, 3], np.float32), np.array([4, 0.25, 1], np.float32)
GAMMA, BETA = np.array([2, -1, 0.5], np.float32), np.array([1, 0, -2], np.float32)


def normal(*shape: int) -> Array:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def inferred(adapter: type[Adapter], config: LayerConfig, x: Array) -> Array:
    layer = adapter().build(config)
    layer.set_parameters(GAMMA, BETA)
    layer.set_running_statistics(MEAN, VARIANCE)
    return layer.forward(x, False)


def expected(x: Array, statistics: tuple[Array, Array] | None, gamma: Array = GAMMA, beta: Array = BETA) -> Array:
    return plain(x, x, gamma, beta, 0.25, 1, statistics).y


@pytest.mark.parametrize("adapter", [*WHOLE, OnnxRuntimeUnoptimised], ids=lambda adapter: adapter.name)
def test_the_operator(adapter: type[Adapter]) -> None:
    check_adapter(adapter)


def test_the_reference_at_opset_15_is_right_where_all_formats_are_one() -> None:
    for config in configurations(OnnxReference15.capabilities, thin=True):
        if config.dtype == config.parameter_dtype:
            check_agreement(OnnxReference15(), config)
    check_defaults(OnnxReference15())


def test_the_reference_gives_statistics_in_the_format_of_x() -> None:
    """Once it does not, its known faults of mixed formats have to go."""
    with pytest.raises(AssertionError, match="running mean has dtype float16"):
        check_agreement(OnnxReference15(), LayerConfig(num_channels=3, dtype="float16", parameter_dtype="float32"))


def test_the_reference_at_opset_9_blends_the_batch_into_inference() -> None:
    """Once it does not, its known faults have to go."""
    x = normal(4, 3, 2, 2)
    blended = [0.75 * held + 0.25 * batch for held, batch in ((MEAN, x.mean((0, 2, 3))), (VARIANCE, x.var((0, 2, 3))))]
    y = inferred(OnnxReference9, CONFIG, x)
    assert y == pytest.approx(expected(x, (blended[0], blended[1])), abs=1e-5)
    assert y != pytest.approx(expected(x, (MEAN, VARIANCE)), abs=1e-2)


@pytest.mark.parametrize("adapter", CONVOLUTIONS, ids=lambda adapter: adapter.name)
@pytest.mark.parametrize("rank", [3, 4, 5])
def test_after_a_convolution(adapter: type[Adapter], rank: int) -> None:
    x = normal(4, 3, *[2] * (rank - 2))
    y = inferred(adapter, LayerConfig(num_channels=3, rank=rank, eps=0.25), x)
    assert y == pytest.approx(expected(x, (MEAN, VARIANCE)), abs=1e-5)


@pytest.mark.parametrize(
    ("form", "optimised", "left"),
    [
        (OnnxRuntimeConvolution.form, True, {"Conv"}),
        (OnnxRuntimeConvolution.form, False, {"Conv", "BatchNormalization"}),
        (OnnxRuntime15.form, True, {"BatchNormalization"}),
    ],
)
def test_what_optimisation_leaves_of_a_graph(tmp_path: Path, form: Form, optimised: bool, left: set[str]) -> None:
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    vectors = dict(zip(VECTORS, (GAMMA, BETA, MEAN, VARIANCE), strict=True))
    model = model_of(CONFIG, form, vectors, False)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node} == left


def test_y_alone_is_right_away_from_the_defaults_and_overwritten_at_them() -> None:
    """Once it is right at both, the known fault has to go."""
    x = normal(4, 3, 2, 2)
    layer = OnnxRuntimeYAlone().build(CONFIG)
    layer.set_parameters(GAMMA, BETA)
    assert layer.forward(x, True) == pytest.approx(expected(x, None), abs=1e-5)
    y = OnnxRuntimeYAlone().build(CONFIG).forward(x, True)
    mean, variance = 0.25 * x.mean((0, 2, 3)), 0.75 + 0.25 * x.var((0, 2, 3))
    assert y == pytest.approx(expected(x, None, variance, mean), abs=1e-5)


def test_y_alone_writes_over_the_callers_statistics_where_they_are_inputs() -> None:
    """Once it does not, docs/findings.md has to say so."""
    layer = OnnxLayer(CONFIG, Form(15, inputs=True, y_alone=True), by_runtime)
    layer.set_running_statistics(MEAN, VARIANCE)
    given = layer.vectors["input_mean"]
    x = normal(4, 3, 2, 2)
    layer.forward(x, True)
    assert given == pytest.approx(0.75 * MEAN + 0.25 * x.mean((0, 2, 3)), abs=1e-6)


def test_the_newest_opset_is_later_than_the_newest_operator() -> None:
    from onnx.defs import get_schema

    assert newest_opset() > 15
    assert get_schema("BatchNormalization", newest_opset()).since_version == 15


def test_every_model_is_valid() -> None:
    import onnx

    vectors = dict(zip(VECTORS, (GAMMA, BETA, MEAN, VARIANCE), strict=True))
    adapters = [*WHOLE, *CONVOLUTIONS, OnnxReference15, OnnxRuntimeUnoptimised]
    for form in {adapter.form for adapter in adapters}:
        for training in (False, True):
            onnx.checker.check_model(model_of(CONFIG, form, vectors, training))
