"""Functions of x with its channels on axis 0, such as (C, N): called with x of the suite, axes 0 and 1 swapped."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bn_adapters.wrappers.reading.callee import Callee

AXIS_ZERO = "channels on axis 0: axes 0 and 1 of x, y and their gradients are swapped around each call"
"""What is said of such code."""


def on_axis_zero(callee: Callee, columns: bool) -> Callee:
    """The same with axes swapped: what is of the shape of x or dy goes in and comes out with axes 0 and 1 swapped.

    What lies deeper in a result than its parts, such as a cache in a tuple, stays as the function made it.

    Args:
        callee: its first array of two axes or more is x or dy.
        columns: whether vectors of shape (C,) go in as (C, 1), with an axis more for each axis of space.
    """
    return replace(callee, call=_swapping(callee.call, columns))


def _swapping(call: Callable[..., Any], columns: bool) -> Callable[..., Any]:
    @functools.wraps(call)
    def swapped(*given: Any, **named: Any) -> Any:
        shapes = {_shape(value) for value in (*given, *named.values()) if len(_shape(value)) > 1}
        like = max(shapes, key=lambda shape: functools.reduce(int.__mul__, shape, 1), default=())

        def inside(value: Any) -> Any:
            if like and _shape(value) == like:
                return value.swapaxes(0, 1)
            is_vector = columns and len(_shape(value)) == 1
            return value.reshape((-1, *[1] * (len(like) - 1))) if is_vector else value

        result = call(*map(inside, given), **{name: inside(value) for name, value in named.items()})
        return _outside(result, (*like[1::-1], *like[2:]))

    return swapped


def _outside(result: Any, like: tuple[int, ...]) -> Any:
    """A result with those of its parts swapped that have a shape."""

    def one(value: Any) -> Any:
        return value.swapaxes(0, 1) if len(like) > 1 and _shape(value) == like else value

    if isinstance(result, Mapping):
        return {key: one(value) for key, value in result.items()}
    if type(result) in (tuple, list):
        return type(result)(map(one, result))
    return one(result)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))


def ways_on_axis_zero(forward: Callee, backward: Callee | None) -> Iterator[tuple[Callee, Callee | None]]:
    """A forward and its backward with axes swapped: with vectors as they are, then as columns."""
    for columns in (False, True):
        yield on_axis_zero(forward, columns), None if backward is None else on_axis_zero(backward, columns)
