"""Arrays as code: their numbers where there are few, and else a small generator of the same bits."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import DataRecipe, dtype_of
from bn_conformance.repro.generators import HELPERS, generator_of
from bn_conformance.repro.number_text import number_text
from bn_conformance.user_error import UserError

MOST_NUMBERS = 120
"""Numbers of an array that are written out where a generator gives them too."""

MOST_WITHOUT_GENERATOR = 10_000
"""Numbers of an array that are written out where no generator gives them."""


class NoRepro(UserError):
    """There is no script that shows a fault; the message says why."""


def array_code(
    name: str, array: Array, recipe: DataRecipe | None = None, channel_axis: int = 0, dtype: str = ""
) -> Iterator[str]:
    """Lines that assign an array to a name; that of bfloat16 as float32.

    Args:
        name: the name.
        array: the array.
        recipe: how it was made; None where nobody knows.
        channel_axis: the axis of its channels.
        dtype: its format where that is not what a NumPy array of it says.

    Raises:
        NoRepro: it is too large to be written out, and no generator gives it.
    """
    shown = np.asarray(array, np.float32) if array.dtype == dtype_of("bfloat16") else array
    numpy_type = "bool" if shown.dtype == np.bool_ else f"np.{shown.dtype.name}"
    if array.size == 0 or (shown.view(f"u{shown.itemsize}") == shown.view(f"u{shown.itemsize}").flat[0]).all():
        value = "0" if array.size == 0 else number_text(shown.flat[0])
        yield f"{name} = np.full({shown.shape}, {value}, {numpy_type})"
        return
    if array.size > MOST_NUMBERS and recipe is not None:
        lines = generator_of(name, recipe, shown.shape, channel_axis, dtype or array.dtype.name)
        if lines and _gives(name, lines, shown):
            yield from lines
            return
    if array.size > MOST_WITHOUT_GENERATOR:
        raise NoRepro(f"{name} has {array.size} numbers, too many for a script; name a smaller case")
    numbers = ", ".join(number_text(number) for number in shown.ravel())
    reshape = "" if shown.ndim == 1 else f".reshape({shown.shape})"
    if len(numbers) < 90:
        yield f"{name} = np.array([{numbers}], {numpy_type}){reshape}"
        return
    yield f"{name} = np.array(["
    yield from textwrap.wrap(numbers + ",", 112, initial_indent="    ", subsequent_indent="    ")
    yield f"], {numpy_type}){reshape}"


def _gives(name: str, lines: list[str], array: Array) -> bool:
    """Whether lines give the bits of an array; they are the suite's own."""
    variables: dict[str, Any] = {"np": np}
    with np.errstate(all="ignore"):
        exec("\n".join([*HELPERS, *lines]), variables)
    made = variables[name]
    return bool(made.dtype == array.dtype and made.shape == array.shape and made.tobytes() == array.tobytes())
