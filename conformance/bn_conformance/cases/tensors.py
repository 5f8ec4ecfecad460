"""The tensors of a case, made from its recipes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.model import Batch, Between, Case, Parameters, Step, has_data
from bn_conformance.cases.steps import type_of
from bn_conformance.cases.views import realise


@dataclass(frozen=True)
class BatchData:
    """The tensors of one step with data, as arrays of the configured format.

    gamma and beta are those that the layer has in this step, None where it has its defaults or lacks them.
    """

    x: Array
    dy: Array | None
    gamma: Array | None = None
    beta: Array | None = None
    interrupt: Array | None = None
    mask: Array | None = None
    second: tuple[Array, Array | None, Array | None] | None = None
    """v_dx, and the vectors v_dgamma and v_dbeta."""


@dataclass(frozen=True)
class CaseData:
    """Every tensor of a case. Made once, shared by all implementations; nobody writes to it.

    gamma and beta are those at the beginning.
    """

    batches: tuple[BatchData, ...]
    gamma: Array | None
    beta: Array | None


Vectors = tuple[Array | None, Array | None]


def data_of(case: Case) -> CaseData:
    """Make the data of a case. A view that repeats the first entry of the batch is applied to the data itself."""
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
    """gamma and beta of the layer after a step, `vectors` before it."""
    parameters = type_of(step).parameters(step)
    return vectors if parameters is None else vectors_of(config, parameters)


def vectors_of(config: LayerConfig, parameters: Parameters | None) -> Vectors:
    """gamma and beta, None for one that the layer does not have or that no parameters are given for."""
    if parameters is None:
        return None, None
    channels, dtype = config.num_channels, config.parameter_dtype
    return (
        parameters.gamma.vector(channels, dtype) if config.gamma else None,
        parameters.beta.vector(channels, dtype) if config.beta else None,
    )


def batch_data(config: LayerConfig, batch: Batch, vectors: Vectors) -> BatchData:
    """The tensors of one step with data, in which the layer has these parameters."""
    axis = min(config.channel_axis, len(batch.shape) - 1)
    x = batch.x.tensor(batch.shape, axis, batch.dtype or config.dtype)
    dy = None if batch.dy is None else batch.dy.tensor(batch.dy_shape or batch.shape, axis, config.dtype)
    interrupt = None if batch.interrupt is None else batch.interrupt.tensor(batch.shape, axis, config.dtype)
    if batch.view == "broadcast":
        x = np.ascontiguousarray(realise(x, "broadcast"))
    if batch.dy_view == "broadcast" and dy is not None:
        dy = np.ascontiguousarray(realise(dy, "broadcast"))
    mask = None if batch.mask is None else batch.mask.array(batch.shape, axis)
    if batch.mask is not None and mask is not None:
        x = batch.mask.hide(x, mask)
    return BatchData(x, dy, *vectors, interrupt, mask, _second(config, batch, axis))


def _second(config: LayerConfig, batch: Batch, axis: int) -> tuple[Array, Array | None, Array | None] | None:
    if batch.second is None:
        return None
    channels, dtype, given = config.num_channels, config.parameter_dtype, batch.second
    return (
        given.v_dx.tensor(batch.shape, axis, config.dtype),
        given.v_dgamma.vector(channels, dtype) if given.v_dgamma and config.gamma else None,
        given.v_dbeta.vector(channels, dtype) if given.v_dbeta and config.beta else None,
    )
