"""What batch normalisation is not quite: judged where it can be made that, else said by its name in a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right, code_in, outcome_of

from bn_conformance.targets.naming import TargetError

FUNCTIONS = """
    import numpy as np

    def plain(x, gamma, beta, eps):
        return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta

    def bn_add(x, skip, gamma, beta, eps=1e-5):
        return plain(x, gamma, beta, eps) + skip

    def bn_add_relu(x, z, gamma, beta, eps=1e-5):
        return np.maximum(plain(x, gamma, beta, eps) + z, 0)

    def batch_renorm(x, gamma, beta, running_mean, running_var, rmax=3.0, dmax=5.0, eps=1e-5, momentum=0.99):
        mean, root = x.mean(0), np.sqrt(x.var(0) + eps)
        old = np.sqrt(running_var + eps)
        r, d = np.clip(root / old, 1 / rmax, rmax), np.clip((mean - running_mean) / old, -dmax, dmax)
        running_mean += (1 - momentum) * (mean - running_mean)
        running_var += (1 - momentum) * (x.var(0) - running_var)
        return gamma * ((x - mean) / root * r + d) + beta

    def renorm_of_literals(x, gamma, beta, running_mean, running_var, eps=1e-5, momentum=0.99):
        return batch_renorm(x, gamma, beta, running_mean, running_var, 3.0, 5.0, eps, momentum)

    def rms_norm(x, gamma, eps=1e-5):
        return gamma * x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)

    def layernorm_forward(x, gamma, beta, ln_param):
        return plain(x.T, gamma[:, None], beta[:, None], ln_param["eps"]).T, None

    def spatial_norm(x, gamma, beta, G, eps=1e-5):
        groups = x.reshape(len(x), G, -1)
        groups = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + eps)
        return groups.reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]

    def bn_of_six(x, gamma, beta, eps=1e-5):
        if x.ndim != 6:
            raise ValueError("x has six axes")
        rows = np.moveaxis(x, 1, -1)
        flat = plain(rows.reshape(-1, x.shape[1]), gamma, beta, eps)
        return np.moveaxis(flat.reshape(rows.shape), -1, 1)

    def bn_of_one(x, eps=1e-5):
        if x.ndim != 1:
            raise ValueError("x is a vector")
        return (x - x.mean()) / np.sqrt(x.var() + eps)

    class Renorm:
        def __init__(self, channels, eps=1e-3, momentum=0.9, r_max=3.0, d_max=5.0):
            self.gamma, self.beta = np.ones(channels), np.zeros(channels)
            self.running_mean, self.running_var = np.zeros(channels), np.ones(channels)
            self.eps, self.momentum, self.r_max, self.d_max = eps, momentum, r_max, d_max

        def forward(self, x, residual, training=True):
            old = np.sqrt(self.running_var + self.eps)
            if not training:
                return self.gamma * (x - self.running_mean) / old + self.beta + residual
            mean, root = x.mean(0), np.sqrt(x.var(0) + self.eps)
            r = np.clip(root / old, 1 / self.r_max, self.r_max)
            d = np.clip((mean - self.running_mean) / old, -self.d_max, self.d_max)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * x.var(0)
            return self.gamma * ((x - mean) / root * r + d) + self.beta + residual
