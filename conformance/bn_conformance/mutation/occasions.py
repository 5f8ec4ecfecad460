"""Occasions: what a layer knows when it chooses a path, and the features that a condition may be about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.support import AFFINE
from bn_reference.arithmetic.channels import channels_first


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What a layer knows when it chooses a path: in a call, or while it is built.

    Attributes:
        config: of the layer.
        array: x of a forward, dy of a backward; None while the layer is built.
        training: whether the latest forward is in training.
        masked: whether it has a mask.
        number: how many forwards the layer has had, this one included.
        resized: whether x has another shape than the forward before.
    """

    config: LayerConfig
    array: Array | None = None
    training: bool = True
    masked: bool = False
    number: int = 0
    resized: bool = False

    @property
    def space(self) -> tuple[int, ...] | None:
        """The sizes of the axes beside batch and channels; None at rank 2, and where there is no array of the rank."""
        if self.array is None or self.config.rank == 2 or self.array.ndim != self.config.rank:
            return None
        return tuple(size for axis, size in enumerate(self.array.shape) if axis not in (0, self.config.channel_axis))

    @property
    def rows(self) -> Array:
        """The array as float64 rows; without a value where there is no array of the rank."""
        if self.array is None or self.array.ndim != self.config.rank:
            return np.empty((0, 0))
        return channels_first(self.array, self.config.channel_axis).astype(np.float64)


Value = float | str | bool | None


def _count(occasion: Occasion) -> Value:
    return None if occasion.array is None else occasion.array.size // max(occasion.config.num_channels, 1)


def _space(occasion: Occasion) -> Value:
    return None if occasion.space is None else prod(occasion.space)


def _width(occasion: Occasion) -> Value:
    return None if occasion.space is None else occasion.space[-1]


def _memory(occasion: Occasion) -> Value:
    """How the array lies in memory: `whole`, `part` of a larger array, `permuted` or `strided`."""
    array = occasion.array
    if array is None or not array.size:
        return None
    if any(stride <= 0 for stride, size in zip(array.strides, array.shape, strict=True) if size > 1):
        return "strided"
    base = array.base if isinstance(array.base, np.ndarray) else array
    if array.flags.c_contiguous:
        return "part" if base.size > array.size else "whole"
    return "strided" if base.size > array.size else "permuted"


def _offset(occasion: Occasion) -> Value:
    """The largest mean of a channel in deviations of the channel."""
    rows = occasion.rows
    if not rows.size:
        return None
    with np.errstate(all="ignore"):
        ratios = np.abs(rows.mean(axis=1)) / rows.std(axis=1)
    return float(np.max(ratios[np.isfinite(ratios)], initial=0.0))


def _largest(occasion: Occasion) -> Value:
    sizes = np.abs(occasion.rows)
    return float(np.max(sizes[np.isfinite(sizes)], initial=0.0)) if sizes.size else None


def _constant(occasion: Occasion) -> Value:
    rows = occasion.rows
    return bool((rows.max(axis=1) == rows.min(axis=1)).any()) if rows.size else None


@dataclass(frozen=True)
class Feature:
    """What a condition is about.

    Attributes:
        words: it in words.
        read: its value; None where it has none.
        of_layer: whether it is known when the layer is built.
    """

    words: str
    read: Callable[[Occasion], Value]
    of_layer: bool = False


def _of_layer(words: str, read: Callable[[LayerConfig], Any]) -> Feature:
    return Feature(words, lambda occasion: read(occasion.config), of_layer=True)


FEATURES: Mapping[str, Feature] = {
    "channels": _of_layer("C", lambda config: config.num_channels),
    "rank": _of_layer("rank", lambda config: config.rank),
    "layout": _of_layer("channels", lambda config: None if config.rank == 2 else config.layout),
    "format": _of_layer("format", lambda config: config.dtype),
    "narrow": _of_layer("16 bits", lambda config: config.dtype.endswith("float16")),
    "wider": _of_layer("parameters wider than x", lambda config: config.dtype != config.parameter_dtype),
    "affine": _of_layer("affine", lambda config: AFFINE[config.gamma, config.beta]),
    "eps": _of_layer("eps", lambda config: config.eps),
    "momentum": _of_layer("momentum", lambda config: config.momentum if config.momentum != "cumulative" else None),
    "batch": Feature("N", lambda occasion: None if occasion.array is None else occasion.array.shape[0]),
    "space": Feature("space", _space),
    "width": Feature("width", _width),
    "count": Feature("n", _count),
    "training": Feature("training", lambda occasion: occasion.training if occasion.array is not None else None),
    "masked": Feature("a mask", lambda occasion: occasion.masked),
    "number": Feature("call", lambda occasion: occasion.number or None),
    "resized": Feature("another shape than before", lambda occasion: occasion.resized),
    "memory": Feature("memory", _memory),
    "offset": Feature("mean over deviation", _offset),
    "largest": Feature("largest value", _largest),
    "constant": Feature("a constant channel", _constant),
}
