"""The contract layer of a torch module that was read."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.torch_autograd import accumulated_gradients, let_go
from bn_adapters.torch_modules import TorchLayer
from bn_adapters.torch_tensors import load_torch, to_array, to_tensor
from bn_adapters.wrappers.torch.calling import Calling
from bn_adapters.wrappers.torch.construction import Construction
from bn_adapters.wrappers.torch.names import BIAS, MEAN, VARIANCE, WEIGHT
from bn_conformance.adapter import Array, Gradients, LayerConfig, RunningStatistics


@dataclass(frozen=True)
class ModuleRecipe:
    """What makes layers of a class: how they are built, how they are called, and in which format they are tried."""

    construction: Construction
    calling: Calling
    tried_in: str = "float32"

    def layer(self, config: LayerConfig, weighs_old: bool = False, device: str = "cpu") -> ReadModuleLayer:
        """A fresh layer behind the contract."""
        return ReadModuleLayer(self.construction.layer(config, weighs_old, device), self, config, device)


class ReadModuleLayer(TorchLayer):
    """A layer of a user's class, behind the contract.

    Gradients are taken as users take them, by `y.backward(dy)`. What a layer then keeps of an earlier step is seen.

    Args:
        made: the layer.
        recipe: how it is called, and where it holds what.
        config: that it was built from.
        device: where it runs.
    """

    def __init__(self, made: Any, recipe: ModuleRecipe, config: LayerConfig, device: str = "cpu") -> None:
        super().__init__(made, device)
        self.places, self.calling = recipe.construction.places, recipe.calling
        self.channels, self.axis, self.frozen = config.num_channels, config.channel_axis, False
        self.mask: Array | None = None
        self.taken = False

    def apply(self, x: Any, training: bool) -> Any:
        self._let_go_of_the_step_before()
        more = {}
        if self.mask is not None and self.calling.mask is not None:
            more[self.calling.mask.argument] = self.calling.mask.given(self.mask, self.axis, x)
        return self.calling.y(self.held, x, training and not self.frozen, more)

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        self.mask = mask
        try:
            return self.forward(x, training)
        finally:
            self.mask = None

    def backward(self, dy: Array) -> Gradients:
        y, x, parameters = self._recorded()
        self.taken = True
        dx, dgamma, dbeta = accumulated_gradients(y, x, parameters, self._input(dy))
        return Gradients(dx, self._as_vector(dgamma), self._as_vector(dbeta))

    def _as_vector(self, gradient: Array | None) -> Array | None:
        """The gradient of a parameter of any shape, of shape (C,) where it has as many values."""
        if gradient is None or gradient.size != self.channels:
            return gradient
        return gradient.reshape(self.channels)

    def _recorded(self) -> tuple[Any, Any, tuple[Any, Any]]:
        y, x, _ = super()._recorded()
        return y, x, (self._tensor(WEIGHT), self._tensor(BIAS))

    def _let_go_of_the_step_before(self) -> None:
        """Where statistics hold on to the graph of a step, free what that step saved, as its own backward does."""
        if self.taken and self.latest is not None and any(map(self._holds_a_graph, (MEAN, VARIANCE))):
            let_go(self.latest[1])
        self.taken = False

    def _holds_a_graph(self, role: str) -> bool:
        tensor = self._tensor(role)
        return tensor is not None and tensor.grad_fn is not None

    def _tensor(self, role: str) -> Any:
        held = self.places[role].get(self.held) if role in self.places else None
        return held if isinstance(held, load_torch().Tensor) else None

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*(self._vector(role) for role in (MEAN, VARIANCE)))

    def _vector(self, role: str) -> Array:
        if role not in self.places:
            return np.full(self.channels, float(role == VARIANCE), np.float32)
        return self.places[role].vector(self.held, self.channels)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._write({MEAN: mean, VARIANCE: variance})

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        self._write({WEIGHT: gamma, BIAS: beta})

    def _write(self, arrays: Mapping[str, Array | None]) -> None:
        for role, array in arrays.items():
            if array is not None and role in self.places:
                self.places[role].write(self.held, array)

    def state(self) -> Mapping[str, Array]:
        if any(map(self._holds_a_graph, (MEAN, VARIANCE))):
            copy.deepcopy(self.held)  # as averages of a model's weights do: torch refuses it
        if hasattr(self.held, "state_dict"):
            return {name: to_array(tensor).copy() for name, tensor in self.held.state_dict().items()}
        return {role: place.vector(self.held, self.channels) for role, place in self.places.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        if hasattr(self.held, "load_state_dict"):
            self.held.load_state_dict({name: to_tensor(array) for name, array in state.items()})
        else:
            self._write(state)

    def freeze(self) -> None:
        self.frozen = True
