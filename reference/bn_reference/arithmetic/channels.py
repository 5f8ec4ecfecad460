"""Arrays as rows, one per channel, whatever the layout of the array."""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray


def channels_first(x: NDArray[Any], channel_axis: int) -> NDArray[Any]:
    """x of any rank as an array of shape (C, n): a row per channel, with its n values in the order of x's axes."""
    axis = channel_axis + x.ndim if channel_axis < 0 else channel_axis
    moved = x.transpose((axis, *range(axis), *range(axis + 1, x.ndim))) if axis else x
    return moved.reshape(moved.shape[0], prod(moved.shape[1:]))


def channels_back(rows: NDArray[Any], shape: tuple[int, ...], channel_axis: int) -> NDArray[Any]:
    """The inverse of `channels_first`: rows of shape (C, n) as an array of the given shape."""
    others = tuple(size for axis, size in enumerate(shape) if axis != channel_axis)
    spread = rows.reshape((rows.shape[0], *others))
    if not channel_axis:
        return spread
    return spread.transpose((*range(1, channel_axis + 1), 0, *range(channel_axis + 1, len(shape))))


def per_channel(values: NDArray[Any], rank: int, channel_axis: int) -> NDArray[Any]:
    """A vector of shape (C,) shaped to broadcast along the channel axis of an array of the given rank."""
    shape = [1] * rank
    shape[channel_axis] = -1
    return values.reshape(shape)
