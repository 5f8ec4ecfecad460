"""The check of a conversion: both frameworks run the layers on the same data, each with the values of its own file.

All channels of all layers with the same eps make one layer, since batch normalisation treats every channel alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.convert.carrying import NEUTRAL, CarriedLayer
from bn_conformance.convert.content import Content
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, UPDATES, VARIANCE
from bn_conformance.diff.verification import Check, Verification, within
from bn_conformance.hosting.host import Host, HostLost, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.operations import BuildCall, ForwardCall, SetParametersCall, SetRunningStatisticsCall
from bn_conformance.hosting.process import Process
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.text import counted
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import STABLE

COUNT = 16
"""Values a channel."""

TIMEOUT = 120.0
"""Seconds for a call."""


@dataclass(frozen=True)
class _Values:
    """The vectors of all layers of a group, one after the other, as one side has them."""

    eps: float
    gamma: Array
    beta: Array
    mean: Array
    variance: Array


@dataclass(frozen=True)
class _Right:
    """What is right for a side: its state, and how far what it stores may be from that.

    Attributes:
        parameters: gamma and beta.
        state: the running statistics, with the errors that storing them may have.
        unit, least: relative and absolute errors of a stored gamma or beta, of shape (channels, 1).
    """

    parameters: GammaBeta
    state: Statistics
    unit: Quad
    least: Quad


def check_conversion(
    source: Implementation, target: Implementation, layers: Sequence[CarriedLayer], written: Content | None
) -> Verification:
    """Run both sides on the same data.

    Args:
        source: what runs the layers of the source.
        target: what runs those of the target.
        layers: what was carried.
        written: the target, read again; None where nothing was written.
    """
    names = source.name, target.name
    for side in (source, target):
        if side.status != OK:
            return Verification(*names, failure=f"{side.name} cannot run here: {side.message}")
    sound = [layer for layer in layers if layer.sound]
    if not sound:
        return Verification(*names, failure="no layer has values with which inference means anything")
    checks = [] if written is None else [_held(layers, written)]
    try:
        with _host(source) as host_a, _host(target) as host_b:
            for group in _groups(sound):
                checks.append(_outputs(group, (source, host_a), (target, host_b)))
    except LayerError as error:
        return Verification(*names, tuple(checks), failure=str(error))
    except HostLost as loss:
        return Verification(*names, tuple(checks), failure=loss.message)
    return Verification(*names, tuple(checks))


@contextmanager
def _host(implementation: Implementation) -> Iterator[Host]:
    process = Process(implementation.variables())
    try:
        yield IsolatedHost(process, implementation.target, implementation.device, TIMEOUT)
    finally:
        process.close()


def _groups(layers: Sequence[CarriedLayer]) -> list[list[CarriedLayer]]:
    """Layers with the same eps on both sides."""
    groups: dict[tuple[float | None, float], list[CarriedLayer]] = {}
    for layer in layers:
        groups.setdefault((layer.source.eps, layer.eps), []).append(layer)
    return list(groups.values())


def _held(layers: Sequence[CarriedLayer], written: Content) -> Check:
    """Whether the written file, read again, holds what was carried, bit for bit."""
    differing = sum(
        1
        for layer in layers
        for key, array in layer.by_key.items()
        if key not in written.vectors or written.vectors[key].astype(array.dtype).tobytes() != array.tobytes()
    )
    ratio = float("inf") if differing else 0.0
    return Check("arrays of the written file", float(differing), 0.0, ratio, "read again, bit for bit")


def _outputs(layers: Sequence[CarriedLayer], a: tuple[Implementation, Host], b: tuple[Implementation, Host]) -> Check:
    """The difference of the outputs, without what rounding eps to the format of a side predicts, beside its bound."""
    dtype = _format(layers, a[0], b[0])
    ours, theirs = _source_values(layers, dtype), _target_values(layers, dtype)
    z = DataRecipe(kind="normal", seed=seed_of("convert")).rows(ours.mean.size, COUNT)
    deviation = np.sqrt(ours.variance.astype(np.float64) + ours.eps)
    with np.errstate(over="ignore"):
        rows = (z * deviation[:, None] + ours.mean.astype(np.float64)[:, None]).astype(dtype)
    nothing = to_quad(np.zeros((ours.mean.size, 1)))
    right = _Right(_parameters(ours), Statistics.known(ours.mean, ours.variance), nothing, nothing)
    y_a, golden_a, allowed_a, sure_a = _run(ours, right, rows, *a)
    y_b, golden_b, allowed_b, sure_b = _run(theirs, _stored(ours, theirs.eps, layers, dtype), rows, *b)
    difference = y_a - y_b - (golden_a - golden_b)
    check = within("outputs in inference", difference, allowed_a + allowed_b, (sure_a & sure_b)[:, None])
    channels = f"{counted(len(layers), 'layer')}, {counted(ours.mean.size, 'channel')}, {dtype}"
    return Check(check.what, check.difference, check.allowed, check.ratio, channels)


def _parameters(values: _Values) -> GammaBeta:
    return GammaBeta(to_quad(values.gamma), to_quad(values.beta))


def _stored(ours: _Values, eps: float, layers: Sequence[CarriedLayer], dtype: str) -> _Right:
    """What is right for the target: the source's values, shifted exactly, with what storing them may cost."""
    shift = to_quad(ours.eps) - to_quad(eps)
    rounding = np.concatenate([np.full((layer.source.channels, 2), _rounding(layer, dtype)) for layer in layers])
    units, least = to_quad(rounding[:, 0]), to_quad(rounding[:, 1])
    mean, variance = to_quad(ours.mean), to_quad(ours.variance) + shift
    mean_error, variance_error = (np.asarray(units * np.abs(part) + least) for part in (mean, variance))
    return _Right(
        _parameters(ours),
        Statistics(mean, np.asarray(variance), mean_error, variance_error),
        units[:, None],
        least[:, None],
    )


