"""The recipes of data as code of their own: expressions of NumPy that give the same bits.

`bn_conformance.cases.recipes` says what each kind is. A script is tested by whether its data are those of the case, so
that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.spikes import spikes_of
from bn_conformance.repro.number_text import number_text

HELPERS = (
    "def uniform(seed, shape):",
    '    """Numbers in [0, 1) from the raw words of PCG64, which are the same in every version of NumPy."""',
    "    words = np.random.PCG64(seed).random_raw(int(np.prod(shape)))",
    "    return (words >> np.uint64(11)).reshape(shape) * 2.0**-53",
    "",
    "",
    "def bell(seed, shape):",
    '    """Numbers of mean 0 and variance 1: sums of four uniform ones."""',
    "    one, two, three, four = uniform(seed, (4, *shape))",
    "    return (((one + two) + (three + four)) - 2.0) * 1.7320508075688772",
    "",
    "",
    "def bfloat16(numbers):",
    '    """Rounded to bfloat16, as float32."""',
    "    bits = numbers.astype(np.float32).view(np.uint32)",
    "    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)",
    "",
    "",
    "def tensor(rows, shape, axis):",
    '    """A row for each channel, as an array whose channels lie along an axis."""',
    "    others = [size for place, size in enumerate(shape) if place != axis]",
    "    return np.ascontiguousarray(np.moveaxis(rows.reshape(shape[axis], *others), 0, axis))",
)
"""Functions that generators call."""

_SIGNS = "np.where((np.arange(n)[None, :] + np.arange(C)[:, None]) % 2 == 0, -1.0, 1.0)"
_CHANNELS = "np.arange(C, dtype=np.float64)[:, None]"


def _normal(recipe: DataRecipe) -> str:
    centre, spread = f"0.5 * ({_CHANNELS} % 5 - 2.0)", f"(1.0 + 0.25 * ({_CHANNELS} % 4))"
    return f"{recipe.offset!r} + {recipe.scale!r} * ({spread} * bell({recipe.seed}, (C, n)) + {centre})"


def _beside(recipe: DataRecipe) -> str:
    z = f"0.5 * (bell({recipe.seed}, (C, n)) + bell({recipe.seed + 1}, (C, n)))"
    return f"{recipe.offset!r} * {_CHANNELS} + {recipe.scale!r} * ({z})"


_ROWS: Mapping[str, Callable[[DataRecipe], str]] = {
    "normal": _normal,
    "beside": _beside,
    "centred": lambda recipe: f"{recipe.offset!r} + {recipe.scale!r} * bell({recipe.seed}, (C, n))",
    "alike": lambda recipe: f"np.repeat({recipe.offset!r} + {recipe.scale!r} * bell({recipe.seed}, (1, n)), C, axis=0)",
    "positive": lambda recipe: f"{recipe.offset!r} + {recipe.scale!r} * (0.5 + 1.5 * uniform({recipe.seed}, (C, n)))",
    "constant": lambda recipe: f"np.repeat({recipe.offset!r} + {recipe.scale!r} * ({_CHANNELS} + 1.0), n, axis=1)",
    "plus-minus": lambda recipe: f"{recipe.offset!r} + {_CHANNELS} + {recipe.scale!r} * {_SIGNS}",
    "plus-minus-fan": lambda recipe: f"{recipe.offset!r} + {recipe.scale!r} * ({_CHANNELS} + 1.0) * {_SIGNS}",
    "alternating": lambda recipe: f"{recipe.offset!r} + {recipe.scale!r} * {_SIGNS}",
    "mixed-scales": lambda recipe: (
        f"{recipe.offset!r} + {recipe.scale!r} * np.array([2.0**-10, 1.0, 2.0**10])[np.arange(C) % 3][:, None] "
        f"* bell({recipe.seed}, (C, n))"
    ),
    "integers": lambda recipe: (
        f"{recipe.offset!r} + {recipe.scale!r} * (np.floor(uniform({recipe.seed}, (C, n)) * 7.0) - 3.0)"
    ),
}
"""By the kind of a recipe: an expression of the float64 rows of shape (C, n)."""


def generator_of(name: str, recipe: DataRecipe, shape: tuple[int, ...], axis: int, dtype: str) -> list[str]:
    """Lines that make an array of a recipe and call `HELPERS`; none for a kind without a generator.

    Args:
        name: what the array is assigned to.
        recipe: how its rows are made.
        shape: of the array.
        axis: of its channels.
        dtype: its format; bfloat16 is made as float32.
    """
    count = prod(size for place, size in enumerate(shape) if place != axis)
    if recipe.kind == "outlier":
        rows = [
            f"rows = np.full((C, n), {recipe.offset!r})",
            f"rows[np.arange(C), (np.arange(C) * 7 + 3) % n] += {recipe.scale!r}",
        ]
    elif recipe.kind == "seams" and count > 1:
        rows = [
            "sizes = np.ones(n)",
            f"sizes[{spikes_of(count)}] = {recipe.scale!r}",
            "sizes[1] += sizes[::2].sum() - sizes[1::2].sum()",
            f"rows = {recipe.offset!r} + sizes * {_SIGNS}",
        ]
    elif recipe.kind == "unlike":
        rows = [f"rows = {_normal(recipe)}", f"rows[{recipe.channel} % C] = {number_text(np.float64(recipe.special))}"]
    elif recipe.kind in _ROWS:
        rows = [f"rows = {_ROWS[recipe.kind](recipe)}"]
    else:
        return []
    made = f"tensor(rows, {shape}, {axis})"
    rounded = f"bfloat16({made})" if dtype == "bfloat16" else f"{made}.astype(np.{dtype})"
    return [f"C, n = {shape[axis]}, {count}", *rows, f"{name} = {rounded}"]
