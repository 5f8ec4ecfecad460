"""ONNX's BatchNormalization, run by ONNX's reference evaluator and by onnxruntime.

A layer is the four vectors that the operator takes, and a graph of one node for each mode. A layer without gamma or
beta holds ones or zeros in its place, as exporters write it, since the operator takes all four. It has no gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np

from bn_adapters.onnx_code import NewestCode, OnnxCode
from bn_adapters.onnx_models import VECTORS, Form, model_of, numpy_dtype
from bn_adapters.wrappers.onnx_graph.running import Run, by_reference, by_runtime
from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
)
from bn_conformance.layer_code import LayerCode

OLDEST_NEWEST = 15
"""The newest version of the operator is of this opset; every opset since has it."""


@cache
def newest_opset() -> int:
    """The newest opset that onnxruntime takes, of those that the installed onnx knows."""
    from onnx.defs import onnx_opset_version

    config, vectors = LayerConfig(num_channels=1), dict.fromkeys(VECTORS, np.ones(1, np.float32))
    for opset in range(onnx_opset_version(), OLDEST_NEWEST, -1):
        try:
            by_runtime(model_of(config, Form(opset), vectors, False))
        except Exception:
            continue
        return opset
    return OLDEST_NEWEST


class OnnxLayer(Layer):
    """The vectors of a layer, and what runs its graphs. A graph that holds vectors is made anew when they change.

    Args:
        config: of the layer.
        form: of its graphs.
        start: makes of a model what runs it.
    """

    def __init__(self, config: LayerConfig, form: Form, start: Callable[[Any], Run]) -> None:
        self.config, self.form, self.start = config, form, start
        channels, dtype = config.num_channels, numpy_dtype(config.parameter_dtype)
        ones, zeros = np.ones(channels, dtype), np.zeros(channels, dtype)
        self.vectors: dict[str, Array] = dict(zip(VECTORS, (ones, zeros, zeros, ones), strict=True))
        self.runs: dict[bool, Run] = {}

    def forward(self, x: Array, training: bool) -> Array:
        if training not in self.runs:
            self.runs[training] = self.start(model_of(self.config, self.form, self.vectors, training))
        y, *moved = self.runs[training]({"x": x} | (self.vectors if self.form.inputs else {}))
        if moved:
            self._change(dict(zip(VECTORS[2:], moved, strict=True)))
        result: Array = y
        return result

    def _change(self, vectors: Mapping[str, Array]) -> None:
        self.vectors = {**self.vectors, **vectors}
        if not self.form.inputs:
            self.runs.clear()

    def backward(self, dy: Array) -> Gradients:
        raise NotImplementedError("the operator has no gradients")

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*(self.vectors[name].copy() for name in VECTORS[2:]))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._change({"input_mean": mean.copy(), "input_var": variance.copy()})

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        given = {"scale": gamma, "B": beta}
        self._change({name: array.copy() for name, array in given.items() if array is not None})

    def state(self) -> Mapping[str, Array]:
        return {name: array.copy() for name, array in self.vectors.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.vectors = {name: array.copy() for name, array in state.items()}
        self.runs.clear()


class _Onnx(Adapter):
    """What all share: the convention of the operator, which is that of all its versions."""

    group = "more"
    framework = "onnx"
    install = "pip install 'bnconform[onnx]'"
    convention = Convention(
        running_variance="biased",
        momentum_weighs="old",
        default_momentum=0.9,
        default_eps=1e-5,
        eps_dtype="float32",  # attributes of a node are float32
        momentum_dtype="float32",
    )
    form: ClassVar[Form]

    def build(self, config: LayerConfig) -> Layer:
        return OnnxLayer(config, self.form, self._start())

    def _start(self) -> Callable[[Any], Run]:
        raise NotImplementedError


class OnnxReference15(_Onnx):
    """ONNX's reference evaluator. The vectors are inputs: it makes arrays of initializers, and calls the same."""

    name = "onnx.reference[opset-15]"
    requires = ("onnx",)
    form = Form(15, inputs=True)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64", "float16", "bfloat16"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        gradients=frozenset(),
    )

    def _start(self) -> Callable[[Any], Run]:
        return by_reference

    def code(self, config: LayerConfig) -> LayerCode:
        return OnnxCode(config, self.form)