"""

CLASSES = """
    import numpy as np

    class Stabiliser:
        def __init__(self, channels, eps=1e-3, momentum=0.9):
            self.gamma, self.beta = np.ones(channels), np.zeros(channels)
            self.running_mean, self.running_var = np.zeros(channels), np.ones(channels)
            self.eps, self.momentum = eps, momentum

        def forward(self, x, training=True):
            old = np.sqrt(self.running_var + self.eps)
            if not training:
                return self.gamma * (x - self.running_mean) / old + self.beta
            mean, root = x.mean(0), np.sqrt(x.var(0) + self.eps)
            r, d = np.clip(root / old, 1 / 4.0, 4.0), np.clip((mean - self.running_mean) / old, -2.0, 2.0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * x.var(0)
            return self.gamma * ((x - mean) / root * r + d) + self.beta

    class OfActivations:
        def __init__(self, channels, height, width, eps=1e-5):
            self.gamma, self.beta = np.ones((channels, height, width)), np.zeros((channels, height, width))
            self.eps = eps

        def forward(self, x):
            return self.gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + self.eps) + self.beta

    class OfTwoAxes:
        def __init__(self, channels, groups=2, eps=1e-5):
            self.gamma, self.beta, self.eps = np.ones((channels, groups)), np.zeros((channels, groups)), eps

        def forward(self, x):
            return self.gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + self.eps) + self.beta

    class OfSix:
        def __init__(self, channels, eps=1e-5):
            self.gamma, self.beta, self.eps = np.ones(channels), np.zeros(channels), eps

        def forward(self, x):
            if x.ndim != 6:
                raise ValueError("x has six axes")
            axes, shape = (0, 2, 3, 4, 5), (1, -1, 1, 1, 1, 1)
            xhat = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + self.eps)
            return self.gamma.reshape(shape) * xhat + self.beta.reshape(shape)
"""
CLASSES_NAMED = {
    "Stabiliser": r"is batch renormalisation with limits that are no arguments, r_max=4 and d_max=2 \(measured\)",
    "OfActivations": "is built from channels, height, width, so that it has a value for each activation",
    "OfTwoAxes": r"has self.gamma of shape \(3, 2\), a value for each activation or for several axes of channels",
    "OfSix": "takes x of rank 6, and none of rank 2 to 5",
}


@pytest.mark.parametrize("name", CLASSES_NAMED)
def test_a_class_that_cannot_be_judged_is_named_in_a_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError, match=CLASSES_NAMED[name]) as caught:
        adapter_from(tmp_path, CLASSES, name)
    assert "\n" not in str(caught.value)


ADDED = "given as zeros, so that y is that of batch normalisation"
JUDGED = {
    "bn_add": f"residual: skip, {ADDED}",
    "batch_renorm": "judged with rmax=1 and dmax=0, where it is batch normalisation; r and d are not judged",
    "Renorm": f"judged with r_max=1 and d_max=0, where .*; residual: residual, {ADDED}",
}


@pytest.mark.parametrize("name", JUDGED)
def test_what_can_be_made_batch_normalisation_is_judged_and_said(tmp_path: Path, name: str) -> None:
    adapter = adapter_from(tmp_path, FUNCTIONS, name)
    assert any(re.search(JUDGED[name], note) for note in adapter.notes), adapter.notes  # type: ignore[attr-defined]
    assert_right(adapter, least=1)


NAMED = {
    "bn_add_relu": "is batch normalisation and ReLU in one",
    "renorm_of_literals": "is batch renormalisation, by its name",
    "rms_norm": "is RMS normalisation",
    "layernorm_forward": "is layer normalisation, by its name",
    "spatial_norm": "is group normalisation, by its argument G",
    "bn_of_six": "takes x of rank 6, and none of rank 2 to 5, .* gives it x of rank 4 reshaped to rank 6",
    "bn_of_one": r"takes x of rank 1, and none of rank 2 to 5, .* gives it x of shape \(N, 1\) by x\[:, 0\]",
}


@pytest.mark.parametrize("name", NAMED)
def test_what_cannot_be_judged_is_named_in_a_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError, match=NAMED[name]) as caught:
        adapter_from(tmp_path, FUNCTIONS, name)
    assert "\n" not in str(caught.value)


MODULES = """
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Added(nn.BatchNorm2d):
        def forward(self, x, shortcut):
            return super().forward(x) + shortcut

    class Six(nn.BatchNorm1d):
        def forward(self, x):
            if x.dim() != 6:
                raise ValueError("x has six axes")
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training)

    class Square(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(dim))

        def forward(self, x):
            return self.gain * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)

    class Grouped(nn.GroupNorm):
        def __init__(self, groups, channels):
            super().__init__(groups, channels)

    class Renorm(nn.Module):
        def __init__(self, channels, eps=1e-3, momentum=0.05, r_max=3.0, d_max=5.0):
            super().__init__()
            self.limits, self.eps, self.momentum = (r_max, d_max), eps, momentum
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

        def forward(self, x):
            shape, (r_max, d_max) = (1, -1, *[1] * (x.dim() - 2)), self.limits
            old = torch.sqrt(self.running_var + self.eps)
            mean, root, r, d = self.running_mean, old, torch.ones_like(old), torch.zeros_like(old)
            if self.training:
                var, mean = torch.var_mean(x, [axis for axis in range(x.dim()) if axis != 1], correction=0)
                root = torch.sqrt(var + self.eps)
                r = (root.detach() / old).clamp(1 / r_max, r_max)
                d = ((mean.detach() - self.running_mean) / old).clamp(-d_max, d_max)
                with torch.no_grad():
                    self.running_mean += self.momentum * (mean - self.running_mean)
                    count = x.numel() // x.shape[1]
                    self.running_var += self.momentum * (var * count / (count - 1) - self.running_var)
            scaled = (x - mean.view(shape)) / root.view(shape) * r.view(shape) + d.view(shape)
            return scaled * self.weight.view(shape) + self.bias.view(shape)
