"""The inputs of other suites, drawn by their recipes: the same numbers on every machine, from raw words of PCG64."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bn_conformance.cases.recipes import RowsOfData, uniform
from bn_conformance.judges.suite import InputRecipe

Maker = Callable[[InputRecipe, int, tuple[int, int]], RowsOfData]


def drawn_rows(recipe: InputRecipe, seed: int, channels: int, count: int) -> RowsOfData:
    """The data as float64 rows of shape (channels, count).

    Raises:
        ValueError: the kind is unknown.
    """
    if recipe.kind not in KINDS:
        raise ValueError(f"kind is {recipe.kind!r}; allowed are {', '.join(KINDS)}")
    return np.asarray(KINDS[recipe.kind](recipe, seed, (channels, count)), np.float64)


def _between(recipe: InputRecipe, low: float, high: float) -> tuple[float, float]:
    return low if recipe.low is None else recipe.low, high if recipe.high is None else recipe.high


def _uniform(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """Uniform from low (0) to high (1)."""
    low, high = _between(recipe, 0.0, 1.0)
    return low + (high - low) * uniform(seed, shape)


def _normal(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """Normal, of mean low (0) and deviation high (1), by Box and Muller."""
    mean, deviation = _between(recipe, 0.0, 1.0)
    radius, angle = uniform(seed, (2, *shape))
    bell = np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * np.pi * angle)
    return np.asarray(mean + deviation * bell)


def _integers(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """Integers from low (-8) to high (8), both included."""
    low, high = _between(recipe, -8.0, 8.0)
    return np.asarray(low + np.floor((high - low + 1.0) * uniform(seed, shape)))


def _constant(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """Low (0) everywhere."""
    return np.full(shape, _between(recipe, 0.0, 0.0)[0])


def _values(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """The values that are written out, in the order of an (N, C) array, or one a channel."""
    return np.reshape(np.asarray(recipe.values, np.float64), shape[::-1]).T


def _exact_pairs(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """Pairs m (1 + f) and m (1 - f), m a power of 2 and f in 64ths: mean and variance are exact in any order."""
    channels, count = shape
    parts = np.floor(64.0 * uniform(seed, (channels, (count + 1) // 2))) / 64.0
    signed = np.stack([1.0 + parts, 1.0 - parts], axis=2).reshape(channels, -1)[:, :count]
    return np.asarray(0.25 * 2.0 ** (np.arange(channels) % 7)[:, None] * signed)


def _unit_root(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """-1, 0 and 1 of variance 15/16, so that the root is 1 with an eps of 1/16; count is a multiple of 32."""
    channels, count = shape
    block = np.repeat([-1.0, 0.0, 1.0], [15, 2, 15])
    order = np.argsort(uniform(seed, shape), axis=1, kind="stable")
    return np.take_along_axis(np.broadcast_to(np.resize(block, count), (channels, count)), order, axis=1)


def _powers(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """Powers of 2 from 1/8 to 8, by channel."""
    return np.broadcast_to(2.0 ** (np.arange(shape[0]) % 7 - 3.0)[:, None], shape)


def _signed_powers(recipe: InputRecipe, seed: int, shape: tuple[int, int]) -> RowsOfData:
    """The powers times -1/64, 0 or 1/64, by channel."""
    return np.asarray(_powers(recipe, seed, shape) * ((np.arange(shape[0]) % 3 - 1.0) / 64.0)[:, None])


KINDS: Mapping[str, Maker] = {
    "uniform": _uniform,
    "normal": _normal,
    "integers": _integers,
    "constant": _constant,
    "values": _values,
    "exact-pairs": _exact_pairs,
    "unit-root": _unit_root,
    "powers": _powers,
    "signed-powers": _signed_powers,
}
"""Each kind of data; `of-y`, a dy that is a factor times y, is made where y is (`trial`)."""
