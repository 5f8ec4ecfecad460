"""Functions of torch and of JAX: like torch's own, autograd functions, aten's pairs, pure functions with state."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.own_process import process_with
from tests.support.wrapped_code import adapter_from, assert_right, code_in, judged, outcome_of, said_of

from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError

pytestmark = pytest.mark.framework

FUNCTIONAL = """
    import torch

    def fused_bn(inp, rm, rv, w=None, b=None, is_training=True, mom=0.2, epsilon=1e-4):
        shape = (1, -1) + (1,) * (inp.dim() - 2)
        if is_training:
            dims = [d for d in range(inp.dim()) if d != 1]
            var, mean = torch.var_mean(inp, dims, correction=0)
            count = inp.numel() // inp.shape[1]
            with torch.no_grad():
                rm += mom * (mean - rm)
                rv += mom * (var * count / (count - 1) - rv)
        else:
            mean, var = rm, rv
        y = (inp - mean.view(shape)) / torch.sqrt(var.view(shape) + epsilon)
        y = y if w is None else y * w.view(shape)
        return y if b is None else y + b.view(shape)
"""

AUTOGRAD = """
    import torch

    class BnKernel(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias, eps):
            mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
            rstd = 1 / torch.sqrt(var + eps)
            xhat = (x - mean) * rstd
            ctx.save_for_backward(xhat, rstd, weight)
            return xhat * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)

        @staticmethod
        def backward(ctx, dy):
            xhat, rstd, weight = ctx.saved_tensors
            axes = (0, 2, 3)
            g = dy * weight.view(1, -1, 1, 1)
            dx = rstd * (g - g.mean(axes, keepdim=True) - xhat * (g * xhat).mean(axes, keepdim=True))
            return dx, (dy * xhat).sum(axes), dy.sum(axes), None
"""

ATEN = """
    import torch

    def my_native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
        return torch.ops.aten.native_batch_norm(
            input, weight, bias, running_mean, running_var, training, momentum, eps
        )

    def my_native_batch_norm_backward(
        grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, train, eps, output_mask
    ):
        return torch.ops.aten.native_batch_norm_backward(
            grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, train, eps, output_mask
        )
"""

PURE = """
    import jax.numpy as jnp

    def batch_norm(params, stats, x, train):
        axes = tuple(range(x.ndim - 1))
        mean, var = (x.mean(axes), x.var(axes)) if train else (stats["mean"], stats["var"])
        y = (x - mean) / jnp.sqrt(var + 1e-3) * params["scale"] + params["offset"]
        if train:
            stats = {"mean": 0.99 * stats["mean"] + 0.01 * mean, "var": 0.99 * stats["var"] + 0.01 * var}
        return y, stats
"""


def test_a_function_like_torchs_own(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, FUNCTIONAL, "fused_bn")
    assert adapter.convention.default_eps == 1e-4
    assert (adapter.convention.momentum_weighs, adapter.convention.default_momentum) == ("new", 0.2)
    assert set(adapter.capabilities.affine) == {"both", "none", "gamma", "beta"}
    assert_right(adapter)


def test_torchs_own_function_is_read(tmp_path: Path) -> None:
    text = "import torch\nfrom torch.nn.functional import batch_norm\nmine = batch_norm\n"
    adapter = adapter_from(tmp_path, text, "mine")
    assert "running mean: running_mean; after a step in place" in said_of(adapter)
    assert_right(adapter, "fwd/nchw/*/random", "stat/nchw/*/first-step", "grad/nchw/*/random", least=3)


def test_an_autograd_function(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, AUTOGRAD, "BnKernel")
    can = adapter.capabilities
    assert (set(can.ranks), set(can.modes), can.statistics) == ({4}, {"training"}, False)
    assert_right(adapter, "fwd/*/random", "grad/*/random", least=4)


def test_the_gradient_of_an_autograd_function_is_judged(tmp_path: Path) -> None:
    wrong = adapter_from(tmp_path, AUTOGRAD.replace(" - g.mean(axes, keepdim=True)", ""), "BnKernel")
    assert [item.verdict for item in judged(wrong, "grad/nchw/float32/random")] == ["fail"]


def test_a_pair_of_aten(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, ATEN, "my_native_batch_norm")
    assert "save_invstd is result[2] of the forward" in said_of(adapter)
    assert_right(adapter)


def test_a_pure_function_that_passes_its_state(tmp_path: Path) -> None:
    """In a process of its own, since JAX keeps the formats with which it was imported."""
    target = f"jax-functions={code_in(tmp_path, PURE, 'batch_norm')}"
    with process_with({"JAX_ENABLE_X64": "0"}) as call:
        said, count, failing = call(outcome_of, target, "fwd/nhwc/*/random", "eval/nhwc/*/random", "grad/nhwc/*/random")
    assert failing == ""
    assert count == 3
    assert "gamma: params['scale']" in said
    assert "momentum: a literal in the code, 0.99 (measured); it weighs the old statistic" in said


TWO_SCALES = """
    import {library}

    def bn_twice(x, p, q):
        centred = x - x.mean(0)
        return {library}.divide(centred, ((centred**2).mean(0) + 1e-5) ** 0.5) * p * q
"""


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_two_readings_that_fit_are_both_shown_with_what_to_paste(tmp_path: Path, library: str) -> None:
    text = TWO_SCALES.replace("{library}.divide", "{library}.numpy.divide" if library == "jax" else "{library}.divide")
    text = text.replace("import {library}", "import jax.numpy" if library == "jax" else "import {library}")
    target = f"{library}-functions={code_in(tmp_path, text.format(library=library), 'bn_twice')}"
    with pytest.raises(TargetError, match="bn_twice can be read in two ways; say which: --name ") as caught:
        load_adapter(target)
    said = str(caught.value).partition("say which: ")[2].split(" or ")
    assert ["--name weight=p" in one for one in said] == [True, False]
    assert ["--name weight=q" in one for one in said] == [False, True]
    pasted = "".join(f"+name.{one}" for one in said[1].replace("--name ", "").split())
    assert "gamma: q" in said_of(load_adapter(target + pasted))
