"""Deviations of folded inference, y = a x + b with a = gamma / sigma and b = beta - mean a: digits that a or b lose."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT32, FLOAT64, through, to_bits
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer

Change = Callable[[PlainLayer, Array], Array]


def _same(layer: PlainLayer, values: Array) -> Array:
    return values


def _folded(
    name: str, sentence: str, effect: str, clause: str, scale: Change, shift: Change = _same, level: str = ""
) -> None:
    """Register a layer that folds in inference, and changes scale and shift on the way."""

    class Folded(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Compute a x + b in inference."""
            saved = self.saved
            if mode == "training" or saved is None:
                return super().scale_and_shift(normalised, mode)
            a = scale(self, self.column(self.gamma) * saved.inverse)
            b = shift(self, self.column(self.beta) - saved.mean * a)
            return np.asarray(a * saved.rows + b)

    Folded.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, level=level)(Folded)


def _in_storage(layer: PlainLayer, values: Array) -> Array:
    return through(layer, values, layer.storage) if layer.storage.itemsize == 2 else values


def _single(layer: PlainLayer, values: Array) -> Array:
    return through(layer, values, FLOAT32) if layer.storage == FLOAT64 else values


_HALF = "degraded(storage-precision)"
_folded(
    "folded-scale-in-storage",
    "Inference folds, and its scale is rounded to the format of x.",
    "outputs of 16-bit layers are off by a common factor",
    "DTYPE-2",
    _in_storage,
    level=_HALF,
)
_folded(
    "folded-shift-in-storage",
    "Inference folds, and its shift is rounded to the format of x.",
    "outputs of 16-bit layers with a large running mean are shifted",
    "DTYPE-2",
    _same,
    _in_storage,
    _HALF,
)
_folded(
    "folded-scale-in-float32",
    "Inference folds, and the scale of a float64 layer is rounded to float32.",
    "inference of float64 layers has seven digits",
    "DTYPE-3",
    _single,
)
for _bits in (12, 16, 20):
    _folded(
        f"folded-scale-of-{_bits}-bits",
        f"Inference folds, and its scale is good to {_bits} bits.",
        "every output of a channel is off by the same factor, in use alone",
        "NUM-7",
        partial(to_bits, bits=_bits),
    )
