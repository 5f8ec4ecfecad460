"""Code of frameworks, as a notebook has it: a class of a function, a layer, a factory."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import bnconform

pytestmark = [pytest.mark.framework, pytest.mark.slow]
CASES = "stat/nchw/float32/*"


def mine() -> Any:
    import torch

    class Mine(torch.nn.BatchNorm2d):
        pass

    return Mine


def test_a_torch_class_that_nothing_can_import() -> None:
    verdict = bnconform.check(mine(), cases=CASES)
    assert verdict.conforms, str(verdict)
    assert any("num_features" in note for note in verdict.notes)


def test_a_torch_layer_is_judged_by_its_class() -> None:
    verdict = bnconform.check(mine()(8), cases=CASES)
    assert verdict.conforms, str(verdict)
    assert "fresh layers of its class" in verdict.notes[0]


def test_a_torch_factory_keeps_what_it_sets() -> None:
    import torch

    def make(num_features: int, eps: float = 1e-3, momentum: float = 0.1, dtype: Any = None) -> Any:
        return torch.nn.BatchNorm2d(num_features, eps, momentum, dtype=dtype)

    verdict = bnconform.check(make, cases=CASES)
    assert verdict.conforms, str(verdict)
    assert any("eps=0.001" in note for note in verdict.notes)
    assert bnconform.check(partial(torch.nn.BatchNorm2d, affine=True), cases=CASES).conforms


def test_the_threads_and_random_numbers_of_torch_are_the_callers() -> None:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    try:
        bnconform.check(mine(), cases=CASES)
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.rand(3), expected)
    finally:
        torch.set_num_threads(threads)  # of this process, in which other tests compare bits


def test_a_flax_class_is_judged_in_64_bits_and_jax_is_afterwards_as_it_was() -> None:
    import flax.linen as nn
    import jax

    class Mine(nn.BatchNorm):
        pass

    before = jax.config.jax_enable_x64
    verdict = bnconform.check(Mine, cases="fwd/nhwc/float64/*")
    assert verdict.coverage.judged > 0
    assert verdict.conforms, str(verdict)
    assert jax.config.jax_enable_x64 == before


def test_a_flax_class_without_wide_parameters_is_judged_without_64_bits() -> None:
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    widths = set()

    class Mine(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            widths.add(jax.config.jax_enable_x64)
            axes, shape = tuple(range(x.ndim - 1)), x.shape[-1:]
            scale, bias = (
                self.param("scale", nn.initializers.ones, shape),
                self.param("bias", nn.initializers.zeros, shape),
            )
            mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
            var = self.variable("batch_stats", "var", jnp.ones, shape)
            used = (x.mean(axes), x.var(axes)) if train else (mean.value, var.value)
            if train and not self.is_initializing():
                mean.value, var.value = 0.9 * mean.value + 0.1 * used[0], 0.9 * var.value + 0.1 * used[1]
            return (x - used[0]) / jnp.sqrt(used[1] + 1e-5) * scale + bias

    verdict = bnconform.check(Mine, cases="grad/nhwc/*/random")
    assert verdict.coverage.judged > 0
    assert verdict.conforms, str(verdict)
    assert widths == {False}


def of_this_module(num_features: int) -> Any:
    """A factory that another process can import."""
    import torch

    return torch.nn.BatchNorm2d(num_features)


def test_a_factory_of_a_module_is_judged_in_a_process_of_its_own() -> None:
    verdict = bnconform.assert_conforms(of_this_module, cases="fwd/nchw/float32/random", isolated=True)
    assert verdict.coverage.judged == 1
    with pytest.raises(bnconform.UserError, match="cannot be imported by another process, which isolated=True needs"):
        bnconform.check(lambda channels: of_this_module(channels), isolated=True)


def test_what_is_to_be_said_is_said_as_python_says_it() -> None:
    import torch

    with pytest.raises(bnconform.UserError, match=r"say the rest: arguments=\{'out_features': VALUE\}"):
        bnconform.check(torch.nn.Linear)
