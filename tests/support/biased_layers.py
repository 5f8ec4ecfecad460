"""Layers that are right but for a relative bias of one quantity, at some numbers of values a channel."""

from __future__ import annotations

from typing import Any

from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer

METHODS = {
    "y": "scale_and_shift",
    "inference y": "scale_and_shift",
    "dx": "dx",
    "inference dx": "dx",
    "dgamma": "dgamma",
    "dbeta": "dbeta",
    "mean": "mean_of",
    "var": "variance_of",
    "running mean": "move",
    "running var": "move",
    "ds_dx": "second_x",
    "ds_dgamma": "second_gamma",
    "ds_ddy": "second_dy",
}
"""The method of the plain layer that gives each quantity."""


def biased(quantity: str, exponent: int, least: float, most: float) -> Deviation:
    """A layer one of whose quantities is 1 + 2**exponent times what it should be.

    Args:
        quantity: one of `METHODS`. Of y and dx, those of inference are apart.
        exponent: of the bias.
        least: values a channel, from which on it is biased.
        most: values a channel, up to which it is biased.
    """
    method = METHODS[quantity]

    def changed(self: Any, *arguments: Any) -> Any:
        result = getattr(super(Biased, self), method)(*arguments)
        factor = self.constant(1.0 + 2.0**exponent)
        if not least <= self.batch_values() <= most:
            return result
        if method == "move":
            name = quantity.replace(" ", "_")
            setattr(self, name, self.store(self.wide(getattr(self, name)) * factor, self.statistics_dtype))
            return result
        if quantity in ("y", "inference y", "dx", "inference dx"):
            mode = arguments[-1] if method == "scale_and_shift" else arguments[-1].mode
            if (mode == "inference") != quantity.startswith("inference"):
                return result
        return result * factor

    Biased = type("Biased", (PlainLayer,), {method: changed})  # noqa: N806
    return Deviation(
        name=f"{quantity} biased by 2**{exponent}",
        group="biased",
        sentence=f"{quantity} is biased.",
        clause="FWD-1",
        effect="",
        layer=Biased,
        level="degraded(inexact)",
    )
