"""The neutral table: a batch-normalisation layer, where a file keeps its vectors, and what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings

GAMMA, BETA, MEAN, VARIANCE, UPDATES = "gamma", "beta", "running_mean", "running_var", "updates"
"""Roles of the arrays of a layer; UPDATES is a counter of training steps."""


@dataclass(frozen=True)
class Slots:
    """Where a file keeps a layer.

    Attributes:
        path: the name of the layer in parts, without what only files of its framework have.
        keys: the array of each role that the file holds; running mean and variance are always there.
        channels: how many values each vector has.
        settings: what the file says of the layer beside its arrays.
        separator: between the parts, where a person reads the name.
    """

    path: Key
    keys: Mapping[str, Key]
    channels: int
    settings: Settings = field(default_factory=Settings)
    separator: str = "."

    @property
    def name(self) -> str:
        """The name of the layer, as its framework writes it; `model` where it is the whole model."""
        return self.separator.join(self.path) or "model"


@dataclass(frozen=True)
class NormLayer:
    """A layer with its values: vectors of shape (channels,) in the formats of the file, None where it has none.

    Attributes:
        name: of the layer.
        gamma, beta, mean, variance: parameters and running statistics.
        eps, momentum: as the file, or the user, says; momentum in the spelling of the source's framework.
        updates: how many training steps moved the statistics, where the file says it.
    """

    name: str
    gamma: Array | None
    beta: Array | None
    mean: Array
    variance: Array
    eps: float | None = None
    momentum: float | None = None
    updates: int | None = None

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return int(self.mean.size)


def layer_at(content: Content, slots: Slots) -> NormLayer:
    """The layer that a file keeps at these slots."""
    found = {role: content.vectors[key] for role, key in slots.keys.items()}
    counter = found.get(UPDATES)
    return NormLayer(
        name=slots.name,
        gamma=found.get(GAMMA),
        beta=found.get(BETA),
        mean=found[MEAN],
        variance=found[VARIANCE],
        eps=slots.settings.eps,
        momentum=slots.settings.momentum,
        updates=int(counter) if counter is not None and counter.size == 1 and counter.dtype.kind in "iu" else None,
    )


def vectors_alike(content: Content, *keys: Key) -> int:
    """How many values each of these vectors has; 0 where one is no vector of real numbers, or they differ."""
    arrays = [content.vectors.get(key) for key in keys]
    sizes = {array.size if array is not None and array.ndim == 1 and _is_real(array) else 0 for array in arrays}
    return sizes.pop() if len(sizes) == 1 else 0


def _is_real(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def natural(path: Key) -> list[tuple[tuple[int, str], ...]]:
    """A key that sorts `block_2` before `block_10`."""
    return [tuple((int(run), "") if run.isdecimal() else (-1, run) for run in _runs(part)) for part in path]


def _runs(text: str) -> list[str]:
    """A text as runs of digits and of other characters."""
    runs: list[str] = []
    for sign in text:
        if runs and runs[-1][-1].isdecimal() == sign.isdecimal() and len(runs[-1]) < 18:
            runs[-1] += sign
        else:
            runs.append(sign)
    return runs
