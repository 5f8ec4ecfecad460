"""Companions: layers that live beside that of a case and take its steps, with parameters and data of their own."""

from __future__ import annotations

from dataclasses import replace

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.model import Batch
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.tensors import BatchData, CaseData, Vectors, batch_data


def companion_vectors(data: CaseData, number: int) -> Vectors:
    """gamma and beta of a companion: those of the case from the last channel to the first, further from zero."""
    gamma, beta = (_moved(vector, number) for vector in (data.gamma, data.beta))
    return gamma, beta


def companion_data(config: LayerConfig, step: Batch, number: int) -> BatchData:
    """x and dy of a companion in a step: those of other seeds, further from zero for each companion."""
    x = _other(step.x, number)
    dy = None if step.dy is None else _other(step.dy, number)
    return batch_data(config, replace(step, x=x, dy=dy, interrupt=None, second=None, mask=None), (None, None))


def _moved(vector: Array | None, number: int) -> Array | None:
    return None if vector is None else (vector[::-1] + 0.25 * (number + 1)).astype(vector.dtype)


def _other(recipe: DataRecipe, number: int) -> DataRecipe:
    return replace(recipe, seed=recipe.seed + number + 1, offset=recipe.offset + number + 1.0)
