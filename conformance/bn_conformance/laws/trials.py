"""Trials of a law: each runs a fresh layer once, on data that are related to those of the other trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.cases.steps import type_of
from bn_conformance.cases.tensors import CaseData
from bn_conformance.hosting.host import Host
from bn_conformance.hosting.operations import (
    BackwardCall,
    BackwardResult,
    BuildCall,
    Call,
    ForwardCall,
    Returned,
    RunningStatisticsCall,
    SetParametersCall,
    SetRunningStatisticsCall,
    UpdateStatisticsCall,
)
from bn_reference.arithmetic.channels import channels_back, channels_first


class InexactData(Exception):
    """The layer's format cannot hold the data of a law exactly: a defect of the case, never of the implementation."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """One call of a fresh layer.

    Attributes:
        config: the layer.
        x: rows of shape (C, n) in the layer's format.
        dy: rows like x; None for no backward.
        sizes: sizes of the axes of x, the channel axis left out.
        training: whether the forward is in training.
        gamma, beta: vectors of the parameters' format; None where the layer has its default.
        statistics: the running mean and variance that are set first, float64 vectors; None for those of a fresh layer.
    """

    config: LayerConfig
    x: Array
    dy: Array | None
    sizes: tuple[int, ...]
    training: bool
    gamma: Array | None
    beta: Array | None
    statistics: tuple[Array, Array] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of x as the layer takes it."""
        axis = self.config.channel_axis
        return (*self.sizes[:axis], self.x.shape[0], *self.sizes[axis:])

    def tensor(self, rows: Array) -> Array:
        """Arrange rows as the layer takes them."""
        return np.ascontiguousarray(channels_back(rows, self.shape, self.config.channel_axis))

    def on(self, **changes: Any) -> Setup:
        """Make a setup with other data; float64 rows and vectors are converted to the layer's formats.

        Raises:
            InexactData: a value is not exact in its format.
        """
        formats = {"x": self.config.dtype, "dy": self.config.dtype} | dict.fromkeys(
            ("gamma", "beta"), self.config.parameter_dtype
        )
        for name, value in changes.items():
            if name in formats and value is not None:
                changes[name] = _exactly(value, formats[name], name)
        return replace(self, **changes)


def _exactly(values: Array, dtype: str, name: str) -> Array:
    cast = values.astype(dtype_of(dtype))
    if not np.array_equal(cast.astype(np.float64), values.astype(np.float64)):
        raise InexactData(f"{name} of a law is not exact in {dtype}; give its case coarser data")
    return cast


@dataclass(frozen=True, eq=False)
class Trial:
    """What a fresh layer gave on one setup; `before` and `after` are its running statistics, as (mean, variance)."""

    setup: Setup
    y: Returned
    dx: Returned | None
    dgamma: Returned | None
    dbeta: Returned | None
    before: tuple[Returned, Returned]
    after: tuple[Returned, Returned]


def base_of(case: Case, data: CaseData) -> Setup:
    """Make the setup that a case describes: its last step with data, and the statistics that it sets before."""
    config, step, tensors = case.config, case.batches[-1], data.batches[-1]
    axis = config.channel_axis
    vectors = None
    for earlier in case.steps:
        recipes = type_of(earlier).statistics(earlier)
        if recipes is not None:
            mean, variance = (recipe.vector(config.num_channels, "float64") for recipe in recipes)
            vectors = mean, variance
    return Setup(
        config=config,
        x=np.ascontiguousarray(channels_first(tensors.x, axis)),
        dy=None if tensors.dy is None else np.ascontiguousarray(channels_first(tensors.dy, axis)),
        sizes=tuple(size for place, size in enumerate(step.shape) if place != axis),
        training=step.training,
        gamma=tensors.gamma,
        beta=tensors.beta,
        statistics=vectors,
    )


def run_trial(host: Host, setup: Setup, explicit_update: bool, standing: list[int]) -> Trial:
    """Run a setup on a fresh layer, and append the layer's number to `standing`.

    Raises:
        LayerError: the implementation raised.
        HostLost: its process is gone.
    """
    layer = host.reserve()
    standing.append(layer)
    read = RunningStatisticsCall(layer)
    calls: list[Call[Any]] = [BuildCall(setup.config, layer)]
    if setup.gamma is not None or setup.beta is not None:
        calls.append(SetParametersCall(layer, setup.gamma, setup.beta))
    calls.append(read)
    if setup.statistics is not None:
        before = _results_of(host, calls)[-1]
        dtype = before[1].dtype if isinstance(before[1], np.ndarray) else np.dtype(np.float32)
        mean, variance = (vector.astype(dtype) for vector in setup.statistics)
        calls = [SetRunningStatisticsCall(layer, mean, variance), read]
    forward_place = len(calls)
    x = setup.tensor(setup.x)
    calls.append(ForwardCall(layer, x, "contiguous", setup.training))
    if setup.training and explicit_update:
        calls.append(UpdateStatisticsCall(layer))
    if setup.dy is not None:
        calls.append(BackwardCall(layer, setup.tensor(setup.dy), "contiguous"))
    results = _results_of(host, [*calls, read])
    before, y, after = results[forward_place - 1], results[forward_place].y, results[-1]
    if setup.dy is None:
        return Trial(setup, y, None, None, None, before, after)
    gradients: BackwardResult = results[-2]
    return Trial(setup, y, gradients.dx, gradients.dgamma, gradients.dbeta, before, after)


def _results_of(host: Host, calls: list[Call[Any]]) -> list[Any]:
    results, error = host.run(calls)
    if error is not None:
        raise error
    return results
