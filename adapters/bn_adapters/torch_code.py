"""PyTorch's batch normalisation as its users call it, for `bnconform repro`."""

from __future__ import annotations

from collections.abc import Mapping

from bn_conformance.layer_code import LayerCode, Lines, StepCall
from bn_reference.specification.config import CUMULATIVE, LayerConfig

MEMORY_FORMATS = {4: "channels_last", 5: "channels_last_3d"}
"""By the rank of x."""


def operand(name: str, call: StepCall, dtype: str) -> str:
    """An expression of a tensor with the numbers of an array, in memory as the step says."""
    if name in call.reversed_axes:
        return f"torch.tensor({name}.T.copy(), dtype=torch.{dtype}).permute(*reversed(range({name}.ndim)))"
    return f"torch.tensor({name}, dtype=torch.{dtype})"


def autograd_step(
    call: StepCall, forward: str, sources: Mapping[str, str], dtype: str, memory_format: str = ""
) -> Lines:
    """A step with gradients by torch's autograd.

    Args:
        call: what is asked.
        forward: an expression of `x_tensor`.
        sources: the tensors that gradients are taken of beside x, by the name of the gradient.
        dtype: of x.
        memory_format: the name of a memory format of torch; empty for none.
    """
    placed = f".contiguous(memory_format=torch.{memory_format})" if memory_format else ""

    def tensor(name: str, dtype: str = dtype, placed: str = placed) -> str:
        return f"torch.tensor({name}, dtype=torch.{dtype}){placed}" if placed else operand(name, call, dtype)

    gradients = call.backward or call.second
    yield f"x_tensor = {tensor('x')}" + ".requires_grad_()" * bool(gradients)
    yield f"y_out = {forward}"
    if not gradients:
        return
    yield f"dy_tensor = {tensor('dy')}" + ".requires_grad_()" * bool(call.second)
    names, tensors = ["dx", *sources], ["x_tensor", *sources.values()]
    yield f"sources = [{', '.join(tensors)}]"
    create = ", create_graph=True" if call.second else ""
    results = ", ".join(f"{name}_out" for name in names) + ("," if len(names) == 1 else "")
    yield f"{results} = torch.autograd.grad(y_out, sources, dy_tensor{create})"
    if call.second:
        weights = [weight for weight in call.second if weight.removeprefix("v_") in names]
        yield f"outputs = [{', '.join(weight.removeprefix('v_') + '_out' for weight in weights)}]"
        yield f"weights = [{', '.join(weights)}]"
        yield "weights = [torch.tensor(part).to(output.dtype) for part, output in zip(weights, outputs)]"
        gamma = [sources["dgamma"]] if "dgamma" in sources else []
        left = ["ds_dx_out", *["ds_dgamma_out" for _ in gamma], "ds_ddy_out"]
        wanted = f"[{', '.join(['x_tensor', *gamma, 'dy_tensor'])}]"
        yield f"{', '.join(left)} = torch.autograd.grad(outputs, {wanted}, weights)"


class _TorchCode(LayerCode):
    """What the code of torch's module and of its function share."""

    imports: tuple[str, ...] = ("import torch", "", "torch.set_num_threads(1)")
    array = "value.detach().double().numpy()"

    def __init__(self, config: LayerConfig, memory_format: str = "") -> None:
        super().__init__(config)
        self.memory_format = memory_format

    def hyperparameters(self) -> list[str]:
        """The arguments eps and momentum."""
        config, given = self.config, []
        if config.eps is not None:
            given.append(f"eps={config.eps!r}")
        if config.momentum is not None:
            given.append(f"momentum={None if config.momentum == CUMULATIVE else config.momentum!r}")
        return given

    def copied(self, **sources: str) -> Lines:
        """Copy NumPy arrays into tensors."""
        yield "with torch.no_grad():"
        for tensor, source in sources.items():
            yield f"    {tensor.replace('__', '.')}.copy_(torch.tensor({source}))"