def _rounding(layer: CarriedLayer, dtype: str) -> tuple[float, float]:
    """The relative and the absolute error of a value that the target stores and the check reads in a format.

    Nothing is rounded where the target stores the source's values in a format that holds them.
    """
    if not layer.rounding and layer.source.eps == layer.eps:
        return 0.0, 0.0
    names = {"float64", dtype, *(array.dtype.name for role, array in layer.arrays.items() if role != UPDATES)}
    units = {name: format_of(name).unit_roundoff for name in names}
    return sum(units.values()), sum(format_of(name).smallest_normal * unit for name, unit in units.items())


def _format(layers: Sequence[CarriedLayer], *sides: Implementation) -> str:
    """float64 where any vector has it and both sides can compute in it, else float32."""
    wide = any(array.dtype == np.float64 for layer in layers for array in (layer.source.mean, *layer.arrays.values()))
    return "float64" if wide and all("float64" in side.capabilities.dtypes for side in sides) else "float32"


def _source_values(layers: Sequence[CarriedLayer], dtype: str) -> _Values:
    def joined(part: Callable[[CarriedLayer], Array | None], neutral: float = 0.0) -> Array:
        return _joined([(part(layer), layer.source.channels) for layer in layers], neutral, dtype)

    return _Values(
        eps=float(layers[0].source.eps or 0.0),
        gamma=joined(lambda layer: layer.source.gamma, NEUTRAL[GAMMA]),
        beta=joined(lambda layer: layer.source.beta, NEUTRAL[BETA]),
        mean=joined(lambda layer: layer.source.mean),
        variance=joined(lambda layer: layer.source.variance),
    )


def _target_values(layers: Sequence[CarriedLayer], dtype: str) -> _Values:
    def joined(role: str, neutral: float = 0.0) -> Array:
        return _joined([(layer.arrays.get(role), layer.source.channels) for layer in layers], neutral, dtype)

    return _Values(
        eps=layers[0].eps,
        gamma=joined(GAMMA, NEUTRAL[GAMMA]),
        beta=joined(BETA, NEUTRAL[BETA]),
        mean=joined(MEAN),
        variance=joined(VARIANCE),
    )


def _joined(parts: Sequence[tuple[Array | None, int]], neutral: float, dtype: str) -> Array:
    arrays = [np.full(size, neutral) if part is None else part.astype(np.float64) for part, size in parts]
    with np.errstate(over="ignore", under="ignore"):
        return np.concatenate(arrays).astype(dtype)


def _run(
    values: _Values, right: _Right, rows: Array, implementation: Implementation, host: Host
) -> tuple[Quad, Quad, Quad, Any]:
    """What a side gives, what is right, what is allowed, and the channels in which that means anything."""
    dtype = rows.dtype.name
    config = LayerConfig(
        num_channels=rows.shape[0], rank=2, channel_axis=1, dtype=dtype, parameter_dtype=dtype, eps=values.eps
    )
    layer = host.reserve()
    host.ask(BuildCall(config, layer))
    host.ask(SetParametersCall(layer, values.gamma, values.beta))
    host.ask(SetRunningStatisticsCall(layer, values.mean, values.variance))
    x = np.ascontiguousarray(rows.T)
    y = host.ask(ForwardCall(layer, x, "contiguous", False)).y
    if not isinstance(y, np.ndarray) or y.shape != x.shape:
        raise LayerError("forward", "TypeError", f"y is no array of shape {x.shape}")
    expected = Golden(config, implementation.convention, to_quad(rows), right.parameters).inference(right.state, None)
    bound = expected["y"].bound(STABLE)
    gamma, beta = (np.abs(to_quad(part))[:, None] for part in (values.gamma, values.beta))
    state, eps = right.state, to_quad(values.eps)
    normalised = np.abs(to_quad(rows) - state.mean[:, None]) / np.sqrt(state.variance + eps)[:, None]
    # An error of u of gamma and beta changes gamma * normalised + beta by u of both parts, and the bound by u of it.
    parts = right.unit * (gamma * normalised + beta) + right.least * (normalised + 1)
    allowed = bound.allowed * (1 + 2 * right.unit) + parts * (1 + right.unit)
    return to_quad(np.ascontiguousarray(y.T)), expected["y"].values, allowed, bound.meaningful
