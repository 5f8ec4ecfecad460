"""Fits a case to a condition: the same question where the condition holds, as a case that one could write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.model import Batch, Case, Reload
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.tensors import CaseData
from bn_conformance.cases.views import realise
from bn_conformance.mutation.conditions import Condition, Residue, Same, Where, Within
from bn_conformance.mutation.occasions import Occasion

VIEW_OF_MEMORY = {"part": "offset", "permuted": "fortran", "strided": "strided"}
"""A view with each of the kinds of memory."""


def occasions_of(case: Case, data: CaseData) -> Iterator[Occasion]:
    """The occasions of the forwards and backwards of a case's own layer."""
    number, latest = 0, None
    tensors = iter(data.batches)
    for step in case.steps:
        if isinstance(step, Reload):
            number, latest = 0, None
        if not isinstance(step, Batch):
            continue
        batch, number = next(tensors), number + 1
        forward = Occasion(
            config=case.config,
            array=realise(batch.x, step.view),
            training=step.training,
            masked=step.mask is not None,
            number=number,
            resized=latest not in (None, step.shape),
        )
        latest = step.shape
        yield forward
        if batch.dy is not None:
            yield replace(forward, array=realise(batch.dy, step.dy_view or step.view))


def can_be_fitted(case: Case) -> bool:
    """Whether a case still asks for what is right when it is fitted: it is no exact one, whose data fit its shape.

    Others ask for something particular too, such as a refusal: who fits them sees that the reference layer passes.
    """
    special = case.exact or case.exact_statistics or case.laws or case.band or case.concurrent
    return not special and not any(batch.shards for batch in case.batches)


def fitted(case: Case, where: Where) -> Case | None:
    """The case changed so that the conditions hold, as far as that goes; None where there is no way."""
    changed: Case | None = replace(case, id=f"{case.id}, {where.text}", sweep=True)
    for condition in where.conditions:
        try:
            changed = changed and _FITS[condition.feature](changed, condition)
        except (ValueError, IndexError):  # no such layer or shape, or an x of another rank on purpose
            return None
    return changed


def _number(condition: Condition, value: int) -> int:
    """The number nearest to a value, above it where that can be, with which a condition holds."""
    if isinstance(condition, Within):
        value = max(value, int(condition.least))
        return value if condition.below is None else min(value, int(condition.below) - 1)
    if isinstance(condition, Residue):
        wanted = 1 if condition.remainder is None else condition.remainder
        return value + (wanted - value) % condition.divisor
    return value


def _reshaped(case: Case, shape: Callable[[tuple[int, ...]], tuple[int, ...]], **config: Any) -> Case:
    """The case with other shapes, and perhaps another layer. A dy of a wrong shape keeps it where axes stay."""

    def fit(step: Batch) -> Batch:
        dy_shape = shape(step.dy_shape) if step.dy_shape and "channel_axis" in config else step.dy_shape
        return replace(step, shape=shape(step.shape), dy_shape=dy_shape)

    steps = tuple(fit(step) if isinstance(step, Batch) else step for step in case.steps)
    return replace(case, steps=steps, config=replace(case.config, **config))


