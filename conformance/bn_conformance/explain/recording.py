"""A recording: the arrays of one step of a layer, checked against one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.explain.roles import JUDGED, NUMBERS, TENSORS, VECTORS, Taken
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError
from bn_reference.arithmetic.formats import FORMATS, Format, compute_format, format_of

MOST_PER_CHANNEL = 1 << 23
"""Values of a channel that are held in binary128 at a time."""


@dataclass(frozen=True)
class Recording:
    """The arrays of one step, by role.

    Attributes:
        arrays: tensors of the shape of x; vectors of shape (C,), where it is known that they are vectors.
        numbers: eps and momentum, where they are given.
        mask: which positions count, of the shape of x with one channel, or None; the place of its axis is not known.
        taken: what was taken as what.
        storage: format of y and dx.
        parameters: format of gamma, beta and their gradients.
        statistics: format of the running statistics.
        remarks: what a person must know of how the arrays were taken.
    """

    arrays: Mapping[str, Array]
    numbers: Mapping[str, float]
    mask: NDArray[np.bool_] | None
    taken: tuple[Taken, ...]
    storage: Format
    parameters: Format
    statistics: Format
    remarks: tuple[str, ...]

    @property
    def x(self) -> Array:
        """x."""
        return self.arrays["x"]

    @property
    def judged(self) -> tuple[str, ...]:
        """Roles of the arrays that are held against a golden."""
        return tuple(role for role in JUDGED if role in self.arrays)

    @property
    def channels(self) -> int | None:
        """Length of the vectors; None where there is none."""
        return next((len(self.arrays[role]) for role in VECTORS if role in self.arrays), None)


def recording_of(given: Mapping[str, Any], taken: Sequence[Taken], dtype: str = "") -> Recording:
    """Check the arrays of a step.

    Args:
        given: by role.
        taken: what was taken as what.
        dtype: format of y and dx, where a person says it.

    Raises:
        UserError: an array is missing, or does not fit; the message says which.
    """
    if "x" not in given:
        raise UserError("there is no x; name the array that went in, or say which it is with --name x=ARRAY")
    arrays = {role: _floating(role, np.asarray(given[role])) for role in (*TENSORS, *VECTORS) if role in given}
    _check_shapes(arrays)
    if any(role in arrays for role in ("dx", "dgamma", "dbeta")) and "dy" not in arrays:
        raise UserError("there are gradients and no dy; give the gradient of y that went in")
    arrays |= {role: _vector(role, arrays[role]) for role in VECTORS if role in arrays}
    lengths = {role: len(arrays[role]) for role in VECTORS if role in arrays}
    if len(set(lengths.values())) > 1:
        raise UserError(f"the vectors have different lengths: {', '.join(f'{k} {v}' for k, v in lengths.items())}")
    remarks: list[str] = []
    storage, parameters, statistics = _formats(arrays, dtype)
    formats = dict.fromkeys(("y", "y_other", "dx"), storage) | dict.fromkeys(("dgamma", "dbeta"), parameters)
    formats |= dict.fromkeys(("running_mean_after", "running_var_after"), statistics)
    for role, format_ in formats.items():
        if role in arrays:
            arrays[role] = _in_format(role, arrays[role], format_, remarks)
    if arrays["x"].dtype.name != storage.name:
        remarks.append(
            f"x is {arrays['x'].dtype.name} and was taken as it is; what came out is judged as {storage.name}"
        )
    numbers = {role: _number(role, given[role]) for role in NUMBERS if role in given}
    mask = _mask(np.asarray(given["mask"]), arrays["x"].shape) if "mask" in given else None
    return Recording(arrays, numbers, mask, tuple(taken), storage, parameters, statistics, tuple(remarks))


def _floating(role: str, array: Array) -> Array:
    if array.dtype.name in FORMATS:
        return array
    if role == "x" or array.dtype.kind not in "iub":
        raise UserError(f"{role} is {one_line(array.dtype.name, 40)}; allowed are {', '.join(FORMATS)}")
    return array.astype(np.float64)  # integers, as of a beta of zeros, are exact in it or were no vector


def _check_shapes(arrays: Mapping[str, Array]) -> None:
    shape = arrays["x"].shape
    if not 2 <= len(shape) <= 5:
        raise UserError(f"x has {len(shape)} axes; allowed are 2 to 5: reshape what lies beside the channels")
    if not prod(shape):
        raise UserError(f"x has the shape {shape} and no values; nothing can be said of an empty batch")
    for role in TENSORS:
        if role in arrays and arrays[role].shape != shape:
            raise UserError(f"{role} has the shape {arrays[role].shape}; allowed is that of x, {shape}")


def _vector(role: str, array: Array) -> Array:
    if sum(size != 1 for size in array.shape) > 1 or not array.size:
        raise UserError(f"{role} has the shape {array.shape}; allowed is one number per channel")
    return array.reshape(-1)


def _number(role: str, value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or (array.dtype.kind not in "fiu" and array.dtype.name not in FORMATS):
        raise UserError(
            f"{role} has the shape {array.shape} and dtype {one_line(array.dtype.name, 40)}; give one number"
        )
    return float(array.reshape(())[()])


def _mask(mask: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.dtype != np.bool_:
        if mask.dtype.kind not in "iuf" or not np.isin(mask, (0, 1)).all():
            raise UserError("mask has other values than 0 and 1; give True where a position counts")
        mask = mask.astype(np.bool_)
    if mask.ndim == 1:
        mask = mask.reshape(-1, *[1] * (len(shape) - 1))
    if mask.ndim not in (len(shape), len(shape) - 1):
        raise UserError(f"mask has the shape {mask.shape}; allowed is that of x, {shape}, without its channels")
    return np.asarray(mask)


def _formats(arrays: Mapping[str, Array], dtype: str) -> tuple[Format, Format, Format]:
    """The formats of y and dx, of parameters, and of running statistics."""
    if dtype and dtype not in FORMATS:
        raise UserError(f"dtype is {one_line(dtype, 40)!r}; allowed are {', '.join(FORMATS)}")
    like_x = next((role for role in ("y", "dx") if role in arrays), "x")
    storage = FORMATS[dtype] if dtype else format_of(arrays[like_x].dtype)
    own = [format_of(arrays[role].dtype) for role in ("gamma", "beta", "dgamma", "dbeta") if role in arrays]
    kept = [format_of(arrays[role].dtype) for role in VECTORS if role.startswith("running") and role in arrays]
    widest = max([storage, *own], key=lambda format_: format_.precision)
    statistics = max(kept, key=lambda format_: format_.precision) if kept else widest
    declarable = (widest, compute_format(widest), *([FORMATS["float64"]] if own else []))
    if statistics not in declarable:  # then the parameters are what the statistics are
        widest = max(widest, statistics, key=lambda format_: format_.precision)
        statistics = widest
    return storage, widest, statistics


def _in_format(role: str, array: Array, format_: Format, remarks: list[str]) -> Array:
    """A judged array in its format. One that was saved wider is narrowed where that loses nothing."""
    if array.dtype.name == format_.name:
        return array
    with np.errstate(over="ignore"):
        narrow = array.astype(dtype_of(format_.name))
        same = (narrow.astype(np.float64) == array.astype(np.float64)) | np.isnan(array.astype(np.float64))
    if format_of(array.dtype).precision > format_.precision and bool(same.all()):
        remarks.append(f"{role} was saved as {array.dtype.name} and holds numbers of {format_.name}: judged as that")
        return np.asarray(narrow)
    raise UserError(f"{role} is {array.dtype.name} and should be {format_.name}, as the others are; save them alike")
