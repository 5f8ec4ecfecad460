"""Gradients of a recorded forward, of the first and the second order, by torch's autograd."""

from __future__ import annotations

from typing import Any

from bn_adapters.torch_tensors import load_torch, to_array
from bn_conformance.adapter import Gradients, SecondOrder

ParameterPair = tuple[Any, Any]
"""The tensors gamma and beta, None where absent."""


def gradients(y: Any, x: Any, parameters: ParameterPair, dy: Any) -> Gradients:
    """Gradients of sum(y * dy); the graph of y is kept, so that this may be asked for again."""
    found = load_torch().autograd.grad(y, [x, *_present(parameters)], dy, retain_graph=True)
    dx, *rest = map(to_array, found)
    left = iter(rest)
    dgamma, dbeta = (None if parameter is None else next(left) for parameter in parameters)
    return Gradients(dx, dgamma, dbeta)


def second_order_gradients(
    y: Any, x: Any, parameters: ParameterPair, dy: Any, weights: tuple[Any, Any, Any]
) -> SecondOrder:
    """Gradients of the gradients weighed with `weights`: v_dx, v_dgamma and v_dbeta, None for no such term."""
    autograd, dy = load_torch().autograd, dy.requires_grad_(True)
    found = iter(autograd.grad(y, [x, *_present(parameters)], dy, create_graph=True))
    first = [next(found), *(None if parameter is None else next(found) for parameter in parameters)]
    terms = [(part, weight) for part, weight in zip(first, weights, strict=True) if weight is not None]
    # What does not depend on a source (x in inference without gamma, for example) has a gradient of zero.
    ds_dx, ds_ddy, *ds_dgamma = autograd.grad(
        [part for part, _ in terms],
        [x, dy, *_present(parameters[:1])],
        [weight for _, weight in terms],
        retain_graph=True,
        materialize_grads=True,
    )
    return SecondOrder(to_array(ds_dx), to_array(ds_dgamma[0]) if ds_dgamma else None, to_array(ds_ddy))


def _present(parameters: tuple[Any, ...]) -> list[Any]:
    return [parameter for parameter in parameters if parameter is not None]
