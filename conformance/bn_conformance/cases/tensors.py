"""The tensors of a case, made from its recipes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.model import (
    Batch,
    Between,
    Case,
    EarlierBackward,
    ParameterRecipes,
    Second,
    SetParameters,
    Step,
    has_data,
)
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.steps import type_of
from bn_conformance.cases.views import REPEATING, realise
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import to_float64, to_quad
from bn_reference.definition.graph import mean_of

Vectors = tuple[Array | None, Array | None]
"""gamma and beta."""

SecondData = tuple[Array, Array | None, Array | None]
"""The weights of the gradients of the second order: v_dx, and the vectors v_dgamma and v_dbeta."""


@dataclass(frozen=True)
class BatchData:
    """The tensors of one step with data, as arrays in the format of the configuration.

    gamma and beta are those of the layer in this step; None where it has its defaults, or does not have them.
    """

    x: Array
    dy: Array | None
    gamma: Array | None = None
    beta: Array | None = None
    interrupt: Array | None = None
    mask: Array | None = None
    second: SecondData | None = None


@dataclass(frozen=True)
class CaseData:
    """Every tensor of a case. All implementations share it, and nobody writes to it.

    gamma and beta are those at the beginning of the case.
    """

    batches: tuple[BatchData, ...]
    gamma: Array | None
    beta: Array | None


def data_of(case: Case) -> CaseData:
    """Make the data of a case.

    Views that repeat numbers are applied to the data here.
    """
    first = vectors = vectors_of(case.config, case.parameters)
    batches = []
    for step in case.steps:
        vectors = _vectors_after(step, case.config, vectors)
        if has_data(step):
            batches.append(batch_data(case.config, step, vectors))
            for change in step.between:
                vectors = _vectors_after(change, case.config, vectors)
    return CaseData(tuple(batches), *first)


def _vectors_after(step: Step | Between, config: LayerConfig, vectors: Vectors) -> Vectors:
    """gamma and beta of the layer after a step; `vectors` are those before it."""
    parameters = type_of(step).parameters(step)
    return vectors if parameters is None else vectors_of(config, parameters)


def vectors_of(config: LayerConfig, parameters: ParameterRecipes | None) -> Vectors:
    """Make gamma and beta; None for one that the layer does not have, and for both where `parameters` is None."""
    if parameters is None:
        return None, None
    lengths, dtype = (config.num_channels,) * 2, config.parameter_dtype
    if isinstance(parameters, SetParameters) and parameters.lengths is not None:
        lengths = parameters.lengths
    return (
        parameters.gamma.vector(lengths[0], dtype) if config.gamma else None,
        parameters.beta.vector(lengths[1], dtype) if config.beta else None,
    )


def batch_data(config: LayerConfig, batch: Batch, vectors: Vectors) -> BatchData:
    """Make the tensors of one step with data; `vectors` are the gamma and beta of the layer in it."""
    axis = _channel_axis(config, batch)
    x = batch.x.tensor(batch.shape, axis, batch.dtype or config.dtype)
    dy = None if batch.dy is None else _dy(config, batch, batch.dy)
    interrupt = None if batch.interrupt is None else batch.interrupt.tensor(batch.shape, axis, config.dtype)
    if batch.view in REPEATING:
        x = np.ascontiguousarray(realise(x, batch.view))
    mask = None if batch.mask is None else batch.mask.array(batch.shape, axis)
    if batch.mask is not None and mask is not None:
        x = batch.mask.hide(x, mask)
    return BatchData(x, dy, *vectors, interrupt, mask, _second(config, batch, batch.second))


def upstream_data(config: LayerConfig, batch: Batch, backward: EarlierBackward) -> tuple[Array, SecondData | None]:
    """Make the tensors of an earlier backward of a step: its dy, and the weights of its second order."""
    return _dy(config, batch, backward.dy), _second(config, batch, backward.second)


def exact_statistics(x: Array, axis: int) -> tuple[Array, Array]:
    """Mean and biased variance of a batch, float64 vectors of shape (C,), rounded once from binary128."""
    rows = to_quad(channels_first(x, axis))
    mean = mean_of(rows)
    return to_float64(mean), to_float64(mean_of((rows - mean[:, None]) ** 2))


def _channel_axis(config: LayerConfig, batch: Batch) -> int:
    """The axis of the channels; the last axis where x has too few, as bad input may."""
    return min(config.channel_axis, len(batch.shape) - 1)


def _dy(config: LayerConfig, batch: Batch, recipe: DataRecipe) -> Array:
    dy = recipe.tensor(batch.dy_shape or batch.shape, _channel_axis(config, batch), config.dtype)
    return np.ascontiguousarray(realise(dy, batch.dy_view)) if batch.dy_view in REPEATING else dy


def _second(config: LayerConfig, batch: Batch, second: Second | None) -> SecondData | None:
    if second is None:
        return None
    channels, dtype = config.num_channels, config.parameter_dtype
    return (
        second.v_dx.tensor(batch.shape, _channel_axis(config, batch), config.dtype),
        second.v_dgamma.vector(channels, dtype) if second.v_dgamma and config.gamma else None,
        second.v_dbeta.vector(channels, dtype) if second.v_dbeta and config.beta else None,
    )
