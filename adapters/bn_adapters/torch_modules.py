"""PyTorch: its modules, its function, its channels-last memory format, and any module of a user's.

`TorchModuleLayer` makes a contract layer of any `torch.nn.Module` that has the attributes weight, bias, running_mean
and running_var, so that the adapter of a new module only has to build it (see adapters/README.md). Gradients come from
torch's autograd. Arrays go to torch without a copy, so that a module which writes into its input is seen doing it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any, ClassVar

from bn_adapters.recorded import recorded
from bn_adapters.torch_autograd import ParameterPair, gradients, second_order_gradients
from bn_adapters.torch_code import MEMORY_FORMATS, TorchFunctionCode, TorchModuleCode
from bn_adapters.torch_tensors import load_torch, to_array, to_tensor, torch_dtype
from bn_conformance.adapter import (
    CUMULATIVE,
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
    SecondOrder,
)
from bn_conformance.layer_code import LayerCode

# Of wider parameters torch's CPU kernels take float32 beside float16 and bfloat16, and nothing else: "mixed dtype
# (CPU): expect parameter to have scalar type of Float" (ATen/native/mixed_data_type.h).
ALL_DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
MIXED = frozenset({("float16", "float32"), ("bfloat16", "float32")})
DEVICES = ("cpu", "cuda")
INSTALL = "pip install 'bnconform[torch]'"


def hyperparameters(config: LayerConfig) -> dict[str, Any]:
    """The arguments eps and momentum in torch's terms, without those that are left to the implementation."""
    chosen: dict[str, Any] = {}
    if config.eps is not None:
        chosen["eps"] = config.eps
    if config.momentum is not None:
        chosen["momentum"] = None if config.momentum == CUMULATIVE else config.momentum
    return chosen


