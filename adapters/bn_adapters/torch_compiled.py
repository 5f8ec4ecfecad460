"""PyTorch's modules under `torch.compile`, by the Inductor backend, with static and with dynamic shapes.

One compiled function serves all modules: Dynamo guards on what it read of a module, and compiles anew where that
differs. Without `fullgraph=True` and without the limit of recompilations it would run what it cannot compile eagerly,
and say so in a log.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from bn_adapters.torch_modules import TorchModuleLayer, TorchNN
from bn_adapters.torch_tensors import load_torch
from bn_adapters.torch_transforms_code import CompiledCode
from bn_conformance.adapter import Array, Layer, LayerConfig, SecondOrder
from bn_conformance.layer_code import LayerCode

MANY = 10_000


@cache
def compiled(dynamic: bool) -> Any:
    """A compiled function of a module and x."""
    torch = load_torch()
    from torch._dynamo import config
    from torch._functorch import config as autograd

    autograd.donated_buffer = False  # the layers keep the graph of a backward, which donated buffers forbid
    config.recompile_limit = config.accumulated_recompile_limit = MANY
    config.fail_on_recompile_limit_hit = True

    def call(module: Any, x: Any) -> Any:
        return module(x)

    return torch.compile(call, dynamic=dynamic, fullgraph=True)


class _CompiledLayer(TorchModuleLayer):
    """The module, called through the compiled function."""

    def __init__(self, module: Any, dynamic: bool) -> None:
        super().__init__(module)
        self.called = compiled(dynamic)

    def apply(self, x: Any, training: bool) -> Any:
        self.held.train(training and not self.frozen)
        return self.called(self.held, x)

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        raise NotImplementedError("torch.compile with aot_autograd does not currently support double backward")


class TorchCompile(TorchNN):
    """`torch.compile(dynamic=False)` of `torch.nn`: a kernel for each shape."""

    name = "torch.compile"
    group = "more"
    framework = "torch-compile"
    # What one process of a run compiled the others need not compile again.
    environment = {  # noqa: RUF012 - declared in the contract
        "TORCHINDUCTOR_CACHE_DIR": "{cache}/inductor",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    # A kernel costs seconds of the C++ compiler: the formats, ranks and parameters that others have are few here.
    capabilities = replace(
        TorchNN.capabilities,
        dtypes=frozenset({"float32"}),
        mixed=frozenset({("bfloat16", "float32")}),
        ranks=frozenset({2, 4}),
        affine=frozenset({"both"}),
        cumulative=False,  # momentum=None reads the number of batches as a Python number: no whole graph
        second_order=frozenset(),
        compiles=True,
        threads=False,
        concurrent=False,
        original=True,
        devices=("cpu",),
    )
    dynamic = False

    def build(self, config: LayerConfig) -> Layer:
        return _CompiledLayer(self._module(config), self.dynamic)

    def build_original(self, config: LayerConfig) -> Layer:
        return super().build(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return CompiledCode(config, self.dynamic)


class TorchCompileDynamic(TorchCompile):
    """`torch.compile(dynamic=True)` of `torch.nn`: sizes are symbols, and a kernel serves all of them."""

    name = "torch.compile[dynamic]"
    dynamic = True
