"""Deviations of one rank, one place of the channels or one format alone, whose code is separate in many frameworks.

Each is a mistake that other modules have for all layers, and that other families catch there.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bn_reference.definition.running import Weights
from bn_reference.deviations.conditional import (
    Change,
    changed_where,
    default_momentum_of_a_hundredth,
    of_cumulative_average,
    of_rank,
    without_parameters,
)
from bn_reference.deviations.rounding import FLOAT32, through
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

_changed_where = partial(changed_where, __name__)


def _raw_variance(layer: PlainLayer, original: Change, rows: Array, mean: Array, counted: Array) -> Array:
    """Compute E[x^2] - E[x]^2, with both terms rounded to float32."""
    squares = layer.wide(np.square(layer.store(rows, FLOAT32)))
    difference = through(layer, layer.mean_of(squares, counted), FLOAT32) - through(layer, mean * mean, FLOAT32)
    return np.asarray(np.abs(difference))


_FEW_SEE_IT = "networks for sequences or for volumes are wrong, and networks for images are right"

for _number in (3, 5):
    for _slug, _clause, _sentence, _method, _change in (
        ("freeze-ignored", "STATE-3", "freezing a layer has no effect", "freeze", lambda layer, original: None),
        (
            "cumulative-average-moves",
            "STAT-8",
            "a cumulative average gives the new statistic a weight of 0.1",
            "weights",
            lambda layer, original: (
                Weights(layer.constant(0.9), layer.constant(0.1)) if of_cumulative_average(layer) else original()
            ),
        ),
        (
            "default-eps-1e-3",
            "FWD-5",
            "the eps of a layer that was built without is 1e-3",
            "eps_in",
            lambda layer, original, mode: original(mode) if layer.config.eps is not None else layer.constant(1e-3),
        ),
        (
            "default-momentum-0.01",
            "STAT-6",
            "the momentum of a layer that was built without is 0.01",
            "weights",
            default_momentum_of_a_hundredth,
        ),
        (
            "mask-ignored",
            "MASK-1",
            "the mask is ignored",
            "counted",
            lambda layer, original, x, mask: original(x, None),
        ),
        (
            "second-order-without-x",
            "SECOND-1",
            "the gradient of gradients with respect to x is zero",
            "second_x",
            lambda layer, original, terms: original(terms) * 0,
        ),
        (
            "load-leaves-variance",
            "STATE-2",
            "the running variance is not loaded",
            "load_state",
            lambda layer, original, state: original({**state, "running_var": layer.running_var}),
        ),
        (
            "nan-in-every-channel",
            "EDGE-4",
            "NaN in one channel makes the mean of every channel NaN",
            "mean_of",
            lambda layer, original, rows, counted: original(rows, counted) + 0 * original(rows, counted).sum(),
        ),
        (
            "raw-moments-at-an-offset",
            "NUM-1",
            "the variance is that of raw moments in float32",
            "variance_of",
            _raw_variance,
        ),
    ):
        _changed_where(
            of_rank(_number),
            f"{_slug}-at-rank-{_number}",
            _clause,
            f"At rank {_number} {_sentence}.",
            _FEW_SEE_IT,
            _method,
            _change,
        )
    _changed_where(
        lambda layer, number=_number: layer.config.rank == number and without_parameters(layer),  # type: ignore[misc]
        f"dx-detached-without-parameters-at-rank-{_number}",
        "FWD-4",
        f"At rank {_number} a layer without gamma and beta has gradients of x past its statistics.",
        _FEW_SEE_IT,
        "dx",
        lambda layer, original, dy, normalised, saved: layer.outer_scale(saved) * dy,
    )

_changed_where(
    lambda layer: layer.config.rank == 5 and layer.config.layout == "between",
    "axis-by-size-between-at-rank-5",
    "LAYOUT-2",
    "At rank 5 channels between other axes are taken to be on the first axis of their size.",
    _FEW_SEE_IT,
    "axis",
    lambda layer, original, x: next(place for place in range(1, 5) if x.shape[place] == x.shape[original(x)]),
)
