"""Whether two observations are the same: then a deviation changed nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_conformance.host import BackwardResult, ForwardResult, SecondResult
from bn_conformance.observation import Observation

_PARTS = ("before", "forward", "after_forward", "after_update", "backward", "second", "after")


def same(one: Observation, other: Observation) -> bool:
    """Whether two observations hold the same bits and faults."""
    if str(one.error) != str(other.error) or len(one.steps) != len(other.steps) or one.kept != other.kept:
        return False
    if one.changed != other.changed or one.disturbed != other.disturbed:
        return False
    pairs = [(one.initial, other.initial)]
    pairs += [
        (getattr(a, name), getattr(b, name)) for a, b in zip(one.steps, other.steps, strict=True) for name in _PARTS
    ]
    laws = [
        [_bits(tuple(vars(run).values())[1:]) for runs in seen.laws.values() for run in runs] for seen in (one, other)
    ]
    return all(_bits(a) == _bits(b) for a, b in pairs) and laws[0] == laws[1]


def _bits(part: Any) -> Any:
    if isinstance(part, np.ndarray):
        return part.dtype.name, part.shape, part.tobytes()
    if isinstance(part, tuple):
        return tuple(map(_bits, part))
    if isinstance(part, ForwardResult | BackwardResult | SecondResult):
        return tuple(map(_bits, vars(part).values()))
    return part
