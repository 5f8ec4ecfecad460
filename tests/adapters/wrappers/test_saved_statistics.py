"""Functions that show the statistics which they save: found, judged, and a wrong one told from a right one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right, judged, said_of

KERNEL = """
    import numpy as np

    def {name}(x, gamma, beta, eps=1e-5):
        axes = (0, *range(2, x.ndim))
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, var = x.mean(axes), x.var(axes)
        rstd = 1 / np.sqrt(var + x.dtype.type(eps))
        xhat = (x - mean.reshape(shape)) * rstd.reshape(shape)
        return {returned}

    def {name}_backward(dy, x, gamma, {taken}):
        axes = (0, *range(2, x.ndim))
        shape = (1, -1) + (1,) * (x.ndim - 2)
        xhat = (x - {mean}.reshape(shape)) * {rstd}.reshape(shape)
        dgamma, dbeta = (dy * xhat).sum(axes), dy.sum(axes)
        n = x.size // x.shape[1]
        inner = dy - dbeta.reshape(shape) / n - xhat * dgamma.reshape(shape) / n
        return (gamma * {rstd}).reshape(shape) * inner, dgamma, dbeta
"""
Y = "gamma.reshape(shape) * xhat + beta.reshape(shape)"
TAKEN = {"taken": "saved_mean, saved_invstd", "mean": "saved_mean", "rstd": "saved_invstd"}
ATEN = {"taken": "save_mean, save_invstd", "mean": "save_mean", "rstd": "save_invstd"}


def kernel(returned: str, name: str = "bn_kernel", **names: str) -> str:
    return KERNEL.format(name=name, returned=f"{Y}, {returned}", **(names or TAKEN))


def wrong(folder: Path, text: str, name: str = "bn_kernel", which: str = "random") -> set[str]:
    """The quantities that are wrong in a case."""
    items = judged(adapter_from(folder, text, name), f"saved/nchw/float32/{which}")
    return {
        quantity.name.partition(".")[2] for item in items for quantity in item.quantities if quantity.outcome == "wrong"
    }


def test_a_right_kernel_is_clean(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, kernel("mean, rstd"), "bn_kernel")
    assert adapter.capabilities.saved_statistics == {"forward", "backward"}
    assert "saved mean result[1], saved inverse deviation result[2]; they are judged" in said_of(adapter)
    assert_right(adapter, "saved/*", least=18)


@pytest.mark.parametrize(
    "saved",
    ["1 / np.sqrt(var)", "1 / np.sqrt(var * x.size / (x.size - x.shape[1]) + eps)", "var", "np.sqrt(var + eps)"],
    ids=["without-eps", "unbiased", "variance", "deviation"],
)
def test_a_wrong_inverse_is_wrong_and_the_backward_right(tmp_path: Path, saved: str) -> None:
    text = kernel(f"mean, ({saved}).astype(x.dtype)")
    assert wrong(tmp_path, text) == {"saved_invstd", "dx", "dgamma"}
    assert wrong(tmp_path, text, which="exact-random") == set()


def test_atens_order_is_atens(tmp_path: Path) -> None:
    text = kernel("rstd, mean", "native_batch_norm", **ATEN)
    assert wrong(tmp_path, text, "native_batch_norm") == {"saved_mean", "saved_invstd", "dx", "dgamma"}


def test_another_order_is_no_mistake_where_the_code_says_which_is_which(tmp_path: Path) -> None:
    assert wrong(tmp_path, kernel("rstd, mean")) == set()


def test_a_backward_that_takes_a_variance_is_right(tmp_path: Path) -> None:
    text = kernel("mean, var", taken="saved_mean, saved_var", mean="saved_mean", rstd="(1 / np.sqrt(saved_var + 1e-5))")
    assert adapter_from(tmp_path, text, "bn_kernel").capabilities.saved_statistics == frozenset()


def test_what_is_called_a_variance_and_is_the_inverse_is_judged_as_that(tmp_path: Path) -> None:
    text = kernel(
        "mean, 1 / np.sqrt(var + x.dtype.type(eps))", taken="saved_mean, save_var", mean="saved_mean", rstd="save_var"
    )
    assert adapter_from(tmp_path, text, "bn_kernel").capabilities.saved_statistics == {"forward", "backward"}
    assert wrong(tmp_path, text) == set()


def test_a_backward_that_roots_again_is_wrong_from_exact_statistics_too(tmp_path: Path) -> None:
    text = kernel("mean, rstd", taken=TAKEN["taken"], mean="saved_mean", rstd="(1 / np.sqrt(saved_invstd))")
    assert wrong(tmp_path, text) == {"dx", "dgamma"}
    assert wrong(tmp_path, text, which="exact-random") == {"dx_given", "dgamma_given"}


def test_a_forward_alone_shows_them(tmp_path: Path) -> None:
    text = kernel("mean, rstd").partition("    def bn_kernel_backward")[0]
    adapter = adapter_from(tmp_path, text, "bn_kernel")
    assert adapter.capabilities.saved_statistics == {"forward"}
    assert wrong(tmp_path, text) == set()
    mistake = text.replace("        return", "        y, rstd = " + Y + ", 1 / rstd\n        return").replace(
        f"return {Y}", "return y"
    )
    assert wrong(tmp_path, mistake) == {"saved_invstd"}


TORCH = """
    import torch

    def my_native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
        return torch.ops.aten.native_batch_norm(
            input, weight, bias, running_mean, running_var, training, momentum, eps
        )
"""


@pytest.mark.framework
def test_an_operator_of_aten_alone_is_differentiated_by_torch(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, TORCH, "my_native_batch_norm")
    assert adapter.capabilities.saved_statistics == {"forward"}
    assert_right(adapter, "saved/*", least=10)
