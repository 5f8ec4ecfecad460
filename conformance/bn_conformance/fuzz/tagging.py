"""The clauses that a drawn case tests, the deciding one first, from what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from bn_conformance.adapter import CUMULATIVE, LayerConfig
from bn_conformance.cases.model import Batch, Freeze, Reload, SetParameters, Step, batches_of
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.steps import has_step

FAR_OFFSET = 10.0
"""Mean over deviation from where data are called data of a large mean."""

CONSTANT = frozenset({"constant", "fill", "signed-zeros"})


def clauses_of_drawn(config: LayerConfig, steps: Sequence[Step], repeat: bool, overwrites: bool) -> tuple[str, ...]:
    """Ids of the clauses of a drawn case."""
    batches = batches_of(steps)
    clauses = [
        *_edges(config, batches),
        *_data(batches),
        *_sequence(config, steps, batches),
        *_layer(config),
        *(["PURE-2"] if repeat else []),
        *(["PURE-7"] if overwrites else []),
        *_base(batches),
    ]
    return tuple(dict.fromkeys(clauses))


def is_special(steps: Sequence[Step]) -> bool:
    """Whether a NaN or an infinity is among the data."""
    return any(_kind(recipe) == "special" for batch in batches_of(steps) for recipe in (batch.x, batch.dy))


def _kind(recipe: DataRecipe | None) -> str:
    return "" if recipe is None else recipe.kind


def _edges(config: LayerConfig, batches: Sequence[Batch]) -> Iterator[str]:
    for batch in batches:
        count = prod(batch.shape) // max(config.num_channels, 1)
        if count < 2:
            yield ("EDGE-1" if count else "EDGE-2") if batch.training else "EDGE-5"
    if is_special(batches):
        yield "EDGE-4"


def _data(batches: Sequence[Batch]) -> Iterator[str]:
    for batch in batches:
        if batch.x.kind in CONSTANT:
            yield "NUM-3"
        elif abs(batch.x.offset) >= FAR_OFFSET * abs(batch.x.scale):
            yield "NUM-1"
        elif batch.x.kind == "mixed-scales" or batch.x.scale != 1.0:
            yield "NUM-2"
        if batch.mask is not None:
            yield "MASK-1" if batch.training else "MASK-8"
        if batch.second is not None:
            yield "SECOND-1" if batch.training else "SECOND-4"
        if batch.interrupt is not None:
            yield "PURE-3"
        if batch.between:
            yield "STATE-8"
        if batch.view != "contiguous":
            yield "LAYOUT-3"


def _sequence(config: LayerConfig, steps: Sequence[Step], batches: Sequence[Batch]) -> Iterator[str]:
    if has_step(steps, Reload):
        yield "STATE-2"
    if has_step(steps, Freeze):
        yield "STATE-3"
    if has_step(steps, SetParameters):
        yield "STATE-6"
    if len(batches) > 1:
        yield "STATE-1"
    if len({batch.shape for batch in batches}) > 1:
        yield "STATE-5"
    if config.momentum == CUMULATIVE:
        yield "STAT-8"
    elif config.momentum is None:
        yield "STAT-6"


def _layer(config: LayerConfig) -> Iterator[str]:
    if config.eps is None:
        yield "FWD-5"
    if config.dtype != config.parameter_dtype:
        yield "DTYPE-4"
    elif config.dtype != "float32":
        yield "DTYPE-3" if config.dtype == "float64" else "DTYPE-2"
    if not (config.gamma and config.beta):
        yield "FWD-4"


def _base(batches: Sequence[Batch]) -> Iterator[str]:
    for batch in batches:
        yield "FWD-1" if batch.training else "EVAL-1"
        if batch.training:
            yield "STAT-1"
        if batch.dy is not None:
            yield "GRAD-1" if batch.training else "GRAD-4"
