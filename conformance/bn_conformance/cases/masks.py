"""Masks of cases: which positions of a batch count, and what x holds at the other positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import uniform

Positions = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class MaskRecipe:
    """Which positions count, and what x holds where they do not.

    Attributes:
        kind: one of `KINDS`.
        seed: of a random mask; equal seeds give equal masks.
        hidden: the value of x at positions that do not count; None for the value that its recipe gives.
    """

    kind: str = "random"
    seed: int = 0
    hidden: float | None = None

    def array(self, shape: tuple[int, ...], channel_axis: int) -> Positions:
        """The mask as booleans of the given shape, but of size 1 on the channel axis; true where a position counts.

        Raises:
            ValueError: the kind is unknown.
        """
        if self.kind not in MASK_KINDS:
            raise ValueError(f"kind is {self.kind!r}; allowed are {', '.join(MASK_KINDS)}")
        sizes = tuple(1 if axis == channel_axis else size for axis, size in enumerate(shape))
        return np.ascontiguousarray(MASK_KINDS[self.kind](self, sizes))

    def hide(self, x: Array, mask: Positions) -> Array:
        """x with `hidden` at the positions that do not count; x itself where `hidden` is None."""
        return x if self.hidden is None else np.where(mask, x, x.dtype.type(self.hidden))


def _random(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """Two of three positions at random; the first always counts and the last never does."""
    flat = uniform(mask.seed, (int(np.prod(sizes)),)) < 2 / 3
    flat[:1], flat[-1:] = True, False
    return np.asarray(flat.reshape(sizes))


def _all(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """Every position."""
    return np.ones(sizes, np.bool_)


def _none(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """No position."""
    return np.zeros(sizes, np.bool_)


def _few(count: int) -> Callable[[MaskRecipe, tuple[int, ...]], Positions]:
    """A kind of mask with `count` positions, evenly spread."""

    def positions(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
        flat = np.zeros(int(np.prod(sizes)), np.bool_)
        flat[[(place + 1) * flat.size // (count + 1) for place in range(count)]] = True
        return flat.reshape(sizes)

    return positions


def _samples(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """Every second entry of the batch, whole."""
    positions = np.zeros(sizes, np.bool_)
    positions[::2] = True
    return positions


def _first_half(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """The first half of the entries of the batch, whole."""
    positions = np.zeros(sizes, np.bool_)
    positions[: sizes[0] // 2] = True
    return positions


def _thinned(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """The first half of the entries whole; of the others the first position, and one of four at random."""
    first = _first_half(mask, sizes).reshape(-1)
    flat = first | (uniform(mask.seed, first.shape) < 1 / 4)
    flat[first.sum() :][:1] = True
    return flat.reshape(sizes)


def _prefixes(mask: MaskRecipe, sizes: tuple[int, ...]) -> Positions:
    """The first positions of each entry of the batch, one more from entry to entry, as in padded sequences."""
    flat = np.zeros(sizes, np.bool_).reshape(sizes[0], -1)
    for entry, row in enumerate(flat):
        row[: 1 + entry % row.size] = True
    return flat.reshape(sizes)


MASK_KINDS: dict[str, Callable[[MaskRecipe, tuple[int, ...]], Positions]] = {
    "random": _random,
    "all": _all,
    "none": _none,
    "one": _few(1),
    "two": _few(2),
    "samples": _samples,
    "first-half": _first_half,
    "thinned": _thinned,
    "prefixes": _prefixes,
}
"""Every kind of mask, by name; the functions' docstrings say what each is."""
