"""Code tried on small data: which ranks of x it takes, and what it says of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_adapters.wrappers.code import error_line, mistake_among
from bn_conformance.adapter import Adapter, Array, Capabilities, Convention
from bn_conformance.targets.naming import TargetError

CHANNELS = 3
"""Channels of the data that code is tried with."""

SIZES = (4, CHANNELS, 5, 2, 7)
"""Sizes of the axes of an x with its channels first: no two are equal, so that a mistaken axis does not go unseen."""


def trial(rank: int, axis: int, dtype: str = "float32", batch: int = SIZES[0]) -> Array:
    """An x of a rank with its channels on an axis, of no symmetry."""
    shape = [batch, *(SIZES[2:rank])]
    shape.insert(axis, CHANNELS)
    values = np.sin(np.arange(np.prod(shape), dtype=np.float64) * 1.7) * 2.0 + 0.5
    return np.asarray(values.reshape(shape).astype(dtype))


def refusal_of(x: Array, shapes: Callable[[], list[tuple[int, ...]]], results: str = "y") -> str | None:
    """Why code does not take x: it raised, or gave another shape; None where it takes x.

    Args:
        x: that the code is tried with.
        shapes: runs the code, and gives the shapes of what should be like x.
        results: what has these shapes, in words.
    """
    try:
        wrong = [shape for shape in shapes() if shape != x.shape]
    except Exception as error:
        return error_line(error)
    return f"{results} has shape {wrong[0]} for x of {x.shape}" if wrong else None


@dataclass(frozen=True)
class Ranks:
    """The ranks of x that code takes, and why it does not take the others."""

    taken: tuple[int, ...]
    refusals: Mapping[int, str]

    @classmethod
    def tried(cls, refusal: Callable[[int], str | None], name: str, shape: str, hint: str = "") -> Ranks:
        """The ranks from 2 to 5 without a refusal.

        Args:
            refusal: tries a rank, and says why the code does not take it.
            name: of the code.
            shape: of x, in words.
            hint: ends the message of an error.

        Raises:
            TargetError: the code takes none.
        """
        refusals = {rank: why for rank in (2, 3, 4, 5) if (why := refusal(rank)) is not None}
        taken = tuple(rank for rank in (2, 3, 4, 5) if rank not in refusals)
        if not taken:
            if mistake := mistake_among(refusals):
                raise TargetError(f"{name}: {mistake}")
            reasons = [f"rank {rank} {why}" for rank, why in refusals.items()]
            if len(set(refusals.values())) == 1:
                reasons = [refusals[2]]
            raise TargetError(f"{name} takes no x of shape {shape}: {'; '.join([*reasons, *filter(None, [hint])])}")
        return cls(taken, refusals)

    def __str__(self) -> str:
        others = "".join(f"; not {rank} ({why})" for rank, why in self.refusals.items())
        return f"x of rank {', '.join(map(str, self.taken))}{others}"


def affine_of(gamma: bool, beta: bool) -> str:
    """What `Capabilities.affine` calls a layer with these parameters."""
    return {(True, True): "both", (False, False): "none", (True, False): "gamma", (False, True): "beta"}[gamma, beta]


def described(capabilities: Capabilities, layouts: bool = True) -> str:
    """Parameters, formats and layouts in words."""
    parts = [
        f"gamma and beta: {', '.join(sorted(capabilities.affine))}",
        f"formats {' and '.join(sorted(capabilities.dtypes))}",
    ]
    return "; ".join([*parts, f"channels {' and '.join(sorted(capabilities.layouts))}"] if layouts else parts)


def convention_of(name: str, base: Convention, **values: Any) -> Convention:
    """A convention with other values.

    Raises:
        TargetError: they are not declarable.
    """
    try:
        return replace(base, **values)
    except ValueError as error:
        raise TargetError(f"{name}: {error}") from None


def adapter_class(name: str, bases: tuple[type[Adapter], ...], attributes: Mapping[str, Any]) -> Any:
    """A subclass of an adapter for one piece of code."""
    return type(name, bases, {**attributes, "__module__": bases[0].__module__})
