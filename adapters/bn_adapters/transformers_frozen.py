"""Hugging Face Transformers: the frozen batch normalisation of its detection models.

`DetrFrozenBatchNorm2d` says that it is torchvision's `FrozenBatchNorm2d` with an eps. The modules of RT-DETR, D-FINE,
Grounding DINO and of the other detection models of Transformers are copies of it under other names.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bn_adapters.torch_autograd import ParameterPair
from bn_adapters.torch_modules import ALL_DTYPES, TorchAdapter, TorchModuleLayer
from bn_adapters.torch_tensors import load_torch, torch_dtype
from bn_adapters.transformers_code import FrozenCode
from bn_conformance.adapter import Capabilities, Convention, Layer, LayerConfig
from bn_conformance.layer_code import LayerCode


@cache
def _module_class() -> Any:
    """The class, from the module of its model alone."""
    load_torch()
    from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d

    return DetrFrozenBatchNorm2d


class _FrozenLayer(TorchModuleLayer):
    """A module that is frozen from the start: its gamma, beta and statistics are buffers."""

    def apply(self, x: Any, training: bool) -> Any:
        self.held.train(training)
        return self.held(x)

    def _recorded(self) -> tuple[Any, Any, ParameterPair]:
        y, x, _ = super()._recorded()
        return y, x, (None, None)


class TransformersFrozen(TorchAdapter):
    """`transformers.models.detr.modeling_detr.DetrFrozenBatchNorm2d`, in `train()` and in `eval()`."""

    name = "transformers.DetrFrozenBatchNorm2d"
    group = "more"
    framework = "transformers"
    requires = ("torch", "transformers")
    install = "pip install 'bnconform[transformers]'"
    # eps is a literal in its forward. There is no momentum.
    convention = Convention(default_eps=1e-5, default_momentum=None)
    # Beside wider buffers y would have their format, by torch's promotion: no `mixed`.
    capabilities = Capabilities(
        dtypes=ALL_DTYPES,
        ranks=frozenset({4}),
        modes=frozenset({"inference"}),
        gradients=frozenset({"inference"}),
        parameter_gradients=False,
        affine=frozenset({"both"}),
        literals=frozenset({"eps"}),
        freeze=True,
        threads=True,
        second_order=frozenset({"inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        module = _module_class()(config.num_channels).to(torch_dtype(config.parameter_dtype))
        return _FrozenLayer(module, self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return FrozenCode(config)
