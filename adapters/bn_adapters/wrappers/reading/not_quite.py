"""What batch normalisation is not quite: an activation after it, and its relatives, each known by what it gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.forward import Attempt, OneCall, attempt, called, readings
from bn_adapters.wrappers.reading.roles import BETA, EPS, GAMMA, MEAN, VARIANCE
from bn_adapters.wrappers.reading.trial_data import ALIKE, TrialData, alike
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_conformance.adapter import Array

RMS = "RMS normalisation: x over the root of its mean square, without a mean taken off"

_NAMED = {
    r"layer_?norm": "layer normalisation",
    r"group_?norm": "group normalisation",
    r"instance_?norm": "instance normalisation",
    r"rms_?norm": "RMS normalisation",
    r"renorm": "batch renormalisation",
}
"""Relatives by what public code calls them."""

_GROUPS = re.compile(r"G|n_?groups?|num_groups|groups", re.IGNORECASE)


def _relatives(rank: int, axis: int) -> dict[str, tuple[int, ...]]:
    """Relatives of batch normalisation, and the axes over which each takes its means."""
    space = tuple(place for place in range(1, rank) if place != axis)
    return {
        "layer normalisation: the mean and the variance are those of each sample": tuple(range(1, rank)),
        "instance normalisation: the mean and the variance are those of each sample and channel": space,
        "normalisation per activation: the mean and the variance are over the batch alone, not over space": (0,),
        "layer normalisation over the channels: the mean and the variance are those of each position": (axis,),
        "normalisation of the whole x by one mean and one variance": tuple(range(rank)),
    }


def activations(y: Array) -> Iterator[tuple[str, Array]]:
    """What usual activations make of y, by their names."""
    with np.errstate(all="ignore"):
        sigmoid = 1.0 / (1.0 + np.exp(-y))
        yield "ReLU", np.maximum(y, 0.0)
        yield "LeakyReLU (slope 0.01)", np.where(y > 0, y, 0.01 * y)
        yield "LeakyReLU (slope 0.2)", np.where(y > 0, y, 0.2 * y)
        yield "ReLU6", np.clip(y, 0.0, 6.0)
        yield "ELU", np.where(y > 0, y, np.expm1(y))
        yield "sigmoid", sigmoid
        yield "tanh", np.tanh(y)
        yield "SiLU", y * sigmoid
        yield "GELU", 0.5 * y * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (y + 0.044715 * y**3)))
        yield "softplus", np.log1p(np.exp(y))


def activated(got: Array, plain: Array) -> str:
    """The activation that makes a result of plain batch normalisation; empty where none does better than none."""
    least = max(ALIKE, alike(got, plain) + 1e-9)
    for name, expected in activations(plain):
        if alike(got, expected) > least:
            return name
    return ""


def named_otherwise(call: OneCall, data: TrialData, callee: Callee) -> str:
    """What the result of a call is where it is not batch normalisation; empty where it is, or where nothing fits."""
    if call.path is None or call.likeness > ALIKE:
        return ""
    got = call.parts[call.path]
    gamma, beta = (data.vectors[role] if role in callee.roles else None for role in (GAMMA, BETA))
    eps = TRIAL_EPS if EPS in callee.roles else 1e-5
    for training in (True, False):
        activation = activated(got, data.y(training, eps, gamma, beta))
        if activation:
            return f"batch normalisation and {activation} in one: y is that of batch normalisation, then {activation}"
    scale, shift = (1.0 if gamma is None else data.column(gamma)), (0.0 if beta is None else data.column(beta))
    for name, axes in _relatives(data.x.ndim, data.axis).items():
        if not axes or set(axes) == set(data.axes):
            continue
        mean, variance = data.x.mean(axes, keepdims=True), data.x.var(axes, keepdims=True)
        if alike(got, scale * (data.x - mean) / np.sqrt(variance + eps) + shift) > ALIKE:
            return name
        if alike(got, scale * data.x / np.sqrt(np.square(data.x).mean(axes, keepdims=True) + eps) + shift) > ALIKE:
            return RMS
    return ""


def relative_by_name(name: str, arguments: Iterable[str] = ()) -> str:
    """The relative of batch normalisation that a function's or class's name says, or an argument for groups does."""
    for pattern, title in _NAMED.items():
        if re.search(pattern, name.rpartition(".")[2], re.IGNORECASE):
            return f"{title}, by its name"
    groups = next((argument for argument in arguments if _GROUPS.fullmatch(argument)), "")
    return f"group normalisation, by its argument {groups}" if groups else ""


def several_axes_text(name: str, shape: tuple[int, ...]) -> str:
    """What is to be said of a parameter or statistic of such a shape; empty where it has one value for each channel."""
    if sum(size > 1 for size in shape) < 2:
        return ""
    return (
        f"{name} of shape {shape}, a value for each activation or for several axes of channels; the suite judges one "
        "for each channel: name code that has these axes flattened to one, on x of shape (N, C)"
    )


OF_ACTIVATIONS = frozenset(
    {"height", "width", "h", "w", "depth", "length", "time", "seq_len", "spatial", "spatial_size"}
)
"""Names of what a class is built from that has parameters for each activation."""


def activations_text(names: Iterable[str]) -> str:
    """What is to be said of a class that is built from the sizes of the axes of space; empty where it is not."""
    if not any(name.lower().strip("_") in OF_ACTIVATIONS for name in names):
        return ""
    return (
        "so that it has a value for each activation; the suite judges one for each channel, on x of any size: name "
        "code that has these axes flattened to one, on x of shape (N, C)"
    )


def far_statistics(x: Array, axis: int) -> tuple[Array, Array]:
    """A running mean and variance so far from those of a batch that renormalisation is at its limits."""
    axes = tuple(place for place in range(x.ndim) if place != axis)
    deviation = x.std(axes, dtype=np.float64)
    return x.mean(axes, dtype=np.float64) + 1e6 * deviation, (1e3 * deviation) ** 2


def limits_of_renormalisation(normalised: Array, x: Array, axis: int, eps: float = 0.0) -> str:
    """What training is that was given `far_statistics`, where it is batch renormalisation; empty where it is not.

    At its limits it gives xhat / r_max - d_max in every channel. Batch normalisation gives xhat, and what normalises by
    the running statistics gives another number in every channel.

    Args:
        normalised: y, less beta and over gamma.
        x: the batch.
        axis: of the channels.
        eps: beside the variance, where it is not small.
    """
    rows = np.moveaxis(np.asarray(x, np.float64), axis, 0).reshape(x.shape[axis], -1)
    got = np.moveaxis(np.asarray(normalised, np.float64), axis, 0).reshape(rows.shape)
    centred = rows - rows.mean(1, keepdims=True)
    hats = centred / np.sqrt(centred.var(1, keepdims=True) + eps)
    slopes, shifts = (got * hats).sum(1) / (hats * hats).sum(1), got.mean(1)
    rest = got - slopes[:, None] * hats - shifts[:, None]
    slope, shift = float(slopes.mean()), float(shifts.mean())
    same = np.ptp(slopes) < 1e-2 * abs(slope) and np.ptp(shifts) < 1e-2 * abs(shift)
    if not same or not 0.01 < slope < 0.99 or not shift < -0.01 or np.abs(rest).max() > 1e-2:
        return ""
    return (
        f"batch renormalisation with limits that are no arguments, r_max={1 / slope:.3g} and d_max={-shift:.3g} "
        "(measured): make them arguments, and it is judged with 1 and 0, where it is batch normalisation"
    )


def renormalised(one: Attempt, arrays: NumpyArrays) -> str:
    """Batch renormalisation with its limits, where the training of a function is that; empty where it is not."""
    data, call = one.data, one.training
    if call is None or call.path is None or not {MEAN, VARIANCE} <= one.callee.roles:
        return ""
    mean, variance = (part.astype(data.x.dtype) for part in far_statistics(data.x, data.axis))
    far = replace(data, vectors={**data.vectors, MEAN: mean, VARIANCE: variance})
    try:
        again = called(one.callee, arrays, far, True)
    except Exception:
        return ""
    y = np.asarray(again.parts.get(call.path, ()), np.float64)
    if y.shape != data.x.shape:
        return ""
    scale, shift = (data.column(data.vectors[role]) if role in one.callee.roles else base for role, base in _AFFINE)
    eps = TRIAL_EPS if EPS in one.callee.roles else 0.0
    return limits_of_renormalisation((y - shift) / scale, data.x, data.axis, eps)


_AFFINE = ((GAMMA, np.ones(())), (BETA, np.zeros(())))


def rank_beyond(callee: Callee, arrays: NumpyArrays, dtype: str) -> str:
    """What is to be said of a function that takes x of a rank that the suite has not; empty where it takes none."""
    usual = TrialData.of(2, 1, dtype)
    one = {role: vector[:1] for role, vector in usual.vectors.items()}
    flat = TrialData(usual.x[:, 0].copy(), usual.dy[:, 0].copy(), 0, one)
    for data in (flat, *(TrialData.of(rank, 1, dtype) for rank in (6, 7))):
        for reading in readings(callee, arrays, data):
            tried = attempt(reading, arrays, data)
            if any(call is not None and call.path is not None for call in (tried.training, tried.inference)):
                return beyond_text(data.x.ndim)
    return ""


def beyond_text(rank: int) -> str:
    """What is to be said of code that takes x of a rank that the suite has not, and no other."""
    way = "x of shape (N, 1) by x[:, 0]" if rank == 1 else f"x of rank 4 reshaped to rank {rank}"
    return f"takes x of rank {rank}, and none of rank 2 to 5, which the suite has; name a function that gives it {way}"
