"""The second order of the plain layer in closed form. Each term is a method that a deviation may override.

Formulas and names are those of `bn_reference.definition.second_order`. Rows have shape (C, n), columns (C, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_reference.arithmetic.quad import quietly
from bn_reference.definition.second_order import RowSecondOrder
from bn_reference.layer.first_order import Array, FirstOrder, Saved


@dataclass(frozen=True)
class SecondOrderTerms:
    """What the second order of a layer is computed from.

    Attributes:
        dy, v_dx: rows.
        v_dgamma, v_dbeta: columns.
        normalised: rows.
        scale: gamma, a column.
        inverse: the inverse deviation, a column.
        saved: what the forward saved.
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

    def averaged(self, rows: Array, terms: SecondOrderTerms) -> Array:
        """Mean of each row as a column."""
        return np.asarray(self.total(rows, "second") / self.count(terms.saved.counted))

    def projected(self, rows: Array, terms: SecondOrderTerms) -> Array:
        """P: rows without their mean, and without their component along the normalised values."""
        along = self.averaged(rows * terms.normalised, terms)
        return np.asarray(rows - self.averaged(rows, terms) - terms.normalised * along)

    def through_first(self, terms: SecondOrderTerms) -> Array:
        """The factor of P(dy) in ds_dx: a column."""
        along = self.averaged(terms.v_dx * terms.normalised, terms)
        return np.asarray(terms.v_dgamma - terms.scale * terms.inverse * along)

    def through_upstream(self, terms: SecondOrderTerms) -> Array:
        """The term of ds_dx with P(v_dx), without the outer factor."""
        along = self.averaged(terms.dy * terms.normalised, terms)
        return np.asarray(terms.scale * terms.inverse * along * self.projected(terms.v_dx, terms))

    def through_deviation(self, terms: SecondOrderTerms) -> Array:
        """The term of ds_dx that flows through the deviation, without the outer factor."""
        both = self.averaged(terms.v_dx * self.projected(terms.dy, terms), terms)
        return np.asarray(terms.scale * terms.inverse * terms.normalised * both)

    def second_x(self, terms: SecondOrderTerms) -> Array:
        """ds_dx, rows."""
        if terms.saved.mode == "inference":
            return np.asarray(terms.v_dgamma * terms.inverse * terms.dy)
        first = self.through_first(terms) * self.projected(terms.dy, terms)
        return np.asarray(terms.inverse * (first - self.through_upstream(terms) - self.through_deviation(terms)))

    def second_gamma(self, terms: SecondOrderTerms) -> Array:
        """ds_dgamma, a column."""
        inner = terms.dy if terms.saved.mode == "inference" else self.projected(terms.dy, terms)
        return np.asarray(terms.inverse * self.total(terms.v_dx * inner, "second"))

    def second_dy(self, terms: SecondOrderTerms) -> Array:
        """ds_ddy, rows."""
        inner = terms.v_dx if terms.saved.mode == "inference" else self.projected(terms.v_dx, terms)
        return np.asarray(terms.scale * terms.inverse * inner + terms.v_dgamma * terms.normalised + terms.v_dbeta)

    # The layer.

    @quietly
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> RowSecondOrder:
        """Gradients of s = sum(dx * v_dx) + sum(dgamma * v_dgamma) + sum(dbeta * v_dbeta), for the latest forward.

        Args:
            dy: like y.
            v_dx: like x.
            v_dgamma: of shape (C,); None for 0.
            v_dbeta: of shape (C,); None for 0.

        Returns:
            ds_dx and ds_ddy like x; ds_dgamma of shape (C,), None where the layer has no gamma.

        Raises:
            RuntimeError: there was no forward, or it had a mask, for which no second order is specified.
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
        terms = SecondOrderTerms(
            dy=self.rows_of(dy),
            v_dx=self.rows_of(v_dx),
            v_dgamma=self.column(zeros if v_dgamma is None else v_dgamma),
            v_dbeta=self.column(zeros if v_dbeta is None else v_dbeta),
            normalised=(saved.rows - saved.mean) * saved.inverse,
            scale=saved.gamma,
            inverse=saved.inverse,
            saved=saved,
        )
        ds_dx = self.output(self.second_x(terms), dy.shape, "dx")
        ds_ddy = self.output(self.second_dy(terms), dy.shape, "dx")
        ds_dgamma = self.deliver(self.second_gamma(terms)[:, 0], self.parameters) if self.config.gamma else None
        return RowSecondOrder(ds_dx, ds_dgamma, ds_ddy)  # type: ignore[arg-type]
