"""Shards of a batch: how a host splits x and dy along axis 0, and puts together what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, Layer
from bn_conformance.hosting.returned import gradients_of, result_parts
from bn_conformance.hosting.wire import NotAnArray, describe_foreign, is_numeric

MOST_REPLICAS = 64
"""Replicas whose statistics are read."""


def shards_of(array: Array, sizes: Sequence[int]) -> list[Array]:
    """Views of an array, of so many entries each on axis 0; none where there are no sizes."""
    ends = np.cumsum([0, *sizes])
    return [array[begin:end] for begin, end in pairwise(ends)]


def forward_on(layer: Layer, parts: Sequence[Array], training: bool, masks: Sequence[Array]) -> Any:
    """What the forward of shards gives, as one array; `masks` has one for each shard, or none."""
    given = layer.forward_shards(parts, training, masks) if masks else layer.forward_shards(parts, training)
    return joined_shards(given, parts)


def backward_on(layer: Layer, dy: Array, parts: Sequence[Array]) -> Any:
    """What the backward gives for dy; where that has parts, what the backward of shards gives, dx as one array."""
    if not parts:
        return layer.backward(dy)
    dxs, dgamma, dbeta = gradients_of(layer.backward_shards(parts))
    return joined_shards(dxs, parts), dgamma, dbeta


def joined_shards(returned: Any, like: Sequence[Array]) -> Any:
    """The arrays that came back for shards as one array of all, or a description of what is none.

    Args:
        returned: what an implementation gave.
        like: the shards that went in, whose shapes and dtypes the results must have.

    Raises:
        TypeError: there is not one result for each shard.
    """
    parts = result_parts("shards", returned, len(like), f"a list of {len(like)} arrays, one a shard")
    for place, (part, shard) in enumerate(zip(parts, like, strict=True)):
        if not is_numeric(part):
            return NotAnArray(f"{describe_foreign(part).description} (shard {place})")
        if part.shape != shard.shape:
            return NotAnArray(f"an array of shape {part.shape} (shard {place}, of shape {shard.shape})")
    if len({part.dtype for part in parts}) > 1:
        return NotAnArray(f"arrays of dtypes {', '.join(str(part.dtype) for part in parts)}, one a shard")
    return np.concatenate(parts)


def statistics_of_replicas(returned: Any) -> list[tuple[Any, Any]]:
    """The running mean and variance of each replica.

    Raises:
        TypeError: it is something else.
    """
    try:
        replicas = list(returned)[:MOST_REPLICAS]
    except TypeError:
        replicas = []
    if not replicas:
        given = describe_foreign(returned).description
        raise TypeError(f"shard_statistics returned {given}; expected a mean and a variance for each shard")
    parts = (result_parts("shard_statistics", pair, 2, "a mean and a variance for each shard") for pair in replicas)
    return [(mean, variance) for mean, variance in parts]
