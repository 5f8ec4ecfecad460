"""PyTorch's modules under autocast, `torch.func`, `torch.export`, `torch.compile` and fusion, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.torch_code import TorchModuleCode
from bn_conformance.layer_code import Lines, StepCall
from bn_reference.specification.config import LayerConfig


class _AroundCode(TorchModuleCode):
    """A function `forward` around the module, which autograd differentiates."""

    called = "forward"

    def build(self) -> Lines:
        yield from super().build()
        yield from self.forward()

    def forward(self) -> Lines:
        """Define `forward`, of x."""
        raise NotImplementedError


class AutocastCode(_AroundCode):
    """Under autocast."""

    def forward(self) -> Lines:
        yield "def forward(x):"
        yield '    with torch.autocast("cpu", dtype=torch.bfloat16):'
        yield "        return layer(x)"


class ExportCode(_AroundCode):
    """Exported in the mode in which it is called."""

    def forward(self) -> Lines:
        yield "def forward(x):"
        yield "    return torch.export.export(layer, (x.detach(),)).module()(x)"


class FusionCode(_AroundCode):
    """Folded into a convolution that gives each channel as it is."""

    def forward(self) -> Lines:
        config, channels = self.config, self.config.num_channels
        given = f"{channels}, {channels}, 1, groups={channels}, bias=False, dtype=torch.{config.dtype}"
        yield f"convolution = torch.nn.Conv{config.rank - 2}d({given}).eval()"
        yield "torch.nn.init.ones_(convolution.weight)"
        yield "def forward(x):"
        yield "    return torch.nn.utils.fusion.fuse_conv_bn_eval(convolution, layer)(x)"


class FuncCode(TorchModuleCode):
    """`functional_call` of two models under `vmap`; the second is given the channels in reverse order."""

    def build(self) -> Lines:
        yield from super().build()
        yield "def twice(tensor, axis):"
        yield "    return torch.stack([tensor, tensor.flip(axis) if tensor.dim() > axis else tensor])"
        yield "def call(parameters, buffers, x):"
        yield "    moved = {name: buffer.clone() for name, buffer in buffers.items()}"
        yield "    return torch.func.functional_call(layer, (parameters, moved), (x,)), moved"
        yield "def first(parameters, buffers, x, dy):"
        yield "    return torch.func.vjp(lambda p, x: call(p, buffers, x)[0], parameters, x)[1](dy)"
        yield "def second(parameters, buffers, x, dy, weights, v_dx):"
        yield "    gradients = lambda p, x, dy: first(p, buffers, x, dy)"
        yield "    return torch.func.vjp(gradients, parameters, x, dy)[1]((weights, v_dx))"

    def step(self, call: StepCall) -> Lines:
        dtype = f"torch.{self.config.dtype}"
        named = {"weight": "gamma", "bias": "beta"}
        yield "layer.train()" if call.training else "layer.eval()"
        yield "parameters = {name: twice(value.detach(), 0) for name, value in layer.named_parameters()}"
        yield "buffers = {name: twice(value, 0) for name, value in layer.named_buffers()}"
        yield f"both = twice(torch.tensor(x, dtype={dtype}), 1)"
        yield "y_both, moved = torch.func.vmap(call)(parameters, buffers, both)"
        yield "y_out = y_both[0]"
        if call.backward or call.second:
            yield f"dy_both = twice(torch.tensor(dy, dtype={dtype}), 1)"
            yield "found, dx_both = torch.func.vmap(first)(parameters, buffers, both, dy_both)"
            yield "dx_out = dx_both[0]"
            for name, ours in named.items():
                if ours in self.parameters:
                    yield f'd{ours}_out = found["{name}"][0]'
        if call.second:
            yield "weights = {"
            for name, ours in named.items():
                if ours in self.parameters:
                    given = f"twice(torch.tensor(v_d{ours}).to(layer.{name}.dtype), 0)"
                    none = f'torch.zeros_like(parameters["{name}"])'
                    yield f'    "{name}": {given if f"v_d{ours}" in call.second else none},'
            yield "}"
            yield f"v_dx_both = twice(torch.tensor(v_dx, dtype={dtype}), 1)"
            yield "found, ds_dx_both, ds_ddy_both = torch.func.vmap(second)("
            yield "    parameters, buffers, both, dy_both, weights, v_dx_both"
            yield ")"
            yield "ds_dx_out, ds_ddy_out = ds_dx_both[0], ds_ddy_both[0]"
            if "gamma" in self.parameters:
                yield 'ds_dgamma_out = found["weight"][0]'
        yield "for name, buffer in layer.named_buffers():"
        yield "    buffer.copy_(moved[name][0])"


class CompiledCode(TorchModuleCode):
    """Under `torch.compile`."""

    called = "compiled"

    def __init__(self, config: LayerConfig, dynamic: bool) -> None:
        super().__init__(config)
        self.dynamic = dynamic

    def build(self) -> Lines:
        yield from super().build()
        yield "torch._dynamo.reset()"
        yield f"compiled = torch.compile(layer, dynamic={self.dynamic}, fullgraph=True)"
