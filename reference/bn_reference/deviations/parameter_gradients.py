"""Deviations of dgamma and dbeta: missing, scaled, signed, swapped or summed over something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer


def _dgamma_from(name: str, sentence: str, effect: str, change: Callable[..., Array]) -> None:
    """Register a layer whose dgamma sums dy times another value: change(layer, normalised, saved)."""

    class DgammaFrom(PlainLayer):
        def dgamma(self, dy: Array, normalised: Array) -> Array:
            """Sum dy times the other value."""
            return super().dgamma(dy, change(self, normalised, self.saved))

    DgammaFrom.__doc__ = sentence
    deviation(name, clause="GRAD-2", effect=effect)(DgammaFrom)


_dgamma_from(
    "dgamma-uncentred",
    "dgamma sums dy * x / sigma without centring x.",
    "gamma learns the shift too",
    lambda layer, normalised, saved: saved.rows * saved.inverse,
)
_dgamma_from(
    "dgamma-without-normaliser",
    "dgamma sums dy * (x - mean) without dividing by the deviation.",
    "gamma learns too fast where activations are large",
    lambda layer, normalised, saved: saved.rows - saved.mean,
)
_dgamma_from(
    "dgamma-from-x", "dgamma sums dy * x.", "gamma learns the shift too", lambda layer, normalised, saved: saved.rows
)
_dgamma_from(
    "dgamma-from-y",
    "dgamma sums dy * y.",
    "gamma learns the shift too",
    lambda layer, normalised, saved: layer.scale_and_shift(normalised, saved.mode),
)
_dgamma_from(
    "dgamma-times-gamma",
    "dgamma sums gamma * dy * xhat.",
    "gamma learns too fast or too slowly",
    lambda layer, normalised, saved: normalised * layer.column(layer.gamma),
)
_dgamma_from(
    "dgamma-negated",
    "dgamma has the wrong sign.",
    "gamma learns the opposite",
    lambda layer, normalised, saved: -normalised,
)
_dgamma_from(
    "dgamma-is-a-mean",
    "dgamma is the mean over the batch instead of the sum.",
    "gamma hardly learns, and how much depends on the size of the batch",
    lambda layer, normalised, saved: normalised / layer.count(saved.counted),
)


def _dbeta_times(name: str, sentence: str, effect: str, factor: Callable[..., Any]) -> None:
    """Register a layer that multiplies dbeta by factor(layer)."""

    class DbetaTimes(PlainLayer):
        def dbeta(self, dy: Array) -> Array:
            """Multiply by the factor."""
            return np.asarray(super().dbeta(dy) * factor(self))

    DbetaTimes.__doc__ = sentence
    deviation(name, clause="GRAD-3", effect=effect)(DbetaTimes)


_dbeta_times(
    "dbeta-is-a-mean",
    "dbeta is the mean over the batch instead of the sum.",
    "beta hardly learns, and how much depends on the size of the batch",
    lambda layer: layer.constant(1.0) / layer.constant(max(layer.batch_values(), 1.0)),
)
_dbeta_times(
    "dbeta-times-gamma",
    "dbeta is multiplied by gamma.",
    "beta learns too fast or too slowly",
    lambda layer: layer.column(layer.gamma),
)
_dbeta_times(
    "dbeta-negated", "dbeta has the wrong sign.", "beta learns the opposite", lambda layer: layer.constant(-1.0)
)
_dbeta_times(
    "dbeta-over-batch-size",
    "dbeta is divided by the entries of the batch.",
    "beta learns too slowly",
    lambda layer: layer.constant(1.0) / layer.constant(max(float(layer.shape[0]), 1.0)),
)


def _returned(
    name: str, sentence: str, effect: str, clause: str, change: Callable[[RowGradients], RowGradients], numeric: bool
) -> None:
    """Register a layer that gives changed gradients."""

    class Returned(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """Change the right gradients."""
            return change(super().backward(dy))

    Returned.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, numeric=numeric)(Returned)


_NONE: Any = None
_returned(
    "dgamma-missing",
    "There is no dgamma.",
    "gamma never learns",
    "GRAD-2",
    lambda gradients: gradients._replace(dgamma=_NONE),
    False,
)
_returned(
    "dbeta-missing",
    "There is no dbeta.",
    "beta never learns",
    "GRAD-3",
    lambda gradients: gradients._replace(dbeta=_NONE),
    False,
)
_returned(
    "dgamma-and-dbeta-swapped",
    "dgamma and dbeta are returned in each other's place.",
    "each parameter learns what the other should",
    "GRAD-2",
    lambda gradients: (
        gradients
        if gradients.dgamma is None or gradients.dbeta is None
        else gradients._replace(dgamma=gradients.dbeta, dbeta=gradients.dgamma)
    ),
    True,
)


@deviation("dbeta-from-dx", clause="GRAD-3", effect="beta hardly learns, since dx has no mean in training")
class DbetaFromDx(PlainLayer):
    """dbeta sums dx instead of dy."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Keep dx for dbeta."""
        self.latest_dx = super().dx(dy, normalised, saved)
        return self.latest_dx

    def dbeta(self, dy: Array) -> Array:
        """Sum the dx that was kept."""
        return super().dbeta(self.latest_dx)
