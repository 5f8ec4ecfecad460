"""What cases are built from: usual data, vectors and steps.

Hyper-parameters are exactly representable (eps = 2**-10, momentum = 0.25), so that no conversion between conventions
rounds; awkward values and defaults have cases of their own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bn_conformance.cases.model import Batch, ParameterRecipes, SetStatistics
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.places import Place


@cache
def normal(role: str, offset: float = 0.0, scale: float = 1.0) -> DataRecipe:
    """Random data, the same in every layout and format; `role` makes its seed. Kept, since thousands of steps ask."""
    return DataRecipe(kind="normal", seed=seed_of(role), offset=offset, scale=scale)


def centred(seed: int, offset: float = 0.0, scale: float = 1.0) -> DataRecipe:
    """Random data that are alike in every channel; as a vector, random values of both signs about the offset."""
    return DataRecipe(kind="centred", seed=seed, offset=offset, scale=scale)


def positive(seed: int, scale: float = 1.0, offset: float = 0.0) -> DataRecipe:
    """Random values between half the scale and twice it, for variances and gamma."""
    return DataRecipe(kind="positive", seed=seed, offset=offset, scale=scale)


def integers(seed: int, scale: float = 1.0, offset: float = 0.0) -> DataRecipe:
    """Random integers from -3 to 3, times the scale, plus the offset."""
    return DataRecipe(kind="integers", seed=seed, offset=offset, scale=scale)


def fill(value: float) -> DataRecipe:
    """One value everywhere."""
    return DataRecipe(kind="fill", offset=value)


def special(role: str, value: float) -> DataRecipe:
    """Random data with one special value (NaN, an infinity) in channel 1."""
    return DataRecipe(kind="special", seed=seed_of(role), channel=1, special=value)


def single(channel: int, value: float) -> DataRecipe:
    """A vector of ones but for one channel."""
    return DataRecipe(kind="special", offset=1.0, scale=0.0, channel=channel, special=value)


X = normal("x", offset=0.5)
DY = normal("dy")
PARAMETERS = ParameterRecipes(gamma=centred(65, offset=0.25), beta=centred(53, offset=-0.5))
MEAN = centred(seed_of("running mean"), offset=0.25)
VARIANCE = positive(seed_of("running variance"))
KNOWN = SetStatistics(MEAN, VARIANCE)
"""Running statistics that are neither a fresh layer's nor a batch's."""


def fields(**values: Any) -> dict[str, Any]:
    """Fields that several cases have in common."""
    return values


def train(place: Place, x: DataRecipe = X, dy: DataRecipe | None = None, **more: Any) -> Batch:
    """A training step of a place's shape; `more` are other fields of `Batch`."""
    return Batch(training=True, shape=place.shape, x=x, dy=dy, **more)


def evaluate(place: Place, x: DataRecipe = X, dy: DataRecipe | None = None, **more: Any) -> Batch:
    """An inference step of a place's shape; `more` are other fields of `Batch`."""
    return Batch(training=False, shape=place.shape, x=x, dy=dy, **more)


def train_often(place: Place, count: int, role: str = "batch", judge: bool = True) -> tuple[Batch, ...]:
    """So many training steps on data that move: each has another mean and another scale."""
    return tuple(
        train(place, normal(f"{role} {index}", offset=0.5 * index, scale=1.0 + 0.5 * index), judge=judge)
        for index in range(count)
    )