"""

MODULES += """
    class Literal(nn.BatchNorm1d):
        def forward(self, x):
            shape = (1, -1, *[1] * (x.dim() - 2))
            old = torch.sqrt(self.running_var + self.eps)
            if not self.training:
                mean, scale, shift = self.running_mean, 1 / old, torch.zeros_like(old)
            else:
                var, mean = torch.var_mean(x, [axis for axis in range(x.dim()) if axis != 1], correction=0)
                root = torch.sqrt(var + self.eps)
                scale = (root.detach() / old).clamp(1 / 3, 3) / root
                shift = ((mean.detach() - self.running_mean) / old).clamp(-5, 5)
                with torch.no_grad():
                    self.running_mean.lerp_(mean, self.momentum)
                    self.running_var.lerp_(var, self.momentum)
            y = (x - mean.view(shape)) * scale.view(shape) + shift.view(shape)
            return y * self.weight.view(shape) + self.bias.view(shape)

    class OfActivations(nn.Module):
        def __init__(self, channels, size=(8, 8)):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(channels, *size))

        def forward(self, x):
            var, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
            return (x - mean) * torch.rsqrt(var + 1e-5) * self.weight
"""

MODULES_JUDGED = {"Added": f"residual: shortcut, {ADDED}", "Renorm": "judged with r_max=1 and d_max=0"}


@pytest.mark.framework
@pytest.mark.parametrize("name", MODULES_JUDGED)
def test_a_module_that_can_be_made_batch_normalisation_is_judged(tmp_path: Path, name: str) -> None:
    target = code_in(tmp_path, MODULES, name)
    notes = adapter_from(tmp_path, MODULES, name).notes  # type: ignore[attr-defined]
    assert any(MODULES_JUDGED[name] in note for note in notes), notes
    _, count, failures = outcome_of(target)
    assert not failures
    assert count > 8


@pytest.mark.framework
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Six", "takes x of rank 6, and none of rank 2 to 5"),
        ("Square", "is RMS normalisation"),
        ("Grouped", "is group normalisation, by its argument groups"),
        ("Literal", r"is batch renormalisation with limits that are no arguments, r_max=3 and d_max=5 \(measured\)"),
        ("OfActivations", r"has weight of shape \(3, 8, 8\), a value for each activation"),
    ],
)
def test_a_module_that_cannot_be_judged_is_named_in_a_line(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(TargetError, match=said) as caught:
        adapter_from(tmp_path, MODULES, name)
    assert "\n" not in str(caught.value)
