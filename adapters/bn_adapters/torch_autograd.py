"""Gradients of a recorded forward, of the first and the second order, by torch's autograd."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
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


def accumulated_gradients(y: Any, x: Any, parameters: ParameterPair, dy: Any) -> Gradients:
    """Gradients of sum(y * dy) as users take them: by a backward, which goes through all that y depends on.

    The graph of y is kept, so that this may be asked for again.

    Raises:
        RuntimeError: y depends on x or on a parameter in no way that autograd knows.
    """
    sources = [x, *_present(parameters)]
    for tensor in sources:
        tensor.grad = None
    _go_back(y, dy, retain_graph=True)
    found = []
    for tensor, name in zip(sources, ("x", *(f"parameter {number}" for number in (1, 2))), strict=False):
        if tensor.grad is None:
            raise RuntimeError(f"backward gave no gradient of {name}: autograd sees no way from y to it")
        found.append(to_array(tensor.grad))
        tensor.grad = None
    dx, *rest = found
    left = iter(rest)
    dgamma, dbeta = (None if parameter is None else next(left) for parameter in parameters)
    return Gradients(dx, dgamma, dbeta)


def let_go(y: Any) -> None:
    """Free what the graph of y saved, as a backward that keeps no graph does."""
    with suppress(RuntimeError):  # what it saved was changed or is gone already
        _go_back(y, load_torch().zeros_like(y), retain_graph=False)


def _go_back(y: Any, dy: Any, *, retain_graph: bool) -> None:
    """Do what `y.backward(dy)` does, from a loss of one number, as training does.

    `y.backward(dy)` imports sympy to compare two shapes, which takes half a second in each process. A dy of another
    shape it refuses before it asks the layer, and so is it refused here. What else does not fit y is left to it, as is
    any y that is more than a plain tensor.
    """
    torch = load_torch()
    if type(y) is torch.Tensor and y.requires_grad and y.shape != dy.shape:
        shapes = f"grad_output[0] has a shape of {dy.shape} and output[0] has a shape of {y.shape}"
        raise RuntimeError(f"Mismatch in shape: {shapes}.")  # torch's own words
    if type(y) is torch.Tensor and (y.dtype, y.device) == (dy.dtype, dy.device):
        with torch.enable_grad():
            loss = _loss().apply(y, [dy])
        loss.backward(retain_graph=retain_graph)
    else:
        y.backward(dy, retain_graph=retain_graph)


@cache
def _loss() -> Any:
    """A function of a tensor and of its gradient, in a list, that autograd does not follow; its value is 0."""

    class Loss(load_torch().autograd.Function):  # type: ignore[misc]  # torch is untyped here
        @staticmethod
        def forward(context: Any, y: Any, gradients: list[Any]) -> Any:
            context.gradients = gradients
            return y.new_zeros(())

        @staticmethod
        def backward(context: Any, _: Any) -> tuple[Any, None]:
            return context.gradients[0], None

    return Loss


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
