"""What a function gave, in parts: arrays in tuples, lists and dictionaries, each found by its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.trial_data import TrialData, alike, as_vector
from bn_conformance.adapter import Array

Path = tuple[Any, ...]
"""Keys and indices, from the outside in; empty for the result itself."""

WRITTEN: Path = ("written",)
"""In place of a path: the argument that was given is written into."""

KEPT: Path = ("kept",)
"""In place of a path: the dictionary that was given holds it afterwards."""


def pick(result: Any, path: Path) -> Any:
    """The part of a result at a path.

    Raises:
        LookupError: there is none.
        TypeError: the result has no parts.
    """
    for key in path:
        result = result[key]
    return result


def every_part(result: Any, depth: int = 2, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every part of a result that is no container, with its path; containers too, behind their parts."""
    if isinstance(result, Mapping) and depth:
        for key, value in result.items():
            yield from every_part(value, depth - 1, (*path, key))
    elif isinstance(result, tuple | list) and depth:
        for index, value in enumerate(result):
            yield from every_part(value, depth - 1, (*path, index))
    yield path, result


def arrays_in(result: Any, arrays: NumpyArrays) -> dict[Path, Array]:
    """Every array in a result, as one of NumPy's."""
    found = {}
    for path, part in every_part(result):
        back = arrays.back(part)
        if isinstance(back, np.ndarray):
            found[path] = back
    return found


@dataclass(frozen=True)
class Fit:
    """A vector read as `keep * old + (1 - keep) * new`.

    Attributes:
        keep: weight of the old one: 0 for a vector of the batch alone, 1 for one that has not moved.
        factor: what the new one was multiplied with, such as n / (n - 1).
    """

    keep: float
    factor: float = 1.0


def made_of(vector: Array, old: Array, new: Array, factor: float = 1.0, tolerance: float = 1e-4) -> Fit | None:
    """How a vector is made of two; None where it is not."""
    other = new * factor
    weights = (vector - other) / (old - other)
    keep = float(weights.mean())
    if not np.isfinite(weights).all() or float(np.ptp(weights)) > tolerance or not -1e-6 <= keep <= 1 + 1e-6:
        return None
    return Fit(keep, factor)


def mean_fit(value: Any, data: TrialData) -> Fit | None:
    """How a vector is made of the running mean before a step and that of the batch."""
    vector = as_vector(value)
    return None if vector is None else made_of(vector, data.vectors["running_mean"], data.batch_mean)


def variance_fit(value: Any, data: TrialData) -> Fit | None:
    """How a vector is made of the running variance before a step and that of the batch, biased or not."""
    vector = as_vector(value)
    if vector is None:
        return None
    old, bessel = data.vectors["running_var"], data.count / (data.count - 1)
    for factor in (1.0, bessel):
        found = made_of(vector, old, data.batch_variance, factor)
        if found is not None:
            return found
    return None


def saved_role(value: Any, data: TrialData, eps: float) -> str:
    """What a vector of the batch is: its mean, its variance or its inverse deviation; empty for none of these."""
    vector = as_vector(value)
    if vector is None:
        return ""
    expected = {
        "saved_mean": data.batch_mean,
        "saved_invstd": 1.0 / np.sqrt(data.batch_variance + eps),
        "saved_var": data.batch_variance,
        "saved_std": np.sqrt(data.batch_variance + eps),
    }
    scores = {role: alike(vector, other) for role, other in expected.items()}
    best = max(scores, key=lambda role: scores[role])
    return best if scores[best] > 0.99 else ""


def best_path(parts: Mapping[Path, Array], expected: Array) -> tuple[Path | None, float]:
    """The part that is most like an expected array, those further outside first, and how alike it is."""
    found: tuple[Path | None, float] = (None, -np.inf)
    for path in sorted(parts, key=len):
        if parts[path].shape != expected.shape:
            continue
        likeness = max(alike(parts[path], expected), -1e6)
        if likeness > found[1] + 1e-9:
            found = path, likeness
    return found
