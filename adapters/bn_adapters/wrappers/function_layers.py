"""Layers over functions that were read: with a backward of their own, with torch's tape, or with that of JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from bn_adapters.jax_functions import FunctionalLayer, Functions, jax_copy
from bn_adapters.recorded import recorded
from bn_adapters.torch_modules import TorchLayer
from bn_adapters.torch_tensors import load_torch, to_array, torch_dtype
from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.backward import bound_to, wired
from bn_adapters.wrappers.reading.recipe import FunctionRecipe
from bn_adapters.wrappers.reading.results import Path, pick
from bn_adapters.wrappers.reading.roles import BETA, DY, GAMMA, MEAN, OUTPUT_MASK, VARIANCE, VECTORS
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, RunningStatistics, SavedStatistics


class ExplicitLayer(Layer):
    """Functions and the vectors that their caller keeps; gradients are those of the backward function."""

    def __init__(self, recipe: FunctionRecipe, config: LayerConfig) -> None:
        self.recipe, self.config = recipe, config
        channels, dtype = config.num_channels, np.dtype(config.parameter_dtype)
        of, (mean, variance) = recipe.arrays.of, recipe.initial
        self.vectors: dict[str, Any] = {
            GAMMA: of(np.ones(channels, dtype)) if config.gamma else None,
            BETA: of(np.zeros(channels, dtype)) if config.beta else None,
            MEAN: of(np.full(channels, mean, dtype)) if recipe.start else None,
            VARIANCE: of(np.full(channels, variance, dtype)) if recipe.start else None,
        }
        self.latest: tuple[dict[str, Any], Any] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        values = self.recipe.values(self.config, self.recipe.arrays.of(x), x.shape, self.vectors, training)
        result, y, moved = self.recipe.call(values)
        self.vectors |= moved
        self.latest = values, result
        given: Array = self.recipe.arrays.back(y)
        return given

    def backward(self, dy: Array) -> Gradients:
        return self._gradients(dy, {})

    def saved_statistics(self) -> SavedStatistics:
        parts = (np.array(self._vector(self.recipe.arrays.back(part))) for part in self._saved())
        return SavedStatistics(*parts)

    def backward_from(self, dy: Array, mean: Array, variance: Array) -> Gradients:
        saved, arrays = self.recipe.saved, self.recipe.arrays
        eps = self.recipe.eps if self.config.eps is None else self.config.eps
        exact = mean, 1.0 / np.sqrt(variance + (eps or 0.0))
        owns = [arrays.back(part) for part in self._saved()]
        given = [
            arrays.of(vector.astype(own.dtype).reshape(own.shape)) for vector, own in zip(exact, owns, strict=True)
        ]
        names = saved.taken if saved and saved.taken else ()
        return self._gradients(dy, dict(zip(names, given, strict=True)))

    def _saved(self) -> list[Any]:
        """What the latest forward saved, as its library has it."""
        saved, (_, result) = self.recipe.saved, recorded(self.latest)
        if saved is None:
            raise NotImplementedError(f"{self.recipe.forward.name} shows no saved statistics")
        return [pick(result, saved.mean), pick(result, saved.inverse)]

    def _gradients(self, dy: Array, instead: Mapping[str, Any]) -> Gradients:
        """The gradients, with other values for some of the arguments that take what the forward gave."""
        values, result = recorded(self.latest)
        reading, arrays = self.recipe.backward, self.recipe.arrays
        if reading is None:
            raise NotImplementedError(f"{self.recipe.forward.name} has no backward")
        wires = {name: wired(result, path, self.recipe.y) for name, path in reading.wires.items()} | dict(instead)
        mask = [True, self.config.gamma, self.config.beta]
        given, _ = bound_to(reading.callee, wires).invoke({**values, DY: arrays.of(dy), OUTPUT_MASK: mask})
        dx, dgamma, dbeta = (_picked(given, path, arrays) for path in (reading.dx, reading.dgamma, reading.dbeta))
        return Gradients(dx, self._vector(dgamma), self._vector(dbeta))

    def running_statistics(self) -> RunningStatistics:
        dtype = np.dtype(self.config.parameter_dtype)
        mean, variance = (
            np.full(self.config.num_channels, start, dtype)
            if self.vectors[role] is None
            else np.array(self._vector(self.recipe.arrays.back(self.vectors[role])))
            for role, start in zip((MEAN, VARIANCE), self.recipe.initial, strict=True)
        )
        return RunningStatistics(mean, variance)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        of = self.recipe.arrays.of
        self.vectors |= {MEAN: of(np.array(mean)), VARIANCE: of(np.array(variance))}

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        of = self.recipe.arrays.of
        self.vectors |= {
            role: of(np.array(given)) for role, given in ((GAMMA, gamma), (BETA, beta)) if given is not None
        }

    def state(self) -> Mapping[str, Array]:
        mean, variance = self.running_statistics()
        back = self.recipe.arrays.back
        held = {role: np.array(back(self.vectors[role])) for role in (GAMMA, BETA) if self.vectors[role] is not None}
        return held | {MEAN: mean, VARIANCE: variance}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.set_parameters(state.get(GAMMA), state.get(BETA))
        self.set_running_statistics(state[MEAN], state[VARIANCE])

    @staticmethod
    def _vector(value: Any) -> Any:
        """A vector of shape (C,), whatever shape that broadcasts it came in."""
        is_vector = isinstance(value, np.ndarray) and value.ndim > 1 and value.size == max(value.shape)
        return value.reshape(-1) if is_vector else value


def _picked(given: Any, path: Path | None, arrays: NumpyArrays) -> Any:
    """A part of a result as an array; None for one that is not there."""
    return None if path is None else arrays.back(pick(given, path))


class TorchTapeLayer(TorchLayer):
    """A function of torch tensors that autograd differentiates."""

    def __init__(self, recipe: FunctionRecipe, config: LayerConfig, device: str = "cpu") -> None:
        torch, shape = load_torch(), (config.num_channels,)
        options = {"dtype": torch_dtype(config.parameter_dtype), "device": device}
        held = SimpleNamespace(
            weight=torch.ones(shape, requires_grad=True, **options) if config.gamma else None,
            bias=torch.zeros(shape, requires_grad=True, **options) if config.beta else None,
            running_mean=torch.full(shape, recipe.initial[0], **options),
            running_var=torch.full(shape, recipe.initial[1], **options),
        )
        super().__init__(held, device)
        self.recipe, self.config = recipe, config
        self.result: Any = None

    def apply(self, x: Any, training: bool) -> Any:
        vectors = {role: getattr(self.held, role) for role in VECTORS}
        values = self.recipe.values(self.config, x, tuple(x.shape), vectors, training)
        self.result, y, moved = self.recipe.call(values)
        for role, tensor in moved.items():
            setattr(self.held, role, tensor)
        return y

    def saved_statistics(self) -> SavedStatistics:
        saved = self.recipe.saved
        if saved is None:
            raise NotImplementedError(f"{self.recipe.forward.name} shows no saved statistics")
        mean, inverse = (to_array(pick(self.result, path)).reshape(-1).copy() for path in (saved.mean, saved.inverse))
        return SavedStatistics(mean, inverse)

    def state(self) -> Mapping[str, Array]:
        return {name: to_array(tensor).copy() for name, tensor in vars(self.held).items() if tensor is not None}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self._copy_into(**state)


class JaxTapeLayer(FunctionalLayer):
    """A pure function of JAX arrays that JAX differentiates."""

    names = (GAMMA, BETA)

    def __init__(self, recipe: FunctionRecipe, config: LayerConfig) -> None:
        dtype, channels = config.parameter_dtype, config.num_channels
        own = ((GAMMA, config.gamma, 1.0), (BETA, config.beta, 0.0))
        parameters = {name: jax_copy(np.full(channels, value, dtype)) for name, has, value in own if has}
        starts = zip((MEAN, VARIANCE), recipe.initial, strict=True)
        statistics = {name: jax_copy(np.full(channels, value, dtype)) for name, value in starts}
        super().__init__(config, Functions.of(_pure(recipe, config), parameters, statistics, False))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*(np.array(self.statistics[role]).reshape(-1) for role in (MEAN, VARIANCE)))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.statistics = {MEAN: jax_copy(mean), VARIANCE: jax_copy(variance)}

    def state(self) -> Mapping[str, Array]:
        return {name: np.array(value) for name, value in {**self.parameters, **self.statistics}.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.parameters = {name: jax_copy(state[name]) for name in self.parameters}
        self.set_running_statistics(state[MEAN], state[VARIANCE])


def _pure(recipe: FunctionRecipe, config: LayerConfig) -> Callable[..., tuple[Any, Any]]:
    def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        values = recipe.values(config, x, x.shape, {**parameters, **statistics}, training)
        _, y, moved = recipe.call(values)
        return y, {**statistics, **moved}

    return apply
