"""Deviations of one rank, one place of the channels or one format alone, whose code is separate in many frameworks.

Each is a mistake that other modules have for all layers, and that other families catch there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bn_reference.definition.running import Weights
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT16, FLOAT32, FLOAT64, through
from bn_reference.layer.layer import Array, PlainLayer
from bn_reference.specification.config import CUMULATIVE

Where = Callable[[PlainLayer], bool]
Change = Callable[..., Any]


def _only(
    where: Where, name: str, clause: str, sentence: str, effect: str, method: str, change: Change, level: str = "",
    numeric: bool = True,
) -> None:  # fmt: skip
    """Enter a layer of which one method is changed where a layer is of one kind.

    `change` is given the layer, the right method and its arguments.
    """

    class Crossed(PlainLayer):
        pass

    def changed(self: PlainLayer, *arguments: Any) -> Any:
        right = getattr(super(Crossed, self), method)
        return change(self, right, *arguments) if where(self) else right(*arguments)

    changed.__doc__ = "Changed for layers of one kind."
    setattr(Crossed, method, changed)
    Crossed.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, level=level, numeric=numeric)(Crossed)


def _rank(rank: int) -> Where:
    return lambda layer: layer.config.rank == rank


def _halves(layer: PlainLayer) -> bool:
    return layer.storage.itemsize == 2


def _double(layer: PlainLayer) -> bool:
    return layer.storage == FLOAT64


def _bare(layer: PlainLayer) -> bool:
    return not layer.config.gamma and not layer.config.beta


def _plain_average(layer: PlainLayer) -> bool:
    return layer.config.momentum == CUMULATIVE


# One rank, or one place of the channels.


def _default_weights(layer: PlainLayer, right: Change) -> Weights:
    """A hundredth of the new statistic, where the layer was built without momentum."""
    if layer.config.momentum is not None:
        found: Weights = right()
        return found
    return Weights(layer.constant(0.99), layer.constant(0.01))


def _raw_variance(layer: PlainLayer, right: Change, rows: Array, mean: Array, counted: Array) -> Array:
    """E[x^2] - E[x]^2, both rounded to float32."""
    squares = layer.wide(np.square(layer.store(rows, FLOAT32)))
    difference = through(layer, layer.mean_of(squares, counted), FLOAT32) - through(layer, mean * mean, FLOAT32)
    return np.asarray(np.abs(difference))


_FEW_SEE_IT = "networks for sequences or for volumes are wrong, and networks for images are right"

for _number in (3, 5):
    for _slug, _clause, _sentence, _method, _change in (
        ("freeze-ignored", "STATE-3", "freezing a layer has no effect", "freeze", lambda layer, right: None),
        ("cumulative-average-moves", "STAT-8", "a cumulative average gives the new statistic a weight of 0.1",
         "weights", lambda layer, right: Weights(layer.constant(0.9), layer.constant(0.1)) if _plain_average(layer)
         else right()),
        ("default-eps-1e-3", "FWD-5", "the eps of a layer that was built without is 1e-3", "eps_in",
         lambda layer, right, mode: right(mode) if layer.config.eps is not None else layer.constant(1e-3)),
        ("default-momentum-0.01", "STAT-6", "the momentum of a layer that was built without is 0.01", "weights",
         _default_weights),
        ("mask-ignored", "MASK-1", "the mask is ignored", "counted", lambda layer, right, x, mask: right(x, None)),
        ("second-order-without-x", "SECOND-1", "the gradient of gradients with respect to x is zero", "second_x",
         lambda layer, right, twice: right(twice) * 0),
        ("load-leaves-variance", "STATE-2", "the running variance is not loaded", "load_state",
         lambda layer, right, state: right({**state, "running_var": layer.running_var})),
        ("nan-in-every-channel", "EDGE-4", "NaN in one channel makes the mean of every channel NaN", "mean_of",
         lambda layer, right, rows, counted: right(rows, counted) + 0 * right(rows, counted).sum()),
        ("raw-moments-at-an-offset", "NUM-1", "the variance is that of raw moments in float32", "variance_of",
         _raw_variance),
    ):  # fmt: skip
        _only(
            _rank(_number), f"{_slug}-at-rank-{_number}", _clause, f"At rank {_number} {_sentence}.", _FEW_SEE_IT,
            _method, _change,
        )  # fmt: skip
    _only(
        lambda layer, number=_number: layer.config.rank == number and _bare(layer),  # type: ignore[misc]
        f"dx-detached-without-parameters-at-rank-{_number}", "FWD-4",
        f"At rank {_number} a layer without gamma and beta has gradients of x past its statistics.", _FEW_SEE_IT,
        "dx", lambda layer, right, dy, normalised, saved: layer.outer_scale(saved) * dy,
    )  # fmt: skip

_only(
    lambda layer: layer.config.rank == 5 and layer.config.layout == "between",
    "axis-by-size-between-at-rank-5", "LAYOUT-2",
    "At rank 5 channels between other axes are taken to be on the first axis of their size.", _FEW_SEE_IT,
    "axis", lambda layer, right, x: next(place for place in range(1, 5) if x.shape[place] == x.shape[right(x)]),
)  # fmt: skip


# One format, or some.

_MIXED_TRAINING = "training in half precision differs from training in float32, though no number overflows"
_DOUBLE = "what was moved to float64 in order to be sure is not"


def _permuted(layer: PlainLayer, right: Change, x: Array) -> Array:
    """x as a kernel sees it that takes any dense memory for one in C order."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    dense = x.transpose(order)
    if x.size and dense.flags.c_contiguous and not x.flags.c_contiguous:
        x = dense.reshape(x.shape)
    return np.asarray(right(x))


