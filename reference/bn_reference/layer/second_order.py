"""The second order of the plain layer, in closed form, every term in a method of its own that a deviation may change.

Formulas and names are those of `bn_reference.definition.second_order`. Rows have shape (C, n), columns (C, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_reference.arithmetic.quad import quietly
from bn_reference.definition.second_order import RowSecondOrder
from bn_reference.layer.first_order import Array, FirstOrder, Saved


@dataclass(frozen=True)
class Twice:
    """What the second order of one layer is made of: rows dy and v_dx, columns v_dgamma and v_dbeta, and the forward.

    scale is gamma, inverse the inverse deviation: columns.
    """

    dy: Array
    v_dx: Array
    v_dgamma: Array
    v_dbeta: Array
    normalised: Array
    scale: Array
    inverse: Array
    saved: Saved


class DoubleBackward(FirstOrder):
    """Adds the gradients of gradients to the first order."""

    # Decisions.

    def averaged(self, rows: Array, twice: Twice) -> Array:
        """Mean of each row as a column."""
        return np.asarray(self.total(rows, "second") / self.count(twice.saved.counted))

    def projected(self, rows: Array, twice: Twice) -> Array:
        """P: rows without their mean and without what they have along the normalised values."""
        along = self.averaged(rows * twice.normalised, twice)
        return np.asarray(rows - self.averaged(rows, twice) - twice.normalised * along)

    def through_first(self, twice: Twice) -> Array:
        """What multiplies P(dy) in ds_dx: a column."""
        along = self.averaged(twice.v_dx * twice.normalised, twice)
        return np.asarray(twice.v_dgamma - twice.scale * twice.inverse * along)

    def through_upstream(self, twice: Twice) -> Array:
        """What P(v_dx) gives ds_dx, but for the outer factor."""
        along = self.averaged(twice.dy * twice.normalised, twice)
        return np.asarray(twice.scale * twice.inverse * along * self.projected(twice.v_dx, twice))

    def through_deviation(self, twice: Twice) -> Array:
        """What flows to ds_dx through the deviation, but for the outer factor."""
        both = self.averaged(twice.v_dx * self.projected(twice.dy, twice), twice)
        return np.asarray(twice.scale * twice.inverse * twice.normalised * both)

    def second_x(self, twice: Twice) -> Array:
        """ds_dx, rows."""
        if twice.saved.mode == "inference":
            return np.asarray(twice.v_dgamma * twice.inverse * twice.dy)
        first = self.through_first(twice) * self.projected(twice.dy, twice)
        return np.asarray(twice.inverse * (first - self.through_upstream(twice) - self.through_deviation(twice)))

    def second_gamma(self, twice: Twice) -> Array:
        """ds_dgamma, a column."""
        inner = twice.dy if twice.saved.mode == "inference" else self.projected(twice.dy, twice)
        return np.asarray(twice.inverse * self.total(twice.v_dx * inner, "second"))

    def second_dy(self, twice: Twice) -> Array:
        """ds_ddy, rows."""
        inner = twice.v_dx if twice.saved.mode == "inference" else self.projected(twice.v_dx, twice)
        return np.asarray(twice.scale * twice.inverse * inner + twice.v_dgamma * twice.normalised + twice.v_dbeta)

    # The layer.

    @quietly
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> RowSecondOrder:
        """Gradients of s = sum(dx * v_dx) + sum(dgamma * v_dgamma) + sum(dbeta * v_dbeta), for the latest forward.

        Args:
            dy: like y.
            v_dx: like x.
            v_dgamma: of shape (C,); None is 0.
            v_dbeta: of shape (C,); None is 0.

        Returns:
            ds_dx and ds_ddy like x; ds_dgamma of shape (C,), None where the layer has no gamma.

        Raises:
            RuntimeError: no forward came before, or it was one with a mask, for which nothing is specified.
            ValueError: dy or v_dx has another shape than y.
        """
        saved = self.saved
        if saved is None:
            raise RuntimeError("double_backward before forward; call forward first")
        if saved.mode == "training" and not saved.counted.all():
            raise RuntimeError("double_backward after a forward with a mask; call forward without one first")
        for name, array in (("dy", dy), ("v_dx", v_dx)):
            if array.shape != saved.shape:
                raise ValueError(f"{name} has shape {array.shape}; allowed is that of y, {saved.shape}")
        zeros = np.zeros(self.config.num_channels, self.parameters)
        twice = Twice(
            dy=self.rows_of(dy),
            v_dx=self.rows_of(v_dx),
            v_dgamma=self.column(zeros if v_dgamma is None else v_dgamma),
            v_dbeta=self.column(zeros if v_dbeta is None else v_dbeta),
            normalised=(saved.rows - saved.mean) * saved.inverse,
            scale=saved.gamma,
            inverse=saved.inverse,
            saved=saved,
        )
        ds_dx = self.output(self.second_x(twice), dy.shape, "dx")
        ds_ddy = self.output(self.second_dy(twice), dy.shape, "dx")
        ds_dgamma = self.deliver(self.second_gamma(twice)[:, 0], self.parameters) if self.config.gamma else None
        return RowSecondOrder(ds_dx, ds_dgamma, ds_ddy)  # type: ignore[arg-type]
