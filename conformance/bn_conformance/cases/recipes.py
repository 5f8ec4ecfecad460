"""Recipes of data: they give the same bits on every machine and with every NumPy version.

Random data come from the raw output of a bit generator, which NumPy guarantees to be stable (its distributions are
not). All further arithmetic is IEEE arithmetic in float64 with exactly specified results, rounded once to the wanted
format. A recipe gives rows of shape (C, n), a row per channel, so its data are the same in every layout.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from math import copysign
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_conformance.cases.spikes import spikes_of
from bn_reference.arithmetic.channels import channels_back

RowsOfData = NDArray[np.float64]

SQRT_3 = 1.7320508075688772

EVERY_COLUMN = slice(None)

FEW = 1 << 12
"""Numbers of rows that are kept: cases ask for the same ones again, most of them one after the other."""

AT_A_TIME = 1 << 18
"""How many values of a large tensor are made at a time."""


@cache
def dtype_of(name: str) -> np.dtype[np.generic]:
    """The NumPy dtype of one of the suite's formats."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


@cache
def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype holds floating-point numbers; cached, because NumPy builds the dtype's name anew each time."""
    return "float" in dtype.name


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """How to make the data of one tensor.

    Attributes:
        kind: one of `KINDS`.
        seed: of random data; equal seeds give equal data.
        offset: added to every value; each kind says how.
        scale: factor of every value; each kind says how.
        channel: the channel of the special value, for the kinds `special` and `unlike`.
        special: that value.
    """

    kind: str = "normal"
    seed: int = 0
    offset: float = 0.0
    scale: float = 1.0
    channel: int = 1
    special: float = float("nan")

    def rows(self, channels: int, count: int) -> RowsOfData:
        """The data as float64 rows of shape (channels, count), which nobody writes to.

        Raises:
            ValueError: the kind is unknown.
        """
        if self.kind not in DATA_KINDS:
            raise ValueError(f"kind is {self.kind!r}; allowed are {', '.join(DATA_KINDS)}")
        numbers = self.offset, self.scale, self.special
        signed = any(number == 0.0 and copysign(1.0, number) < 0.0 for number in numbers)  # it is equal to 0.0
        return (DATA_KINDS[self.kind] if signed or channels * count > FEW else _kept_rows)(self, channels, count)

    def tensor(self, shape: tuple[int, ...], channel_axis: int, dtype: str) -> Array:
        """The data as a C-contiguous array of a shape and format; a large array is made some entries at a time."""
        count = int(np.prod([size for axis, size in enumerate(shape) if axis != channel_axis], dtype=np.int64))
        channels, entries = shape[channel_axis], shape[0]
        step = max(1, entries * AT_A_TIME // (channels * count)) if self.kind in IN_PARTS and channels * count else 0
        with np.errstate(over="ignore", invalid="ignore"):
            if not 0 < step < entries:
                rows = self.rows(channels, count)
                return np.ascontiguousarray(channels_back(rows, shape, channel_axis).astype(dtype_of(dtype)))
            whole, width = np.empty(shape, dtype_of(dtype)), count // entries
            for start in range(0, entries, step):
                part = whole[start : start + step]
                rows = IN_PARTS[self.kind](self, channels, count, slice(start * width, (start + len(part)) * width))
                part[...] = channels_back(rows, part.shape, channel_axis)
            return whole

    def vector(self, channels: int, dtype: str) -> Array:
        """The data as a vector of shape (channels,): one value per channel."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.rows(channels, 1)[:, 0].astype(dtype_of(dtype))


@lru_cache(maxsize=256)
def _kept_rows(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    rows = DATA_KINDS[recipe.kind](recipe, channels, count)
    rows.flags.writeable = False
    return rows


def seed_of(text: str) -> int:
    """A seed that depends on a text alone."""
    return zlib.crc32(text.encode())


def uniform(seed: int, shape: tuple[int, ...], columns: slice = EVERY_COLUMN) -> RowsOfData:
    """Numbers uniform in [0, 1), multiples of 2**-53, from raw 64-bit words of PCG64.

    Args:
        seed: of PCG64.
        shape: of the whole.
        columns: the wanted indices of the last axis, with a start and a stop; all other numbers are skipped.
    """
    if columns == EVERY_COLUMN:
        size = int(np.prod(shape, dtype=np.int64))
        words = np.asarray(np.random.PCG64(seed).random_raw(size), np.uint64)
    else:
        *others, count = shape
        shape = (*others, columns.stop - columns.start)
        rows = range(int(np.prod(others, dtype=np.int64)))
        parts = [np.random.PCG64(seed).advance(row * count + columns.start).random_raw(shape[-1]) for row in rows]
        words = np.concatenate([np.asarray(part, np.uint64) for part in parts])
    numbers = np.empty(shape, np.float64)
    numbers.reshape(-1)[:] = words >> np.uint64(11)
    numbers *= 2.0**-53
    return numbers


def bell(seed: int, shape: tuple[int, ...], columns: slice = EVERY_COLUMN) -> RowsOfData:
    """Bell-shaped numbers of mean 0 and variance 1: the sum of four uniform ones, centred and scaled."""
    parts = uniform(seed, (4, *shape), columns)
    centred: RowsOfData = ((parts[0] + parts[1]) + (parts[2] + parts[3])) - 2.0
    centred *= SQRT_3
    return centred


def _normal(recipe: DataRecipe, channels: int, count: int, columns: slice = EVERY_COLUMN) -> RowsOfData:
    """offset + scale * z, where each channel has its own centre and spread."""
    centre = 0.5 * (np.arange(channels, dtype=np.float64) % 5 - 2.0)[:, None]
    spread = (1.0 + 0.25 * (np.arange(channels, dtype=np.float64) % 4))[:, None]
    z = bell(recipe.seed, (channels, count), columns)
    return recipe.offset + recipe.scale * (spread * z + centre)


def _beside(recipe: DataRecipe, channels: int, count: int, columns: slice = EVERY_COLUMN) -> RowsOfData:
    """offset * c in channel c, plus scale * z. Half of z is the z of `normal` data of this seed, half is its own."""
    shared, own = (bell(recipe.seed + more, (channels, count), columns) for more in (0, 1))
    return recipe.offset * np.arange(channels, dtype=np.float64)[:, None] + recipe.scale * (0.5 * (shared + own))


def _centred(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """offset + scale * z, alike in every channel."""
    return recipe.offset + recipe.scale * bell(recipe.seed, (channels, count))


def _alike(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """As centred, with the same numbers in every channel."""
    return np.repeat(_centred(recipe, 1, count), channels, axis=0)


def _positive(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """scale * u + offset with u in [0.5, 2), for variances and gamma."""
    return recipe.offset + recipe.scale * (0.5 + 1.5 * uniform(recipe.seed, (channels, count)))


def _constant(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """One constant a channel: offset + scale * (c + 1)."""
    levels = recipe.offset + recipe.scale * (np.arange(channels, dtype=np.float64) + 1.0)
    return np.repeat(levels[:, None], count, axis=1)


def _fill(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """The offset everywhere."""
    return np.full((channels, count), recipe.offset)


def _plus_minus(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """m - s and m + s in equal numbers, with m = offset + c and s = scale: mean and variance are exact.

    The signs alternate and start with plus in odd channels, so that channels differ in more than m.
    """
    sign = np.where((np.arange(count)[None, :] + np.arange(channels)[:, None]) % 2 == 0, -1.0, 1.0)
    middle = recipe.offset + np.arange(channels, dtype=np.float64)[:, None]
    return np.asarray(middle + recipe.scale * sign)


def _plus_minus_fan(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """As plus-minus with m = offset, and s = scale * (c + 1): a different root for every channel."""
    sign = np.where((np.arange(count)[None, :] + np.arange(channels)[:, None]) % 2 == 0, -1.0, 1.0)
    return np.asarray(recipe.offset + recipe.scale * (np.arange(channels, dtype=np.float64) + 1.0)[:, None] * sign)


def _alternating(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """offset - scale and offset + scale in turn, the other way round in odd channels."""
    sign = np.where((np.arange(count)[None, :] + np.arange(channels)[:, None]) % 2 == 0, -1.0, 1.0)
    return np.asarray(recipe.offset + recipe.scale * sign)


def _integers(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """Integers from -3 to 3 times scale, plus offset: sums of a few of them are exact in every format."""
    return recipe.offset + recipe.scale * (np.floor(uniform(recipe.seed, (channels, count)) * 7.0) - 3.0)


def _mixed_scales(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """Channel c has the scale 2**(10 * (c % 3 - 1)) times the recipe's."""
    factors = np.array([2.0**-10, 1.0, 2.0**10])[np.arange(channels) % 3][:, None]
    return recipe.offset + recipe.scale * factors * bell(recipe.seed, (channels, count))


def _outlier(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """The offset everywhere but for one value of offset + scale a channel, at a place of its own."""
    rows = np.full((channels, count), recipe.offset)
    rows[np.arange(channels), (np.arange(channels) * 7 + 3) % max(count, 1)] += recipe.scale
    return rows


def _seams(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """-1 and 1 in turn, -scale and scale on both sides of each seam and at both ends: the sum is 0 in any order.

    Where the number of values is odd, the second one balances the others. In odd channels all signs are the other way
    round.
    """
    sizes = np.ones(count)
    if count > 1:
        sizes[spikes_of(count)] = recipe.scale
        sizes[1] += sizes[::2].sum() - sizes[1::2].sum()
    sign = np.where((np.arange(count)[None, :] + np.arange(channels)[:, None]) % 2 == 0, -1.0, 1.0)
    return np.asarray(recipe.offset + sizes * sign)


def _special(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """Normal data with one special value (NaN, an infinity) in one channel."""
    rows = _normal(recipe, channels, count)
    if channels and count:
        rows[recipe.channel % channels, count // 2] = recipe.special
    return rows


def _unlike(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """Normal data but for one channel, which holds one value alone."""
    rows = _normal(recipe, channels, count)
    if channels:
        rows[recipe.channel % channels] = recipe.special
    return rows


def _signed_zeros(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """Zeros of alternating sign."""
    return np.where((np.arange(count) % 2 == 0)[None, :], 0.0, -0.0) * np.ones((channels, 1))


def _network(recipe: DataRecipe, channels: int, count: int) -> RowsOfData:
    """The output of a two-layer ReLU network with small integer weights on integer input: exact, so it is bit-stable.

    The weights depend only on the width, the input on the seed. It is the experiment of the textbook notes.
    """
    inputs, hidden = 20, 30
    first = np.floor(uniform(11, (inputs, hidden)) * 9.0) - 4.0
    second = np.floor(uniform(12, (hidden, channels)) * 9.0) - 4.0
    data = np.floor(bell(recipe.seed, (count, inputs)) * 8.0)
    activity = np.maximum(0.0, data @ first) @ second
    return np.ascontiguousarray(activity.T) * recipe.scale + recipe.offset


DATA_KINDS: dict[str, Callable[[DataRecipe, int, int], RowsOfData]] = {
    "normal": _normal,
    "beside": _beside,
    "centred": _centred,
    "alike": _alike,
    "positive": _positive,
    "constant": _constant,
    "fill": _fill,
    "plus-minus": _plus_minus,
    "plus-minus-fan": _plus_minus_fan,
    "alternating": _alternating,
    "integers": _integers,
    "mixed-scales": _mixed_scales,
    "outlier": _outlier,
    "seams": _seams,
    "special": _special,
    "unlike": _unlike,
    "signed-zeros": _signed_zeros,
    "network": _network,
}
"""Every kind of data, by name; the functions' docstrings say what each is."""

IN_PARTS: dict[str, Callable[[DataRecipe, int, int, slice], RowsOfData]] = {"normal": _normal, "beside": _beside}
"""The kinds that can give some columns of the rows by themselves. Large tensors of them are made in parts."""
