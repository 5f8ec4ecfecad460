"""Sizes of x as arguments: kernels are often told them one by one."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

SIZES = ("size_n", "size_c", "size_h", "size_w", "size_d", "size_inner", "size_count")
"""Sizes of the batch, the channels, height, width and depth, of all axes behind the channels, and of one channel."""

SIZE_NAMES: Mapping[str, tuple[str, ...]] = {
    "size_n": ("n", "batch", "batch_size", "num_rows", "rows", "bs", "nbatch"),
    "size_c": ("c", "f", "num_channels", "channels", "num_features", "cols", "d", "features", "nchannels"),
    "size_h": ("h", "height", "d1"),
    "size_w": ("w", "width", "d2"),
    "size_d": ("depth", "d3"),
    "size_inner": ("spatial", "hw", "inner", "spatial_size", "size", "s", "l"),
    "size_count": ("count", "m", "numel"),
}
"""Names of sizes, by role."""


def sizes_of(shape: tuple[int, ...], axis: int) -> dict[str, int]:
    """The sizes of an x; of axes that it does not have 1."""
    spatial = [size for place, size in enumerate(shape) if place not in (0, axis)]
    heights = [*spatial, 1, 1, 1]
    if len(spatial) == 3:
        depth, height, width = spatial
    else:
        height, width, depth = heights[:3]
    return {
        "size_n": shape[0],
        "size_c": shape[axis],
        "size_h": height,
        "size_w": width,
        "size_d": depth,
        "size_inner": prod(spatial),
        "size_count": shape[0] * prod(spatial),
    }
