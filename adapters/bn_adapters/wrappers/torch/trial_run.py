"""One trial of a layer: data that tells batch normalisation from its relatives, and what a layer makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bn_adapters.torch_tensors import to_tensor
from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.torch.layer import ModuleRecipe, ReadModuleLayer
from bn_adapters.wrappers.torch.names import BIAS, MEAN, VARIANCE, WEIGHT
from bn_adapters.wrappers.trial import CHANNELS, trial
from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.targets.naming import TargetError

GAMMA = np.array([1.5, 0.75, 1.25])
BETA = np.array([0.25, -0.5, 0.125])
KNOWN_MEAN = np.array([0.5, -0.25, 1.0])
KNOWN_VARIANCE = np.array([1.5, 0.75, 2.5])
EPS = 1e-4
"""What y is compared with: any usual eps is near enough."""

LIKE = 0.02
"""A result is like another where it differs by less than this part of it."""


def trial_x(rank: int, axis: int, dtype: str) -> Array:
    """The x of a trial: samples, channels and positions have means and spreads of their own."""
    x = trial(rank, axis, "float64")
    for place, size in enumerate(x.shape):
        shape = [size if other == place else 1 for other in range(rank)]
        own = np.cos(np.arange(size) * 2.7 + place).reshape(shape)
        x = x * (1.0 + 0.4 * own) + 1.5 * own
    return np.asarray(x.astype(dtype))


@dataclass(frozen=True)
class LayerTrial:
    """What a layer gave in a trial.

    Attributes:
        x: on which it was tried, with the channels on `axis`.
        axis: of the channels.
        y: by mode; without the modes in which it raised.
        errors: what it raised, by mode.
        moved: the statistics after the training step, where it has any.
        has: the roles that it has.
    """

    x: Array
    axis: int
    y: dict[str, Array] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    moved: tuple[Array, Array] | None = None
    has: frozenset[str] = frozenset()

    def reason(self) -> str:
        """What it raised first, in a line."""
        return error_line(next(iter(self.errors.values())))

    @property
    def batch(self) -> Array:
        """What batch normalisation gives in training."""
        axes = tuple(axis for axis in range(self.x.ndim) if axis != self.axis)
        mean, variance = self.x.mean(axes, keepdims=True), self.x.var(axes, keepdims=True)
        return self.scaled((self.x - mean) / np.sqrt(variance + EPS))

    @property
    def known(self) -> Array:
        """What batch normalisation gives in inference."""
        return self.scaled((self.x - self._column(KNOWN_MEAN)) / np.sqrt(self._column(KNOWN_VARIANCE) + EPS))

    def scaled(self, normalised: Array) -> Array:
        """What gamma and beta make of normalised values, where the layer has them."""
        scaled = normalised * self._column(GAMMA) if WEIGHT in self.has else normalised
        return np.asarray(scaled + self._column(BETA) if BIAS in self.has else scaled)

    def unscaled(self, y: Array) -> Array:
        """Normalised values, of what gamma and beta made of them."""
        shifted = y - self._column(BETA) if BIAS in self.has else y
        return np.asarray(shifted / self._column(GAMMA) if WEIGHT in self.has else shifted)

    def _column(self, vector: Array) -> Array:
        return vector.reshape([-1 if axis == self.axis else 1 for axis in range(self.x.ndim)])


def unlike(got: Array, expected: Array) -> float:
    """How far a result is from another, as a part of that."""
    if np.shape(got) != expected.shape or not np.all(np.isfinite(got)):
        return float("inf")
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


def config_of(rank: int, axis: int, dtype: str = "float32", **changes: Any) -> LayerConfig:
    """The configuration of a trial, with the layer's own eps and momentum."""
    settings = {"eps": None, "momentum": None, "dtype": dtype, "parameter_dtype": dtype} | changes
    return LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis, **settings)


def layer_for(recipe: ModuleRecipe, config: LayerConfig, expected: str) -> ReadModuleLayer:
    """A fresh layer; required numbers get usual values.

    Raises:
        TargetError: it cannot be built.
    """
    construction = recipe.construction
    usual = {"eps": 1e-5, "momentum": 0.1}
    lacking = {
        role: value
        for role, value in usual.items()
        if role in construction.names and construction.names[role] not in construction.defaults
    }
    changes = {role: value for role, value in lacking.items() if getattr(config, role) is None}
    try:
        return recipe.layer(LayerConfig(**{**config.to_json(), **changes}))
    except Exception as error:
        name = construction.built.__name__
        raise TargetError(f"{name}({CHANNELS}) raised {error_line(error)}; {expected}") from None


def prepare(layer: ReadModuleLayer, dtype: str = "float32") -> None:
    """Set the parameters and statistics of a trial."""
    vectors = [vector.astype(dtype) for vector in (GAMMA, BETA, KNOWN_MEAN, KNOWN_VARIANCE)]
    layer.set_parameters(*vectors[:2])
    layer.set_running_statistics(*vectors[2:])


def tried(recipe: ModuleRecipe, rank: int, axis: int, expected: str, dtype: str = "") -> LayerTrial:
    """A layer tried in both modes on an x of a rank, with its channels on an axis.

    Raises:
        TargetError: it cannot be built.
    """
    dtype = dtype or recipe.tried_in
    layer = layer_for(recipe, config_of(rank, axis, dtype), expected)
    has = frozenset(recipe.construction.places)
    found = LayerTrial(trial_x(rank, axis, dtype).astype(np.float64), axis, has=has)
    moved = None
    for mode in ("inference", "training"):
        try:
            prepare(layer, dtype)
            y = layer.forward(trial_x(rank, axis, dtype), mode == "training")
            if y.shape != found.x.shape:
                raise ValueError(f"y has shape {y.shape} for x of {found.x.shape}")
            found.y[mode] = y.astype(np.float64)
            if mode == "training" and {MEAN, VARIANCE} <= has:
                moved = tuple(np.asarray(part, np.float64) for part in layer.running_statistics())
        except Exception as error:
            found.errors[mode] = error
    return LayerTrial(found.x, axis, found.y, found.errors, moved, has)  # type: ignore[arg-type]


def fresh_x(rank: int, axis: int, dtype: str = "float32") -> Any:
    """The x of a trial as a tensor."""
    return to_tensor(trial_x(rank, axis, dtype))