class OnnxReference14(OnnxReference15):
    """As at opset 15; x and all vectors have one format."""

    name = "onnx.reference[opset-14]"
    form = Form(14, inputs=True)
    capabilities = replace(OnnxReference15.capabilities, mixed=frozenset())


class OnnxReference9(OnnxReference15):
    """Inference alone: the evaluator gives y and no other result at this opset."""

    name = "onnx.reference[opset-9]"
    form = Form(9, inputs=True)
    capabilities = replace(
        OnnxReference15.capabilities,
        dtypes=frozenset({"float32", "float64", "float16"}),
        mixed=frozenset(),
        modes=frozenset({"inference"}),
    )


class OnnxRuntime15(_Onnx):
    """onnxruntime as it comes: the graph is optimised, and holds the vectors. It has no bfloat16 on the CPU."""

    name = "onnxruntime[opset-15]"
    requires = ("onnx", "onnxruntime")
    distributions = ("onnxruntime", "onnx")
    form = Form(15)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64", "float16"}),
        mixed=frozenset({("float16", "float32")}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        gradients=frozenset(),
        threads=True,
    )
    optimised = True
    threads = 1

    def set_threads(self, count: int) -> None:
        self.threads = count

    def _start(self) -> Callable[[Any], Run]:
        return partial(by_runtime, optimised=self.optimised, threads=self.threads)

    def code(self, config: LayerConfig) -> LayerCode:
        return OnnxCode(config, self.form, runtime=True, optimised=self.optimised)


class OnnxRuntime14(OnnxRuntime15):
    """As at opset 15; x and all vectors have one format."""

    name = "onnxruntime[opset-14]"
    form = Form(14)
    capabilities = replace(OnnxRuntime15.capabilities, mixed=frozenset())


class OnnxRuntime9(OnnxRuntime14):
    """As at opset 14; a node trains where it has five results."""

    name = "onnxruntime[opset-9]"
    form = Form(9)


class OnnxRuntimeNewest(OnnxRuntime15):
    """The newest opset that it takes. The operator is that of opset 15; what runs and optimises it is chosen anew."""

    name = "onnxruntime[newest]"

    def build(self, config: LayerConfig) -> Layer:
        return OnnxLayer(config, Form(newest_opset()), self._start())

    def code(self, config: LayerConfig) -> LayerCode:
        return NewestCode(config, self.form, runtime=True)


class OnnxRuntimeInputs(OnnxRuntime15):
    """The vectors are inputs of the graph, so that nothing can be computed of them beforehand."""

    name = "onnxruntime[inputs]"
    form = Form(15, inputs=True)


class OnnxRuntimeUnoptimised(OnnxRuntime15):
    """The graph runs as it is."""

    name = "onnxruntime[unoptimised]"
    optimised = False


class OnnxRuntimeYAlone(OnnxRuntime15):
    """Training where nobody asks for the moved statistics: the graph's only result is y."""

    name = "onnxruntime[y-alone]"
    form = Form(15, y_alone=True)
    capabilities = replace(
        OnnxRuntime15.capabilities, modes=frozenset({"training"}), statistics=False, set_statistics=False
    )


class OnnxRuntimeConvolution(OnnxRuntime15):
    """After a convolution that gives each channel as it is: optimised, the two become one convolution."""

    name = "onnxruntime[conv]"
    form = Form(15, convolution=True)
    capabilities = replace(
        OnnxRuntime15.capabilities,
        dtypes=frozenset({"float32", "float16"}),  # "Could not find an implementation for Conv" of float64
        ranks=frozenset({3, 4, 5}),
        modes=frozenset({"inference"}),
    )


class OnnxRuntimeConvolutionUnoptimised(OnnxRuntimeConvolution):
    """The same graph as it is: what differs from it is the doing of the optimisation."""

    name = "onnxruntime[conv,unoptimised]"
    optimised = False
