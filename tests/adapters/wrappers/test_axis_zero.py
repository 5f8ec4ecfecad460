"""Functions of x with its channels on axis 0: read and judged with axes 0 and 1 swapped."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right, judged

from bn_conformance.targets.naming import TargetError

CODE = """
    import numpy as np

    def bn_columns(x, gamma, beta, eps=1e-5):
        mu = np.mean(x, axis=1, keepdims=True)
        return gamma * (x - mu) / np.sqrt(np.var(x, axis=1, keepdims=True) + eps) + beta

    def bn_rows_forward(x, gamma, beta, running_mean, running_var, training, momentum=0.9, eps=1e-5):
        axes, shape = tuple(range(1, x.ndim)), (-1,) + (1,) * (x.ndim - 1)
        if training:
            m, v = x.mean(axes), x.var(axes)
            running_mean = momentum * running_mean + (1 - momentum) * m
            running_var = momentum * running_var + (1 - momentum) * v
        else:
            m, v = running_mean, running_var
        std = np.sqrt(v + eps).reshape(shape)
        xhat = (x - m.reshape(shape)) / std
        cache = xhat, std, gamma.reshape(shape), axes, training
        return gamma.reshape(shape) * xhat + beta.reshape(shape), cache, running_mean, running_var

    def bn_rows_backward(dout, cache):
        xhat, std, gamma, axes, training = cache
        g = dout * gamma
        if training:
            g = g - g.mean(axes, keepdims=True) - xhat * (g * xhat).mean(axes, keepdims=True)
        return g / std, (dout * xhat).sum(axes), dout.sum(axes)

    def normalise_rows(x, gamma, beta, eps=1e-5):
        return gamma * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps) + beta
"""


@pytest.mark.parametrize(("name", "ranks"), [("bn_columns", {2}), ("bn_rows_forward", {2, 3, 4, 5})])
def test_channels_on_axis_0_are_judged_and_said(tmp_path: Path, name: str, ranks: set[int]) -> None:
    adapter = adapter_from(tmp_path, CODE, name)
    assert adapter.capabilities.ranks == ranks
    assert any(note.startswith("channels on axis 0: axes 0 and 1") for note in adapter.notes)  # type: ignore[attr-defined]
    assert_right(adapter, least=1)


def test_a_pair_has_its_gradients_and_statistics_judged(tmp_path: Path) -> None:
    can = adapter_from(tmp_path, CODE, "bn_rows_forward").capabilities
    assert can.gradients == {"training", "inference"}
    assert can.statistics
    assert_right(adapter_from(tmp_path, CODE, "bn_rows_forward"), "grad/*/random", "stat/*/first-step", least=4)


def test_without_a_name_that_says_batch_normalisation_means_of_each_sample_stay_layer_normalisation(
    tmp_path: Path,
) -> None:
    with pytest.raises(TargetError, match="normalise_rows is layer normalisation"):
        adapter_from(tmp_path, CODE, "normalise_rows")


NUMPY_CLASS = """
    import numpy as np

    class {name}:
        def __init__(self, channels, momentum=0.9, eps=1e-5):
            self.gamma, self.beta = np.ones((channels, 1)), np.zeros((channels, 1))
            self.running_mean, self.running_var = np.zeros((channels, 1)), np.ones((channels, 1))
            self.momentum, self.eps = momentum, eps

        def forward(self, x, training=True):
            mean, var = self.running_mean, self.running_var
            if training:
                mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
                self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
                self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            self.training, self.std = training, np.sqrt(var + self.eps)
            self.xhat = (x - mean) / self.std
            return self.gamma * self.xhat + self.beta

        def backward(self, dout):
            self.dgamma, self.dbeta = (dout * self.xhat).sum(1, keepdims=True), dout.sum(1, keepdims=True)
            g = dout * self.gamma
            if self.training:
                g = g - g.mean(1, keepdims=True) - self.xhat * (g * self.xhat).mean(1, keepdims=True)
            return g / self.std
"""

TORCH_CLASS = """
    import torch

    class Rows(torch.nn.Module):
        def __init__(self, channels, eps=1e-5, momentum=0.1):
            super().__init__()
            self.eps, self.momentum = eps, momentum
            self.weight = torch.nn.Parameter(torch.ones(channels))
            self.bias = torch.nn.Parameter(torch.zeros(channels))
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

        def forward(self, x):
            shape = (-1, *[1] * (x.dim() - 1))
            mean, var = self.running_mean, self.running_var
            if self.training:
                var, mean = torch.var_mean(x, list(range(1, x.dim())), correction=0)
                with torch.no_grad():
                    count = x.numel() // x.shape[0]
                    self.running_mean += self.momentum * (mean - self.running_mean)
                    self.running_var += self.momentum * (var * count / (count - 1) - self.running_var)
            y = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + self.eps)
            return y * self.weight.view(shape) + self.bias.view(shape)
"""


def test_a_class_on_numpy_arrays(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, NUMPY_CLASS.format(name="Rows"), "Rows")
    assert any("channels on axis 0" in note for note in adapter.notes)  # type: ignore[attr-defined]
    assert adapter.capabilities.gradients == {"training", "inference"}
    assert_right(adapter, "fwd/nc/*/random", "eval/nc/*/random", "stat/nc/*/first-step", "grad/nc/*/random", least=4)


def test_a_mistake_in_a_class_with_its_channels_on_axis_0_is_seen(tmp_path: Path) -> None:
    wrong = NUMPY_CLASS.format(name="Rows").replace(" - self.xhat * (g * self.xhat).mean(1, keepdims=True)", "")
    items = judged(adapter_from(tmp_path, wrong, "Rows"), "grad/nc/float32/random", "fwd/nc/float32/random")
    assert {item.case: item.verdict for item in items} == {
        "grad/nc/float32/random": "fail",
        "fwd/nc/float32/random": "pass",
    }


@pytest.mark.framework
def test_a_torch_module(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, TORCH_CLASS, "Rows")
    assert any("channels on axis 0" in note for note in adapter.notes)  # type: ignore[attr-defined]
    assert adapter.capabilities.ranks == {2, 3, 4, 5}
    assert_right(adapter, "fwd/*/random", "eval/*/random", "stat/*/first-step", "grad/*/random", least=8)
