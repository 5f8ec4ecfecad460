"""Deviations of the reciprocal root: approximations that are too coarse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT32, through, to_bits
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer

# Coarse reciprocal roots.


def _coarse(
    name: str, sentence: str, effect: str, change: Callable[..., Array], modes: tuple[Mode, ...], clause: str = "NUM-7"
) -> None:
    """Register a layer whose normaliser is change(layer, normaliser) in some modes."""

    class Coarse(PlainLayer):
        def normaliser(self, variance: Array, mode: Mode) -> Array:
            """Change the normaliser in those modes."""
            inverse = super().normaliser(variance, mode)
            return change(self, inverse) if mode in modes else inverse

    Coarse.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Coarse)


def _newton(steps: int) -> Callable[..., Array]:
    """Make the float32 root of the constant 0x5f3759df, refined by so many Newton steps."""

    def root(layer: PlainLayer, inverse: Array) -> Array:
        values = layer.store(1 / (inverse * inverse), FLOAT32)
        guess = (np.int32(0x5F3759DF) - (values.view(np.int32) >> 1)).view(np.float32)
        for _ in range(steps):
            guess = guess * (np.float32(1.5) - np.float32(0.5) * values * guess * guess)
        fine = np.isfinite(values) & (values > np.float32(1e-37))
        return np.where(fine, layer.wide(guess), inverse)

    return root


_BOTH: tuple[Mode, ...] = ("training", "inference")
for _bits in (8, 12, 16, 20):
    _coarse(
        f"reciprocal-root-of-{_bits}-bits",
        f"The reciprocal root is good to {_bits} bits in every mode.",
        f"every output of a channel is off by the same factor, up to 2^-{_bits}",
        lambda layer, inverse, bits=_bits: to_bits(layer, inverse, bits),
        _BOTH,
    )
_coarse(
    "reciprocal-root-of-20-bits-in-training",
    "The reciprocal root is good to 20 bits in training.",
    "every output of a channel is off by the same factor",
    lambda layer, inverse: to_bits(layer, inverse, 20),
    ("training",),
)
_coarse(
    "reciprocal-root-of-20-bits-in-inference",
    "The reciprocal root is good to 20 bits in inference.",
    "every output of a channel is off by the same factor",
    lambda layer, inverse: to_bits(layer, inverse, 20),
    ("inference",),
    "EVAL-1",
)
_coarse(
    "fast-inverse-root-one-step",
    "The reciprocal root is the fast one with one Newton step.",
    "every output of a channel is off by the same factor, up to 0.2 %",
    _newton(1),
    _BOTH,
)
_coarse(
    "fast-inverse-root-two-steps",
    "The reciprocal root is the fast one with two Newton steps.",
    "every output of a channel is off by the same factor, up to 5e-6",
    _newton(2),
    _BOTH,
)
_coarse(
    "reciprocal-root-in-float32",
    "The reciprocal root of a float64 layer is that of float32.",
    "float64 layers have seven digits",
    lambda layer, inverse: through(layer, inverse, FLOAT32),
    _BOTH,
    "DTYPE-3",
)


def _coarse_backward(bits: int) -> None:
    """Register a layer whose backward takes a coarse reciprocal root, while its forward takes a good one."""

    class CoarseBackward(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """Use the coarse root for this backward."""
            saved = self.saved
            if saved is not None:
                self.saved = replace(saved, inverse=to_bits(self, saved.inverse, bits))
            try:
                return super().backward(dy)
            finally:
                self.saved = saved

    CoarseBackward.__doc__ = f"The reciprocal root of the backward is good to {bits} bits, in every mode."
    effect = "gradients of a channel are off by the same factor, and y is right"
    deviation(f"reciprocal-root-of-{bits}-bits-in-backward", clause="NUM-7", effect=effect)(CoarseBackward)


for _bits in (12, 16, 20):
    _coarse_backward(_bits)