def _with_axis(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _channels(case: Case, condition: Condition) -> Case:
    count = _number(condition, case.config.num_channels)
    return _reshaped(case, lambda shape: _with_axis(shape, case.config.channel_axis, count), num_channels=count)


def _batch(case: Case, condition: Condition) -> Case:
    return _reshaped(case, lambda shape: _with_axis(shape, 0, _number(condition, shape[0])))


def _axes_of_space(config: LayerConfig) -> tuple[int, ...]:
    return tuple(axis for axis in range(1, config.rank) if axis != config.channel_axis)


def _space(case: Case, condition: Condition) -> Case | None:
    """The last axis of space takes the change."""
    case = case if case.config.rank > 2 else _rank(case, Within("rank", 4, 5))
    *others, last = _axes_of_space(case.config)

    def shape(old: tuple[int, ...]) -> tuple[int, ...]:
        wanted = _number(
            condition, 1 if condition == Within("space", 1, 2) else prod(old[axis] for axis in (*others, last))
        )
        if condition.feature == "width":
            return _with_axis(old, last, _number(condition, old[last]))
        for axis in others:
            old = _with_axis(old, axis, 1)
        return _with_axis(old, last, wanted)

    return _reshaped(case, shape)


def _count(case: Case, condition: Condition) -> Case:
    """The batch takes the change, with one position of space."""
    axes = _axes_of_space(case.config)

    def shape(old: tuple[int, ...]) -> tuple[int, ...]:
        wanted = _number(condition, prod(old) // old[case.config.channel_axis])
        for axis in axes:
            old = _with_axis(old, axis, 1)
        return _with_axis(old, 0, wanted)

    return _reshaped(case, shape)


def _rank(case: Case, condition: Condition) -> Case:
    """Channels first, with N kept and the space spread over the axes."""
    assert isinstance(condition, Within)
    rank = int(condition.least)
    axis = case.config.channel_axis

    def shape(old: tuple[int, ...]) -> tuple[int, ...]:
        space = prod(size for place, size in enumerate(old) if place not in (0, axis))
        if rank == 2:
            return (old[0] * space, old[axis])
        return (
            (old[0], old[axis], *([1] * (rank - 3)), space) if space > 1 else (old[0], old[axis], *([2] * (rank - 2)))
        )

    return _reshaped(case, shape, rank=rank, channel_axis=1)


def _layout(case: Case, condition: Condition) -> Case:
    assert isinstance(condition, Same)
    case = case if case.config.rank > 3 else _rank(case, Within("rank", 4, 5))
    old_axis, rank = case.config.channel_axis, case.config.rank
    axis = {"first": 1, "last": rank - 1, "between": 2}[str(condition.value)]

    def shape(old: tuple[int, ...]) -> tuple[int, ...]:
        others = [size for place, size in enumerate(old) if place != old_axis]
        return (*others[:axis], old[old_axis], *others[axis:])

    return _reshaped(case, shape, channel_axis=axis)


def _formats(case: Case, condition: Condition) -> Case:
    dtype = str(condition.value) if isinstance(condition, Same) and condition.feature == "format" else "float16"
    parameters = "float32" if condition.feature == "wider" else dtype
    return replace(case, config=replace(case.config, dtype=dtype, parameter_dtype=parameters))


def _affine(case: Case, condition: Condition) -> Case | None:
    assert isinstance(condition, Same)
    if any(batch.second is not None for batch in case.batches):
        return None
    return replace(case, config=replace(case.config, gamma=condition.value == "gamma", beta=condition.value == "beta"))


def _setting(case: Case, condition: Condition) -> Case:
    assert isinstance(condition, Within)
    value = 2.0**-24 if condition.below is not None else condition.least + 0.25
    settings: dict[str, Any] = {condition.feature: value}
    return replace(case, config=replace(case.config, **settings))


def _time(case: Case, condition: Condition) -> Case:
    """The first batch, so many times before the case begins."""
    before = replace(case.batches[0], dy=None, second=None, between=(), judge=False)
    return replace(case, steps=(*[before] * (_number(condition, 1) - 1), *case.steps))


def _resized(case: Case, condition: Condition) -> Case:
    first = case.batches[0]
    axis = 0 if case.config.rank == 2 else _axes_of_space(case.config)[-1]
    shape = _with_axis(first.shape, axis, first.shape[axis] + 1)
    before = replace(first, dy=None, second=None, between=(), judge=False, shape=shape)
    return replace(case, steps=(before, *case.steps))


def _each_batch(case: Case, **changes: Any) -> Case:
    steps = tuple(replace(step, **changes) if isinstance(step, Batch) else step for step in case.steps)
    return replace(case, steps=steps)


def _memory(case: Case, condition: Condition) -> Case:
    assert isinstance(condition, Same)
    return _each_batch(case, view=VIEW_OF_MEMORY[str(condition.value)])


def _data(case: Case, condition: Condition) -> Case:
    """Every x near the least that a condition asks for."""
    if isinstance(condition, Same):
        return _each_batch(case, x=DataRecipe(kind="constant"))
    assert isinstance(condition, Within)
    offset, scale = (1.5 * condition.least, 1.0) if condition.feature == "offset" else (0.0, condition.least)
    return _each_batch(case, x=DataRecipe(kind="centred", seed=1, offset=offset, scale=scale))


def _as_it_is(case: Case, condition: Condition) -> Case:
    return case


_FITS: Mapping[str, Callable[[Case, Any], Case | None]] = {
    "channels": _channels,
    "batch": _batch,
    "space": _space,
    "width": _space,
    "count": _count,
    "rank": _rank,
    "layout": _layout,
    "format": _formats,
    "narrow": _formats,
    "wider": _formats,
    "affine": _affine,
    "eps": _setting,
    "momentum": _setting,
    "training": _as_it_is,
    "masked": _as_it_is,
    "number": _time,
    "resized": _resized,
    "memory": _memory,
    "offset": _data,
    "largest": _data,
    "constant": _data,
}
"""How a case is fitted to a condition about each feature; those about the mode hold in it or not."""