def _given_back(layer: PlainLayer, right: Change, x: Array, mask: Array | None, training: bool) -> Array:
    """x itself, where a channel has one value."""
    if not training or x.size != layer.config.num_channels:
        return np.asarray(right(x, mask, training))
    right(x, mask, False)
    return x.copy()


for _name, _where in (("16-bit", _halves), ("float64", _double)):
    _effect = _MIXED_TRAINING if _where is _halves else _DOUBLE
    _only(_where, f"{_name}-strides-ignored", "LAYOUT-3",
          f"The memory of {_name} data is read in C order, however it lies.", _effect, "rows_of",
          _permuted, numeric=False)  # fmt: skip
    _only(_where, f"{_name}-infinity-in-every-channel", "EDGE-4",
          f"An infinity in one channel of {_name} data makes every channel NaN.", _effect, "mean_of",
          lambda layer, right, rows, counted: right(rows, counted) + 0 * rows.sum())  # fmt: skip
    _only(lambda layer, where=_where: where(layer) and _bare(layer),  # type: ignore[misc]
          f"{_name}-without-parameters-without-eps", "FWD-4",
          f"A {_name} layer without gamma and beta adds no eps.", _effect, "eps_in",
          lambda layer, right, mode: right(mode) * 0)  # fmt: skip
    _only(_where, f"{_name}-second-order-zero", "SECOND-3",
          f"The gradient of gradients of {_name} data with respect to dy is zero.", _effect, "second_dy",
          lambda layer, right, twice: right(twice) * 0)  # fmt: skip
    _only(lambda layer, where=_where: where(layer) and layer.config.momentum == 0,  # type: ignore[misc]
          f"{_name}-momentum-0-as-default", "STAT-7", f"A momentum of 0 of {_name} layers is taken for 0.1.",
          _effect, "weights", lambda layer, right: Weights(layer.constant(0.9), layer.constant(0.1)))  # fmt: skip
    _only(_where, f"{_name}-default-momentum-0.01", "STAT-6",
          f"The momentum of a {_name} layer that was built without is 0.01.", _effect, "weights",
          _default_weights)  # fmt: skip

_only(_halves, "16-bit-nan-becomes-zero", "EDGE-4", "NaN in 16-bit data is taken for zero.", _MIXED_TRAINING,
      "rows_of", lambda layer, right, x: np.where(np.isnan(right(x)), layer.constant(0.0), right(x)))  # fmt: skip
_only(lambda layer: _halves(layer) and _bare(layer), "16-bit-statistics-without-parameters", "DTYPE-4",
      "Running statistics of 16-bit layers without gamma and beta are rounded to 16 bits.", _MIXED_TRAINING, "blend",
      lambda layer, right, old, new, weights: right(old, new, weights).astype(layer.storage).astype(layer.kept),
      level="degraded(storage-precision)")  # fmt: skip
_only(lambda layer: _halves(layer) and _plain_average(layer), "16-bit-cumulative-weight", "STAT-8",
      "The weight of a cumulative average is rounded to 16 bits.", _MIXED_TRAINING, "weights",
      lambda layer, right: Weights(right().old, through(layer, right().new, layer.storage)),
      level="degraded(storage-precision)")  # fmt: skip
_only(_double, "float64-one-value-unchanged", "EDGE-1", "One value a channel of float64 data is given back as it is.",
      _DOUBLE, "forward_masked", _given_back)  # fmt: skip


_only(_halves, "16-bit-empty-batch-leaves-nan", "EDGE-2",
      "An empty batch of 16-bit data is taken, and the running statistics are NaN after it.", _MIXED_TRAINING,
      "check_count", lambda layer, right, count: right(count) if count else None)  # fmt: skip
_only(lambda layer: _double(layer) and not layer.config.beta, "float64-gamma-alone-in-float32", "GRAD-2",
      "dgamma of a float64 layer without beta has the digits of float32.", _DOUBLE, "dgamma",
      lambda layer, right, dy, normalised: through(layer, right(dy, normalised), FLOAT32))  # fmt: skip
_only(lambda layer: layer.storage == FLOAT32 and layer.parameters == FLOAT64, "float64-parameters-in-float16", "FWD-1",
      "Where x is of float32 and gamma of float64, gamma is rounded to float16.", _DOUBLE, "scale_and_shift",
      lambda layer, right, normalised, mode: right(normalised, mode) + normalised * (
          through(layer, layer.column(layer.gamma), FLOAT16) - layer.column(layer.gamma)))  # fmt: skip


def _with_mask(layer: PlainLayer, right: Change, counted: Array) -> Any:
    """One more than there are, where a mask leaves some out."""
    return right(counted) + layer.constant(0.0 if counted.all() else 1.0)


_only(_halves, "16-bit-mask-counts-one-more", "MASK-1",
      "Sums over the counted positions of 16-bit data are divided by one more than they are.", _MIXED_TRAINING,
      "count", _with_mask)  # fmt: skip
