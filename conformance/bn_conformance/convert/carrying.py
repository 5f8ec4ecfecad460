"""The values of a layer, carried over: what is missing is filled in, what the target stores in fewer bits is rounded.

All frameworks divide by sqrt(running_var + eps) in inference, so all four vectors are carried as they are where the
target is built with the source's eps. Where it has another eps, the running variance is shifted:

    running_var_target = running_var_source + eps_source - eps_target
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, UPDATES, VARIANCE, NormLayer
from bn_conformance.text import number, one_line
from bn_conformance.user_error import UserError

NEUTRAL = {GAMMA: 1.0, BETA: 0.0}
"""What a layer without the parameter computes with."""


@dataclass(frozen=True)
class CarriedLayer:
    """A layer that was carried over.

    Attributes:
        source: with its values; eps is what its model was built with.
        target: the name of the layer that it becomes.
        how: what matched the two.
        eps: what the target's layer is built with.
        keys: where the target keeps the array of each role.
        arrays: the target's arrays by role, in its formats.
        filled: parameters that only the target has.
        rounding: largest relative change of a value by the target's formats.
    """

    source: NormLayer
    target: str
    how: str
    eps: float
    keys: Mapping[str, Key]
    arrays: Mapping[str, Array]
    filled: tuple[str, ...]
    rounding: float

    @property
    def by_key(self) -> dict[Key, Array]:
        """The target's arrays by their keys."""
        return {self.keys[role]: array for role, array in self.arrays.items()}

    @property
    def sound(self) -> bool:
        """Whether inference with these values means anything: they are finite, and no variance is below 0."""
        parts = (self.source.gamma, self.source.beta, self.source.mean, self.source.variance)
        finite = all(part is None or bool(np.isfinite(part.astype(np.float64)).all()) for part in parts)
        return finite and bool((self.source.variance.astype(np.float64) >= 0).all())


def carried(
    layer: NormLayer,
    target: str,
    how: str,
    keys: Mapping[str, Key],
    held: Content | None,
    source_eps: float,
    eps: float,
) -> CarriedLayer:
    """Carry a layer to where a file keeps it.

    Args:
        layer: of the source.
        target: name of the layer that it becomes.
        how: what matched the two.
        keys: where the target keeps each role.
        held: the content of the existing target, whose formats are kept; None for a fresh file.
        source_eps: of the source's layer.
        eps: of the target's.

    Raises:
        UserError: the target has no place for a parameter that matters, a value does not fit the target's format, or
            the target's eps asks for a variance below 0.
    """
    given = {GAMMA: layer.gamma, BETA: layer.beta, MEAN: layer.mean, VARIANCE: layer.variance}
    for role in (GAMMA, BETA):
        _check_no_loss(layer, target, role, given[role], role in keys)
    if source_eps != eps:
        given[VARIANCE] = _shifted(layer, source_eps, eps)
    arrays: dict[str, Array] = {}
    rounding, filled = 0.0, []
    for role, key in keys.items():
        if role == UPDATES:
            if held is None or layer.updates is not None:
                arrays[role] = np.asarray(layer.updates or 0, np.int64)
            continue
        value = given[role]
        if value is None:
            filled.append(role)
            value = np.full(layer.channels, NEUTRAL[role], layer.mean.dtype)
        wanted = (given[role] if role != VARIANCE else layer.variance) if held is None else held.vectors[key]
        dtype = layer.mean.dtype if wanted is None else wanted.dtype
        arrays[role], error = _rounded(value, dtype, layer, role)
        rounding = max(rounding, error)
    return CarriedLayer(layer, target, how, eps, keys, arrays, tuple(filled), rounding)


def _check_no_loss(layer: NormLayer, target: str, role: str, value: Array | None, has: bool) -> None:
    """Refuse to drop a parameter that does something.

    Raises:
        UserError: the target has none, and it does something.
    """
    if value is None or has:
        return
    off = float(np.max(np.abs(value.astype(np.float64) - NEUTRAL[role]), initial=0.0))
    if off:
        raise UserError(
            one_line(
                f"{target} has no {role}, and that of {layer.name} is up to {number(off)} away from "
                f"{NEUTRAL[role]:g}: build the target's layer with {role}",
                600,
            )
        )


def _shifted(layer: NormLayer, source_eps: float, eps: float) -> Array:
    exact = layer.variance.astype(np.float64) + (source_eps - eps)
    if bool((exact < 0).any()):
        raise UserError(
            one_line(
                f"{layer.name} has a running variance of {number(float(np.min(layer.variance.astype(np.float64))))}, "
                f"which cannot be shifted from eps={source_eps:g} to eps={eps:g} without going below 0: build the "
                f"target's layers with eps={source_eps:g} and leave out --target-eps",
                600,
            )
        )
    return np.asarray(exact)


def _rounded(value: Array, dtype: Any, layer: NormLayer, role: str) -> tuple[Array, float]:
    """A value in a format, and its largest relative change.

    Raises:
        UserError: a finite number becomes infinite.
    """
    with np.errstate(over="ignore", under="ignore"):
        rounded = value.astype(dtype)
    exact, got = value.astype(np.float64), rounded.astype(np.float64)
    finite = np.isfinite(exact)
    if bool((finite & ~np.isfinite(got)).any()):
        raise UserError(one_line(f"{role} of {layer.name} does not fit {dtype.name}, the format of the target", 400))
    changed = finite & (exact != 0)
    error = np.abs(got[changed] - exact[changed]) / np.abs(exact[changed])
    return rounded, float(np.max(error, initial=0.0))
