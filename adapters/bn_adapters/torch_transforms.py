"""PyTorch's modules under what people put around them: autocast, `torch.func`, `torch.export` and fusion.

The module is that of `torch.nn` each time, so that a difference from `torch.nn` is the doing of what is around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bn_adapters.recorded import recorded
from bn_adapters.torch_modules import TorchModuleLayer, TorchNN
from bn_adapters.torch_tensors import to_array, to_tensor, torch_dtype
from bn_adapters.torch_transforms_code import AutocastCode, ExportCode, FuncCode, FusionCode
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, SecondOrder
from bn_conformance.layer_code import LayerCode

Tree = Mapping[str, Any]
"""Tensors by their names in the module."""


class _AutocastLayer(TorchModuleLayer):
    """The forward under autocast, the backward outside of it, as torch.autocast's documentation asks."""

    def apply(self, x: Any, training: bool) -> Any:
        with self.torch.autocast(self.device, dtype=self.torch.bfloat16):
            return super().apply(x, training)


class _FuncLayer(TorchModuleLayer):
    """One of two models that `torch.func.vmap` runs at once; the other is given the channels in reverse order."""

    kept: tuple[Tree, Tree, Any, bool] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        training = training and not self.frozen
        parameters, buffers = (
            {name: self._twice(tensor.detach(), 0) for name, tensor in named}
            for named in (self.held.named_parameters(), self.held.named_buffers())
        )
        doubled = self._twice(self._input(x), 1)
        self.kept = (parameters, buffers, doubled, training)
        self.held.train(training)
        y, moved = self.torch.func.vmap(self._call)(parameters, buffers, doubled)
        with self.torch.no_grad():
            for name, buffer in self.held.named_buffers():
                buffer.copy_(moved[name][0])
        return to_array(y[0])

    def _call(self, parameters: Tree, buffers: Tree, x: Any) -> tuple[Any, Tree]:
        """Give y and the buffers after it."""
        moved = {name: buffer.clone() for name, buffer in buffers.items()}
        return self.torch.func.functional_call(self.held, (parameters, moved), (x,)), moved

    def _twice(self, tensor: Any, axis: int) -> Any:
        """The tensor, and that with an axis in reverse order; as it is where it has no such axis."""
        return self.torch.stack([tensor, tensor.flip(axis) if tensor.dim() > axis else tensor])

    def _first(self, parameters: Tree, buffers: Tree, x: Any, dy: Any) -> tuple[Tree, Any]:
        """The gradients of the parameters and of x."""
        pull = self.torch.func.vjp(lambda *given: self._call(given[0], buffers, given[1])[0], parameters, x)[1]
        found: tuple[Tree, Any] = pull(dy)
        return found

    def backward(self, dy: Array) -> Gradients:
        *inputs, training = recorded(self.kept)
        self.held.train(training)
        found, dx = self.torch.func.vmap(self._first)(*inputs, self._twice(self._input(dy), 1))
        return Gradients(to_array(dx[0]), *(self._vector(found, name) for name in ("weight", "bias")))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        parameters, buffers, x, training = recorded(self.kept)
        self.held.train(training)
        given = {"weight": v_dgamma, "bias": v_dbeta}
        weights = {name: self._weight(given[name], tensor[0]) for name, tensor in parameters.items()}

        def second(parameters: Tree, buffers: Tree, x: Any, dy: Any, weights: Tree, v_dx: Any) -> Any:
            def first(parameters: Tree, x: Any, dy: Any) -> tuple[Tree, Any]:
                return self._first(parameters, buffers, x, dy)

            return self.torch.func.vjp(first, parameters, x, dy)[1]((weights, v_dx))

        run = self.torch.func.vmap(second)
        vectors = (self._twice(self._input(array), 1) for array in (dy, v_dx))
        found, ds_dx, ds_ddy = run(parameters, buffers, x, next(vectors), weights, next(vectors))
        return SecondOrder(to_array(ds_dx[0]), self._vector(found, "weight"), to_array(ds_ddy[0]))

    def _weight(self, given: Array | None, like: Any) -> Any:
        return self._twice(self.torch.zeros_like(like) if given is None else to_tensor(given, self.device), 0)

    @staticmethod
    def _vector(tree: Tree, name: str) -> Array | None:
        return to_array(tree[name][0]) if name in tree else None


