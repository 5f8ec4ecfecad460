"""Gradients as users take them are those of `y.backward(dy)`, bit for bit, with its errors and without its import."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from bn_adapters.torch_autograd import accumulated_gradients, let_go
from bn_adapters.torch_tensors import load_torch

IMPORTS = """
import sys, torch
from bn_adapters.torch_autograd import accumulated_gradients, let_go
x = torch.ones(4, 3, requires_grad=True)
y = x * 2
accumulated_gradients(y, x, (None, None), torch.ones(4, 3))
try:
    accumulated_gradients(y, x, (None, None), torch.ones(4, 2))
except RuntimeError:
    print("refused")
let_go(y)
print("sympy" in sys.modules)
"""


def normalised(x: Any, gamma: Any) -> Any:
    return gamma * (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()


@pytest.fixture
def given() -> tuple[Any, Any, Any, Any]:
    """x, gamma, y and a dy whose memory has another order than that of y."""
    torch = load_torch()
    torch.manual_seed(3)
    x, gamma = torch.randn(8, 5, requires_grad=True), torch.randn(5, requires_grad=True)
    return x, gamma, normalised(x, gamma), torch.randn(5, 8).T


def test_they_are_those_of_backward_to_the_bit_and_can_be_taken_again(given: tuple[Any, Any, Any, Any]) -> None:
    x, gamma, y, dy = given
    found = [accumulated_gradients(y, x, (gamma, None), dy) for _ in range(2)]
    y.backward(dy)
    for gradients in found:
        assert gradients.dgamma is not None
        assert np.array_equal(gradients.dx, x.grad.numpy())
        assert np.array_equal(gradients.dgamma, gamma.grad.numpy())


def test_hooks_and_functions_of_the_layer_see_dy_itself(given: tuple[Any, Any, Any, Any]) -> None:
    torch = load_torch()
    x, gamma, y, dy = given
    seen: list[Any] = []
    y.register_hook(seen.append)
    with torch.no_grad():
        accumulated_gradients(y, x, (gamma, None), dy)
    assert seen[0].stride() == dy.stride()
    assert torch.equal(seen[0], dy)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *((shape, "float32") for shape in ((8, 4), (5,), (1, 5), (8, 1), (1,), (), (5, 8), (16, 5), (1, 8, 5))),
        ((8, 5), "complex64"),
    ],
)
def test_a_dy_that_does_not_fit_is_refused_as_by_torch(
    given: tuple[Any, Any, Any, Any], shape: tuple[int, ...], dtype: str
) -> None:
    torch = load_torch()
    x, gamma, y, _ = given
    dy = torch.ones(shape, dtype=getattr(torch, dtype))
    with pytest.raises(RuntimeError) as own:
        accumulated_gradients(y, x, (gamma, None), dy)
    with pytest.raises(RuntimeError) as theirs:
        y.backward(dy)
    assert str(own.value) == str(theirs.value)


def test_a_y_without_a_graph_is_refused_as_by_torch() -> None:
    torch = load_torch()
    x = torch.ones(4, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        accumulated_gradients(torch.ones(4, 3), x, (None, None), torch.ones(4, 3))


def test_what_is_let_go_cannot_be_gone_back_through(given: tuple[Any, Any, Any, Any]) -> None:
    x, gamma, y, dy = given
    let_go(y)
    with pytest.raises(RuntimeError, match="second time"):
        accumulated_gradients(y, x, (gamma, None), dy)


def test_nothing_is_imported_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused", "False"]