class TorchLayer(Layer):
    """What layers over torch tensors share; `apply` is what they differ in.

    Args:
        held: object with the attributes weight, bias (None or missing if absent), running_mean and running_var.
        device: where it runs, as torch names it.
        memory_format: name of the torch memory format that x and dy are brought to, or None to leave them as they are.
    """

    def __init__(self, held: Any, device: str = "cpu", memory_format: str | None = None) -> None:
        self.torch = load_torch()
        self.held = held
        self.device = device
        self.memory_format = getattr(self.torch, memory_format) if memory_format else None
        self.latest: tuple[Any, Any] | None = None

    @abstractmethod
    def apply(self, x: Any, training: bool) -> Any:
        """The implementation's own forward pass, tensor to tensor."""

    def forward(self, x: Array, training: bool) -> Array:
        x_tensor = self._input(x)
        if x_tensor.is_floating_point():  # anything else is for the implementation to refuse
            x_tensor.requires_grad_(True)
        y_tensor = self.apply(x_tensor, training)
        self.latest = (x_tensor, y_tensor)
        return to_array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        return gradients(*self._recorded(), self._input(dy))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        vectors = (None if part is None else to_tensor(part, self.device) for part in (v_dgamma, v_dbeta))
        return second_order_gradients(*self._recorded(), self._input(dy), (self._input(v_dx), *vectors))

    def _recorded(self) -> tuple[Any, Any, ParameterPair]:
        """The latest y and x, and the parameters."""
        x_tensor, y_tensor = recorded(self.latest)
        return y_tensor, x_tensor, (getattr(self.held, "weight", None), getattr(self.held, "bias", None))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(to_array(self.held.running_mean).copy(), to_array(self.held.running_var).copy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._copy_into(running_mean=mean, running_var=variance)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        self._copy_into(weight=gamma, bias=beta)

    def overwritten(self, but: Collection[str] = ()) -> None:
        # On the CPU the arrays are the memory of these tensors: a write into one counts, as `y.mul_(2)` does.
        if self.latest is not None and self.device == "cpu":
            x, y = self.latest
            for tensor, name in ((x, "x of forward"), (y, "y of forward")):
                if name not in but:
                    self.torch.autograd.graph.increment_version(tensor)

    def _copy_into(self, **arrays: Array | None) -> None:
        with self.torch.no_grad():
            for name, array in arrays.items():
                if array is not None:
                    getattr(self.held, name).copy_(to_tensor(array))

    def _input(self, array: Array) -> Any:
        tensor = to_tensor(array, self.device)
        return tensor if self.memory_format is None else tensor.contiguous(memory_format=self.memory_format)


class TorchModuleLayer(TorchLayer):
    """Any torch module with the attributes weight, bias, running_mean and running_var, behind the contract.

    The module comes in the dtype of its parameters; `device` and `memory_format` are as in `TorchLayer`.
    """

    def __init__(self, module: Any, device: str = "cpu", memory_format: str | None = None) -> None:
        super().__init__(module.to(device), device, memory_format)
        self.frozen = False

    def apply(self, x: Any, training: bool) -> Any:
        training = training and not self.frozen
        if self.held.training != training:
            self.held.train(training)
        return self.held(x)

    def state(self) -> Mapping[str, Array]:
        return {name: to_array(tensor).copy() for name, tensor in self.held.state_dict().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.held.load_state_dict({name: to_tensor(array) for name, array in state.items()})

    def freeze(self) -> None:
        # torch's way: module.eval() after every model.train(). The parameters keep their gradients.
        self.frozen = True


class TorchFunctionalLayer(TorchLayer):
    """`torch.nn.functional.batch_norm` with the tensors that its caller keeps; there is no module and no state_dict."""

    def __init__(self, config: LayerConfig, device: str = "cpu") -> None:
        torch, shape = load_torch(), (config.num_channels,)
        options = {"dtype": torch_dtype(config.parameter_dtype), "device": device}
        held = SimpleNamespace(
            weight=torch.ones(shape, requires_grad=True, **options) if config.gamma else None,
            bias=torch.zeros(shape, requires_grad=True, **options) if config.beta else None,
            running_mean=torch.zeros(shape, **options),
            running_var=torch.ones(shape, **options),
        )
        super().__init__(held, device)
        self.arguments = hyperparameters(config)

    def apply(self, x: Any, training: bool) -> Any:
        return self.torch.nn.functional.batch_norm(x, training=training, **vars(self.held), **self.arguments)

    def state(self) -> Mapping[str, Array]:
        return {name: to_array(tensor).copy() for name, tensor in vars(self.held).items() if tensor is not None}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self._copy_into(**state)


class TorchAdapter(Adapter):
    """What the adapters of torch share."""

    framework = "torch"
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    install = INSTALL

    def set_threads(self, count: int) -> None:
        load_torch().set_num_threads(count)


class TorchNN(TorchAdapter):
    """`torch.nn.BatchNorm1d` for ranks 2 and 3, `BatchNorm2d` for 4, `BatchNorm3d` for 5."""

    name = "torch.nn"
    convention = Convention()  # the default convention is this module's: see the docstring of torch.nn.BatchNorm2d
    capabilities = Capabilities(
        dtypes=ALL_DTYPES,
        mixed=MIXED,
        affine=frozenset({"both", "none", "gamma"}),  # bias=False; there is no argument to drop the weight alone
        cumulative=True,
        freeze=True,
        threads=True,
        second_order=frozenset({"training", "inference"}),
        devices=DEVICES,
    )

    def build(self, config: LayerConfig) -> Layer:
        return TorchModuleLayer(self._module(config), self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return TorchModuleCode(config)

    def supports(self, config: LayerConfig) -> str | None:
        if config.gamma and not config.beta and _installed("torch") < (2, 13):
            return "torch.nn.BatchNorm has no argument bias before torch 2.13, so it cannot scale without shifting"
        return None

    def _module(self, config: LayerConfig) -> Any:
        torch = load_torch()
        dimensions = {2: "1d", 3: "1d", 4: "2d", 5: "3d"}[config.rank]
        options: dict[str, Any] = {} if config.gamma == config.beta else {"bias": config.beta}
        return getattr(torch.nn, "BatchNorm" + dimensions)(
            config.num_channels,
            affine=config.gamma,
            dtype=torch_dtype(config.parameter_dtype),
            **hyperparameters(config),
            **options,
        )


class TorchNNChannelsLast(TorchNN):
    """`torch.nn` fed with tensors in channels-last memory format; the shape stays (N, C, ...)."""

    name = "torch.nn[channels_last]"
    # torch has these memory formats for two and three spatial axes only
    capabilities = replace(TorchNN.capabilities, ranks=frozenset({4, 5}))

    def build(self, config: LayerConfig) -> Layer:
        return TorchModuleLayer(self._module(config), self.device, MEMORY_FORMATS[config.rank])

    def code(self, config: LayerConfig) -> LayerCode:
        return TorchModuleCode(config, MEMORY_FORMATS[config.rank])


class TorchFunctional(TorchAdapter):
    """`torch.nn.functional.batch_norm`, the caller keeping the tensors.

    The initial running statistics are the caller's, not the function's: this adapter starts them as the modules do.
    Freezing and the cumulative average live in the modules; the function has neither.
    """

    name = "torch.functional"
    convention = Convention()
    capabilities = Capabilities(
        dtypes=ALL_DTYPES,
        mixed=MIXED,
        affine=frozenset({"both", "none", "gamma", "beta"}),
        threads=True,
        second_order=frozenset({"training", "inference"}),
        devices=DEVICES,
    )

    def build(self, config: LayerConfig) -> Layer:
        return TorchFunctionalLayer(config, self.device)

    def code(self, config: LayerConfig) -> LayerCode:
        return TorchFunctionCode(config)


def _installed(distribution: str) -> tuple[int, int]:
    """Major and minor version of a distribution, (0, 0) where it is missing."""
    try:
        major, minor = version(distribution).split(".")[:2]
    except PackageNotFoundError:
        return 0, 0
    return int(major), int(minor)
