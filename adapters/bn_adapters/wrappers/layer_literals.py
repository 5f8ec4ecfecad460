"""The eps and the momentum of a layer that cannot be built with others: literals in its code, measured by one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bn_adapters.wrappers.reading.arrays import NUMPY
from bn_adapters.wrappers.reading.callee import Argument, Callee
from bn_adapters.wrappers.reading.forward import attempt
from bn_adapters.wrappers.reading.moving import eps_of_function, moving_of
from bn_adapters.wrappers.reading.roles import BETA, GAMMA, MEAN, VARIANCE, VECTORS, X
from bn_adapters.wrappers.reading.trial_data import TrialData, nice
from bn_conformance.adapter import Layer

DIGITS = 4
"""Digits of a literal that float32 shows."""


def layer_literals(
    make: Callable[[int, int], Layer], literals: frozenset[str], place: tuple[int, int], has: Mapping[str, bool]
) -> dict[str, float]:
    """What the literals of a layer are, as `default_eps` and `default_momentum`; without what does not show.

    Args:
        make: makes a fresh layer of a rank with its channels on an axis.
        literals: of eps and momentum, those that are wanted.
        place: a rank and an axis that the layer takes.
        has: whether it has gamma and beta, by role.
    """

    def step(**given: Any) -> dict[str, Any]:
        layer = make(*place)
        layer.set_parameters(*(given[role] if has[role] else None for role in (GAMMA, BETA)))
        layer.set_running_statistics(given[MEAN], given[VARIANCE])
        y = layer.forward(given[X], True)
        return {"y": np.asarray(y), **dict(zip((MEAN, VARIANCE), layer.running_statistics(), strict=True))}

    roles = [X, *(role for role in VECTORS if has.get(role, True))]
    arguments = tuple(Argument(role, role, True) for role in roles)
    data, callee = TrialData.of(*place, dtype="float32"), Callee(step, "step", arguments, settled=True)
    found: dict[str, float] = {}
    if "eps" in literals and (eps := eps_of_function(callee, NUMPY, data, ("y",), DIGITS)) is not None:
        found["default_eps"] = eps
    if "momentum" in literals:
        keep = moving_of(attempt(callee, NUMPY, data)).keep
        found |= {} if keep is None else {"default_momentum": nice(keep, DIGITS)}
    return found
