"""Transformers' frozen batch normalisation as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.torch_code import TorchModuleCode, autograd_step
from bn_conformance.layer_code import Lines, StepCall


class FrozenCode(TorchModuleCode):
    """`DetrFrozenBatchNorm2d`, whose gamma and beta are buffers."""

    imports = (
        "import torch",
        "from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d",
        "",
        "torch.set_num_threads(1)",
    )

    def build(self) -> Lines:
        yield f"layer = DetrFrozenBatchNorm2d({self.config.num_channels}).to(torch.{self.config.parameter_dtype})"

    def step(self, call: StepCall) -> Lines:
        yield "layer.train()" if call.training else "layer.eval()"
        yield from autograd_step(call, "layer(x_tensor)", {}, self.config.dtype)
