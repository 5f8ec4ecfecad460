"""Deviations that show in some formats of some features alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bn_reference.definition.running import Weights
from bn_reference.deviations.conditional import (
    Change,
    changed_where,
    default_momentum_of_a_hundredth,
    of_16_bits,
    of_cumulative_average,
    of_float64,
    without_parameters,
)
from bn_reference.deviations.rounding import FLOAT16, FLOAT32, FLOAT64, through
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

_changed_where = partial(changed_where, __name__)

_MIXED_TRAINING = "training in half precision differs from training in float32, though no number overflows"
_DOUBLE = "what was moved to float64 in order to be sure is not"


def _permuted(layer: PlainLayer, original: Change, x: Array) -> Array:
    """Read x as a kernel does that takes any dense memory for C order."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    dense = x.transpose(order)
    if x.size and dense.flags.c_contiguous and not x.flags.c_contiguous:
        x = dense.reshape(x.shape)
    return np.asarray(original(x))


def _given_back(layer: PlainLayer, original: Change, x: Array, mask: Array | None, training: bool) -> Array:
    """Give x back where a channel has one value."""
    if not training or x.size != layer.config.num_channels:
        return np.asarray(original(x, mask, training))
    original(x, mask, False)
    return x.copy()


for _name, _where in (("16-bit", of_16_bits), ("float64", of_float64)):
    _effect = _MIXED_TRAINING if _where is of_16_bits else _DOUBLE
    _changed_where(
        _where,
        f"{_name}-strides-ignored",
        "LAYOUT-3",
        f"The memory of {_name} data is read in C order, however it lies.",
        _effect,
        "rows_of",
        _permuted,
        numeric=False,
    )
    _changed_where(
        _where,
        f"{_name}-infinity-in-every-channel",
        "EDGE-4",
        f"An infinity in one channel of {_name} data makes every channel NaN.",
        _effect,
        "mean_of",
        lambda layer, original, rows, counted: original(rows, counted) + 0 * rows.sum(),
    )
    _changed_where(
        lambda layer, where=_where: where(layer) and without_parameters(layer),  # type: ignore[misc]
        f"{_name}-without-parameters-without-eps",
        "FWD-4",
        f"A {_name} layer without gamma and beta adds no eps.",
        _effect,
        "eps_in",
        lambda layer, original, mode: original(mode) * 0,
    )
    _changed_where(
        _where,
        f"{_name}-second-order-zero",
        "SECOND-3",
        f"The gradient of gradients of {_name} data with respect to dy is zero.",
        _effect,
        "second_dy",
        lambda layer, original, terms: original(terms) * 0,
    )
    _changed_where(
        lambda layer, where=_where: where(layer) and layer.config.momentum == 0,  # type: ignore[misc]
        f"{_name}-momentum-0-as-default",
        "STAT-7",
        f"A momentum of 0 of {_name} layers is taken for 0.1.",
        _effect,
        "weights",
        lambda layer, original: Weights(layer.constant(0.9), layer.constant(0.1)),
    )
    _changed_where(
        _where,
        f"{_name}-default-momentum-0.01",
        "STAT-6",
        f"The momentum of a {_name} layer that was built without is 0.01.",
        _effect,
        "weights",
        default_momentum_of_a_hundredth,
    )

_changed_where(
    of_16_bits,
    "16-bit-nan-becomes-zero",
    "EDGE-4",
    "NaN in 16-bit data is taken for zero.",
    _MIXED_TRAINING,
    "rows_of",
    lambda layer, original, x: np.where(np.isnan(original(x)), layer.constant(0.0), original(x)),
)
_changed_where(
    lambda layer: of_16_bits(layer) and without_parameters(layer),
    "16-bit-statistics-without-parameters",
    "DTYPE-4",
    "Running statistics of 16-bit layers without gamma and beta are rounded to 16 bits.",
    _MIXED_TRAINING,
    "blend",
    lambda layer, original, old, new, weights: (
        original(old, new, weights).astype(layer.storage).astype(layer.statistics_dtype)
    ),
    level="degraded(storage-precision)",
)
_changed_where(
    lambda layer: of_16_bits(layer) and of_cumulative_average(layer),
    "16-bit-cumulative-weight",
    "STAT-8",
    "The weight of a cumulative average is rounded to 16 bits.",
    _MIXED_TRAINING,
    "weights",
    lambda layer, original: Weights(original().old, through(layer, original().new, layer.storage)),
    level="degraded(storage-precision)",
)
_changed_where(
    of_float64,
    "float64-one-value-unchanged",
    "EDGE-1",
    "One value a channel of float64 data is given back as it is.",
    _DOUBLE,
    "forward_masked",
    _given_back,
)


_changed_where(
    of_16_bits,
    "16-bit-empty-batch-leaves-nan",
    "EDGE-2",
    "An empty batch of 16-bit data is taken, and the running statistics are NaN after it.",
    _MIXED_TRAINING,
    "check_count",
    lambda layer, original, count: original(count) if count else None,
)
_changed_where(
    lambda layer: of_float64(layer) and not layer.config.beta,
    "float64-gamma-alone-in-float32",
    "GRAD-2",
    "dgamma of a float64 layer without beta has the digits of float32.",
    _DOUBLE,
    "dgamma",
    lambda layer, original, dy, normalised: through(layer, original(dy, normalised), FLOAT32),
)
_changed_where(
    lambda layer: layer.storage == FLOAT32 and layer.parameters == FLOAT64,
    "float64-parameters-in-float16",
    "FWD-1",
    "Where x is of float32 and gamma of float64, gamma is rounded to float16.",
    _DOUBLE,
    "scale_and_shift",
    lambda layer, original, normalised, mode: (
        original(normalised, mode)
        + normalised * (through(layer, layer.column(layer.gamma), FLOAT16) - layer.column(layer.gamma))
    ),
)


def _with_mask(layer: PlainLayer, original: Change, counted: Array) -> Any:
    """Count one more where a mask leaves some positions out."""
    return original(counted) + layer.constant(0.0 if counted.all() else 1.0)


_changed_where(
    of_16_bits,
    "16-bit-mask-counts-one-more",
    "MASK-1",
    "Sums over the counted positions of 16-bit data are divided by one more than they are.",
    _MIXED_TRAINING,
    "count",
    _with_mask,
)