class _ExportedLayer(TorchModuleLayer):
    """A program for each mode and shape, over the module's own tensors."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.programs: dict[Any, Any] = {}

    def apply(self, x: Any, training: bool) -> Any:
        training = training and not self.frozen
        key = (training, x.shape, x.dtype)
        if key not in self.programs:
            self.held.train(training)
            self.programs[key] = self.torch.export.export(self.held, (x.detach(),)).module()
        return self.programs[key](x)


class _FusionLayer(TorchModuleLayer):
    """The module folded into a convolution that gives each channel as it is, anew for each call."""

    def __init__(self, config: LayerConfig, module: Any) -> None:
        super().__init__(module)
        make = getattr(self.torch.nn, f"Conv{config.rank - 2}d")
        channels, dtype = config.num_channels, torch_dtype(config.dtype)
        self.convolution = make(channels, channels, 1, groups=channels, bias=False, dtype=dtype)
        self.torch.nn.init.ones_(self.convolution.weight)

    def apply(self, x: Any, training: bool) -> Any:
        fuse = self.torch.nn.utils.fusion.fuse_conv_bn_eval
        return fuse(self.convolution.eval(), self.held.eval())(x)

    def backward(self, dy: Array) -> Gradients:
        raise NotImplementedError("a fused layer has neither gamma nor beta that a gradient could be of")


class TorchAutocast(TorchNN):
    """`torch.nn` under `torch.autocast(dtype=torch.bfloat16)`, with the float32 parameters of mixed precision."""

    name = "torch.nn[autocast-bfloat16]"
    group = "more"
    capabilities = replace(
        TorchNN.capabilities, dtypes=frozenset({"float32"}), mixed=frozenset({("bfloat16", "float32")})
    )

    def build(self, config: LayerConfig) -> Layer:
        return _AutocastLayer(self._module(config), self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return AutocastCode(config)


class TorchFunc(TorchNN):
    """`torch.func.functional_call` of `torch.nn` under `vmap`, and `vjp` under `vmap` for its gradients."""

    name = "torch.func"
    group = "more"
    # momentum=None reads the number of batches as a Python number, which vmap has none of. With 16-bit x and float32
    # parameters the forward raises under vmap: "expected scalar type BFloat16 but found Float".
    capabilities = replace(TorchNN.capabilities, cumulative=False, mixed=frozenset())

    def build(self, config: LayerConfig) -> Layer:
        return _FuncLayer(self._module(config), self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return FuncCode(config)


class TorchExport(TorchNN):
    """`torch.export.export` of `torch.nn`, in the mode in which it is called."""

    name = "torch.export"
    group = "more"
    # momentum=None reads the number of batches as a Python number, which a program has none of. An export switches on
    # modes of the whole process: of two threads that export, one ends with "slot already occupied".
    capabilities = replace(
        TorchNN.capabilities, cumulative=False, compiles=True, concurrent=False, original=True, devices=("cpu",)
    )

    def build(self, config: LayerConfig) -> Layer:
        return _ExportedLayer(self._module(config))

    def build_original(self, config: LayerConfig) -> Layer:
        return super().build(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return ExportCode(config)


class TorchFusion(TorchNN):
    """`torch.nn.utils.fusion.fuse_conv_bn_eval`: inference as a convolution, gradients aside."""

    name = "torch.fuse"
    group = "more"
    capabilities = replace(
        TorchNN.capabilities,
        mixed=frozenset(),
        ranks=frozenset({3, 4, 5}),
        modes=frozenset({"inference"}),
        gradients=frozenset(),
        second_order=frozenset(),
        cumulative=False,
        freeze=False,
        devices=("cpu",),
    )

    def build(self, config: LayerConfig) -> Layer:
        return _FusionLayer(config, self._module(config))

    def code(self, config: LayerConfig) -> LayerCode:
        return FusionCode(config)
