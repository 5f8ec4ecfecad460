"""What a weights file holds, as far as batch normalisation asks: its vectors, the shapes of the rest, and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bn_conformance.adapter import Array

Key = tuple[str, ...]
"""The name of an array in a file, in parts: `("layer1", "bn1", "weight")`."""

MOST_CHANNELS = 1 << 20
"""Values of a vector that is read; no layer has as many channels."""


@dataclass(frozen=True)
class Settings:
    """What a file says of a layer beside its arrays; None where it says nothing.

    Attributes:
        eps: as the layer was built.
        momentum: the same, in the spelling of its framework.
        gamma, beta: whether the layer has them.
    """

    eps: float | None = None
    momentum: float | None = None
    gamma: bool | None = None
    beta: bool | None = None


@dataclass(frozen=True)
class Content:
    """A weights file.

    Attributes:
        vectors: every array of at most one axis and `MOST_CHANNELS` values.
        others: the shape of every other array. They are not read.
        names: what a group of arrays calls itself, by the key of the group, where the file says it.
        settings: of layers, by that name.
    """

    vectors: Mapping[Key, Array]
    others: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)
    names: Mapping[Key, str] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)


def content_of(arrays: Mapping[Key, Array]) -> Content:
    """The content of a file whose arrays are all in memory."""
    vectors = {key: array for key, array in arrays.items() if is_vector(array.shape)}
    return Content(vectors, {key: tuple(array.shape) for key, array in arrays.items() if key not in vectors})


def is_vector(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape may belong to a layer: a vector of channels, or a counter."""
    return len(shape) <= 1 and all(size <= MOST_CHANNELS for size in shape)