class TorchModuleCode(_TorchCode):
    """`torch.nn.BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`."""

    called = "layer"
    """What is called with x: an expression."""

    def build(self) -> Lines:
        config = self.config
        given = [str(config.num_channels), *self.hyperparameters()]
        given += ["affine=False"] if not config.gamma else []
        given += ["bias=False"] if config.gamma and not config.beta else []
        name = {2: "1d", 3: "1d", 4: "2d", 5: "3d"}[config.rank]
        yield f"layer = torch.nn.BatchNorm{name}({', '.join(given)}, dtype=torch.{config.parameter_dtype})"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        yield from self.copied(**{f"layer__{_MODULE_NAMES[name]}": name for name in names})

    def set_statistics(self) -> Lines:
        yield from self.copied(layer__running_mean="running_mean", layer__running_var="running_var")

    def step(self, call: StepCall) -> Lines:
        yield "layer.train()" if call.training else "layer.eval()"
        sources = {f"d{name}": f"layer.{_MODULE_NAMES[name]}" for name in self.parameters}
        yield from autograd_step(call, f"{self.called}(x_tensor)", sources, self.config.dtype, self.memory_format)

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = layer.running_mean, layer.running_var"


class TorchFunctionCode(_TorchCode):
    """`torch.nn.functional.batch_norm`, with the tensors of its caller."""

    def build(self) -> Lines:
        channels, dtype = self.config.num_channels, f"dtype=torch.{self.config.parameter_dtype}"
        for name, make in (("weight", "ones"), ("bias", "zeros")):
            has = getattr(self.config, {"weight": "gamma", "bias": "beta"}[name])
            yield f"{name} = " + (f"torch.{make}({channels}, {dtype}, requires_grad=True)" if has else "None")
        yield f"mean, variance = torch.zeros({channels}, {dtype}), torch.ones({channels}, {dtype})"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        yield from self.copied(**{_MODULE_NAMES[name]: name for name in names})

    def set_statistics(self) -> Lines:
        yield from self.copied(mean="running_mean", variance="running_var")

    def step(self, call: StepCall) -> Lines:
        sources = {f"d{name}": _MODULE_NAMES[name] for name in self.parameters}
        yield from autograd_step(call, self.forward(call.training), sources, self.config.dtype)

    def forward(self, training: bool) -> str:
        """The call, of `x_tensor`."""
        given = ["x_tensor", "mean", "variance", "weight", "bias", f"training={training}", *self.hyperparameters()]
        return f"torch.nn.functional.batch_norm({', '.join(given)})"

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = mean, variance"


_MODULE_NAMES = {"gamma": "weight", "beta": "bias"}


class TorchOperatorCode(TorchFunctionCode):
    """`torch.batch_norm`, which has no defaults and no checks of sizes."""

    def forward(self, training: bool) -> str:
        """The call, of `x_tensor`."""
        config = self.config
        numbers = f"{training}, {config.momentum!r}, {config.eps!r}, True"
        return f"torch.batch_norm(x_tensor, weight, bias, mean, variance, {numbers})"


class TorchNativeCode(TorchFunctionCode):
    """`torch.native_batch_norm`, and its backward as an operator, with new tensors where vectors are set."""

    def copied(self, **sources: str) -> Lines:
        for tensor, source in sources.items():
            yield f"{tensor} = torch.tensor({source})"

    def step(self, call: StepCall) -> Lines:
        config = self.config
        yield f"x_tensor = {operand('x', call, config.dtype)}"
        yield "with torch.no_grad():"
        yield "    y_out, saved_mean, saved_inverse = torch.native_batch_norm("
        yield f"        x_tensor, weight, bias, mean, variance, {call.training}, {config.momentum!r}, {config.eps!r}"
        yield "    )"
        if call.backward:
            yield f"dy_tensor = {operand('dy', call, config.dtype)}"
            yield "with torch.no_grad():"
            yield "    dx_out, dgamma_out, dbeta_out = torch.ops.aten.native_batch_norm_backward("
            yield "        dy_tensor, x_tensor, weight, mean, variance, saved_mean, saved_inverse,"
            yield f"        {call.training}, {config.eps!r}, [True, {config.gamma}, {config.beta}]"
            yield "    )"
