"""What batch normalisation is not quite: an activation after it, and its relatives, each known by what it gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.forward import OneCall, attempt, readings
from bn_adapters.wrappers.reading.roles import BETA, EPS, GAMMA
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
