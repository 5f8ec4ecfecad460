"""Deviations of the second order: terms of `layer.second_order` that are missing, doubled or wrongly signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer
from bn_reference.layer.second_order import SecondOrderTerms

_EFFECT = "gradient penalties and meta-learning pull the wrong way, and nothing else shows"


def _method(name: str, clause: str, method: str, sentence: str, change: Callable[..., Array], link: str = "") -> None:
    """Register a layer in which a method of the second order gives change(layer, right value, terms)."""

    class Changed(PlainLayer):
        pass

    def changed(self: PlainLayer, *arguments: object) -> Array:
        return np.asarray(change(self, getattr(super(Changed, self), method)(*arguments), arguments[-1]))

    setattr(Changed, method, changed)
    Changed.__doc__ = sentence
    deviation(name, clause=clause, effect=_EFFECT, link=link)(Changed)


def _times(factor: float) -> Callable[..., Array]:
    return lambda layer, value, terms: value * layer.constant(factor)


def _plus_inner(layer: PlainLayer, value: Array, terms: SecondOrderTerms) -> Array:
    """Leave out of ds_ddy the term of P(v_dx) that subtracts the mean of v_dx."""
    return np.asarray(value + terms.scale * terms.inverse * layer.averaged(terms.v_dx, terms))


for _name, _sentence, _method_name in (
    ("first", "ds_dx lacks what flows through dy.", "through_first"),
    ("upstream", "ds_dx lacks what flows through v_dx.", "through_upstream"),
    ("deviation", "ds_dx lacks what flows through the deviation.", "through_deviation"),
):
    _method(f"second-without-{_name}", "SECOND-1", _method_name, _sentence, _times(0.0))
    _method(
        f"second-{_name}-negated",
        "SECOND-1",
        _method_name,
        _sentence.replace("lacks", "has the wrong sign in"),
        _times(-1.0),
    )
_method(
    "second-deviation-halved",
    "SECOND-1",
    "through_deviation",
    "ds_dx has half of what flows through the deviation.",
    _times(0.5),
)
_method(
    "second-deviation-doubled",
    "SECOND-1",
    "through_deviation",
    "ds_dx has twice what flows through the deviation.",
    _times(2.0),
)
_method("second-x-zero", "SECOND-1", "second_x", "ds_dx is zero, as if x entered no gradient.", _times(0.0))
_method(
    "second-x-without-normaliser",
    "SECOND-1",
    "second_x",
    "ds_dx lacks the outer division by the deviation.",
    lambda layer, value, terms: value / terms.inverse,
)
_method(
    "second-x-without-dgamma",
    "SECOND-1",
    "through_first",
    "ds_dx ignores what weighs dgamma.",
    lambda layer, value, terms: value - terms.v_dgamma,
)
_method(
    "second-x-without-own-deviation",
    "SECOND-1",
    "through_first",
    "ds_dx ignores how v_dx lies along xhat.",
    lambda layer, value, terms: terms.v_dgamma + value * layer.constant(0.0),
)
_method(
    "second-mean-held-constant",
    "SECOND-1",
    "through_upstream",
    "ds_dx holds the mean constant in the derivative of the variance, which is right for the first order alone.",
    lambda layer, value, terms: (
        value
        + terms.scale
        * terms.inverse
        * layer.averaged(terms.v_dx, terms)
        * layer.averaged(terms.dy * terms.normalised, terms)
    ),
    "https://github.com/tensorflow/tensorflow/pull/19609",
)
_method("second-gamma-zero", "SECOND-2", "second_gamma", "ds_dgamma is zero.", _times(0.0))
_method(
    "second-gamma-averaged",
    "SECOND-2",
    "second_gamma",
    "ds_dgamma is a mean instead of a sum.",
    lambda layer, value, terms: value / layer.count(terms.saved.counted),
)
_method(
    "second-gamma-times-gamma",
    "SECOND-2",
    "second_gamma",
    "ds_dgamma is multiplied by gamma.",
    lambda layer, value, terms: value * terms.scale,
)
_method(
    "second-dy-without-dgamma",
    "SECOND-3",
    "second_dy",
    "ds_ddy lacks what weighs dgamma.",
    lambda layer, value, terms: value - terms.v_dgamma * terms.normalised,
)
_method(
    "second-dy-without-dbeta",
    "SECOND-3",
    "second_dy",
    "ds_ddy lacks what weighs dbeta.",
    lambda layer, value, terms: value - terms.v_dbeta,
)
_method(
    "second-inference-without-dbeta",
    "SECOND-4",
    "second_dy",
    "ds_ddy in inference lacks what weighs dbeta.",
    lambda layer, value, terms: value - (terms.saved.mode == "inference") * terms.v_dbeta,
)
_method(
    "second-dy-without-mean",
    "SECOND-3",
    "second_dy",
    "ds_ddy in training keeps the mean of v_dx.",
    lambda layer, value, terms: _plus_inner(layer, value, terms) if terms.saved.mode == "training" else value,
)
_method(
    "second-dy-without-gamma",
    "SECOND-3",
    "second_dy",
    "The first term of ds_ddy lacks gamma.",
    lambda layer, value, terms: (
        value
        + (1 - terms.scale)
        * terms.inverse
        * (layer.projected(terms.v_dx, terms) if terms.saved.mode == "training" else terms.v_dx)
    ),
)
_method(
    "second-projection-keeps-mean",
    "SECOND-1",
    "projected",
    "P keeps the mean of its rows.",
    lambda layer, value, terms: value + layer.constant(0.125),
)


def _mode(name: str, clause: str, sentence: str, method: str, mode: str) -> None:
    """Register a layer in which one of the three results is always that of one mode."""

    class OfMode(PlainLayer):
        pass

    def changed(self: PlainLayer, terms: SecondOrderTerms) -> Array:
        other = replace(terms, saved=replace(terms.saved, mode=mode))  # type: ignore[arg-type]
        return np.asarray(getattr(super(OfMode, self), method)(other))

    setattr(OfMode, method, changed)
    OfMode.__doc__ = sentence
    deviation(name, clause=clause, effect=_EFFECT)(OfMode)


for _short, _result, _clause in (
    ("x", "ds_dx", "SECOND-1"),
    ("gamma", "ds_dgamma", "SECOND-2"),
    ("dy", "ds_ddy", "SECOND-3"),
):
    _mode(
        f"second-{_short}-past-statistics",
        _clause,
        f"{_result} treats the batch's statistics as constants.",
        f"second_{_short}",
        "inference",
    )
    _mode(
        f"second-{_short}-through-batch-in-inference",
        "SECOND-4",
        f"{_result} in inference flows through statistics that are constants.",
        f"second_{_short}",
        "training",
    )
