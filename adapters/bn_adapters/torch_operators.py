"""PyTorch's operators below the checks of its modules: `torch.batch_norm`, and `torch.native_batch_norm`.

`torch.nn.functional.batch_norm` refuses a training batch of one value a channel, and then calls `torch.batch_norm`,
which chooses a kernel. `torch.native_batch_norm` is the CPU's own; `aten::native_batch_norm_backward` is called by hand
here, as compilers and other frontends call it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bn_adapters.recorded import recorded
from bn_adapters.torch_code import TorchNativeCode, TorchOperatorCode
from bn_adapters.torch_modules import TorchAdapter, TorchFunctional, TorchFunctionalLayer
from bn_adapters.torch_tensors import load_torch, to_array, to_tensor
from bn_conformance.adapter import Array, Convention, Gradients, Layer, LayerConfig, SavedStatistics, SecondOrder
from bn_conformance.layer_code import LayerCode


class _OperatorLayer(TorchFunctionalLayer):
    """`torch.batch_norm`, differentiated by autograd, with the tensors of its caller."""

    def apply(self, x: Any, training: bool) -> Any:
        held, given = self.held, self.arguments
        vectors = (held.weight, held.bias, held.running_mean, held.running_var)
        return self.torch.batch_norm(x, *vectors, training, given["momentum"], given["eps"], True)


class _NativeLayer(TorchFunctionalLayer):
    """`torch.native_batch_norm`, and its backward with what the forward saved."""

    saved: tuple[tuple[Any, ...], bool] | None = None

    def apply(self, x: Any, training: bool) -> Any:
        held, given = self.held, self.arguments
        vectors = (held.weight, held.bias, held.running_mean, held.running_var)
        with self.torch.no_grad():
            y, *kept = self.torch.native_batch_norm(x, *vectors, training, given["momentum"], given["eps"])
        self.saved = (x, held.weight, held.running_mean, held.running_var, *kept), training
        return y

    def backward(self, dy: Array) -> Gradients:
        inputs, training = recorded(self.saved)
        has = (True, self.held.weight is not None, self.held.bias is not None)
        with self.torch.no_grad():
            found = load_torch().ops.aten.native_batch_norm_backward(
                self._input(dy), *inputs, training, self.arguments["eps"], list(has)
            )
        dx, dgamma, dbeta = (to_array(part) if given else None for part, given in zip(found, has, strict=True))
        assert dx is not None
        return Gradients(dx, dgamma, dbeta)

    def saved_statistics(self) -> SavedStatistics:
        (*_, mean, inverse), _ = recorded(self.saved)
        return SavedStatistics(to_array(mean).copy(), to_array(inverse).copy())

    def backward_from(self, dy: Array, mean: Array, variance: Array) -> Gradients:
        own = recorded(self.saved)
        *inputs, own_mean, own_inverse = own[0]
        exact = mean, 1.0 / np.sqrt(variance + self.arguments["eps"])
        given = (
            self.torch.from_numpy(vector).to(part) for vector, part in zip(exact, (own_mean, own_inverse), strict=True)
        )
        self.saved = (*inputs, *given), own[1]
        try:
            return self.backward(dy)
        finally:
            self.saved = own

    def _copy_into(self, **arrays: Array | None) -> None:
        # New tensors, as nothing but autograd would see a write into those that a backward still needs.
        for name, array in arrays.items():
            if array is not None:
                setattr(self.held, name, to_tensor(array).clone())

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        raise NotImplementedError("the backward is an operator here, which nothing differentiates")


class TorchBatchNorm(TorchAdapter):
    """`torch.batch_norm`: what `torch.nn.functional.batch_norm` calls when it has checked the size of x."""

    name = "torch.batch_norm"
    group = "more"
    # The operator has no defaults of its own: "func: batch_norm(..., bool training, float momentum, float eps,
    # bool cudnn_enabled)" in aten/src/ATen/native/native_functions.yaml.
    convention = Convention(default_momentum=None, default_eps=None)
    capabilities = TorchFunctional.capabilities

    def build(self, config: LayerConfig) -> Layer:
        return _OperatorLayer(config, self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return TorchOperatorCode(config)

    def supports(self, config: LayerConfig) -> str | None:
        if config.eps is None or config.momentum is None:
            return f"{self.name} has no default for {'eps' if config.eps is None else 'momentum'}"
        return None


class TorchNativeBatchNorm(TorchBatchNorm):
    """`torch.native_batch_norm` and `aten::native_batch_norm_backward`."""

    name = "torch.native_batch_norm"
    framework = "torch-native"  # a process of its own: it writes beyond the end of vectors that do not fit
    capabilities = replace(
        TorchFunctional.capabilities,
        second_order=frozenset(),
        saved_statistics=frozenset({"forward", "backward"}),
        devices=("cpu",),
    )

    def build(self, config: LayerConfig) -> Layer:
        return _NativeLayer(config, self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return TorchNativeCode(config)
