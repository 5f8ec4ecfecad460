"""Whose arrays code works on, where a module imports several libraries: after what the code itself uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right, code_in

from bn_adapters.wrappers.reading.library import library_of
from bn_conformance.targets.loading import module_of
from bn_conformance.targets.recognition import kinds_of

pytestmark = pytest.mark.framework

MIXED = """
    import numpy as np
    import torch
    import jax.numpy as jnp

    def root(value):
        return np.sqrt(value)

    def torch_root(value):
        return torch.sqrt(value)

    def by_numpy(x, gamma, beta, eps=1e-5):
        return gamma * (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + eps) + beta

    def by_a_helper(x, gamma, beta, eps=1e-5):
        return gamma * (x - x.mean(0)) / root(x.var(0) + eps) + beta

    def by_torch_and_prod(x, gamma, beta, eps=1e-5):
        count = np.prod(x.shape) / x.shape[1]
        mean = x.sum(0) / count
        return gamma * (x - mean) / torch.sqrt(((x - mean) ** 2).sum(0) / count + eps) + beta

    def by_methods_and_prod(x, gamma, beta, eps=1e-5):
        count = int(np.prod(x.shape)) // x.shape[1]
        mean = x.sum(0, keepdim=True) / count
        return gamma * (x - mean) * (((x - mean) ** 2).sum(0, keepdim=True) / count + eps).rsqrt() + beta

    def by_prod_alone(x, gamma, beta, eps=1e-5):
        return gamma * (x - x.mean(0)) / (((x - x.mean(0)) ** 2).sum(0) / np.prod(x.shape[:1]) + eps) ** 0.5 + beta

    def by_a_torch_helper(x, gamma, beta, eps=1e-5):
        return gamma * (x - x.mean(0)) / torch_root(x.var(0, False) + eps) + beta

    def by_its_annotation(x: "np.ndarray", gamma, beta, eps=1e-5):
        return gamma * (x - x.mean(0)) / (x.var(0) + eps) ** 0.5 + beta

    def by_jax(x, gamma, beta, eps=1e-5):
        return gamma * (x - jnp.mean(x, 0)) / jnp.sqrt(jnp.var(x, 0) + np.float32(eps)) + beta

    class ByNumpy:
        def __init__(self, channels):
            self.gamma = np.ones(channels)

        def forward(self, x):
            return self.gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)

    class Thin(torch.nn.BatchNorm2d):
        def forward(self, x):
            assert np.ndim(x) == 4
            return super().forward(x)
"""

LIBRARIES = {
    "by_numpy": "numpy",
    "by_a_helper": "numpy",
    "by_torch_and_prod": "torch",
    "by_methods_and_prod": "torch",
    "by_prod_alone": "torch",
    "by_a_torch_helper": "torch",
    "by_its_annotation": "numpy",
    "by_jax": "jax",
    "ByNumpy": "numpy",
    "Thin": "torch",
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_the_code_itself_uses_decides(tmp_path: Path, name: str) -> None:
    module = module_of(code_in(tmp_path, MIXED))
    assert library_of(getattr(module, name)) == LIBRARIES[name]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("by_numpy", "numpy-functions"),
        ("by_methods_and_prod", "torch-functions"),
        ("by_jax", "jax-functions"),
        ("ByNumpy", "numpy-class"),
        ("Thin", "torch-module"),
    ],
)
def test_code_beside_another_library_is_of_one_kind(tmp_path: Path, name: str, kind: str) -> None:
    module = module_of(code_in(tmp_path, MIXED))
    assert kinds_of(getattr(module, name)) == (kind,)


def test_numpy_code_beside_torch_is_judged(tmp_path: Path) -> None:
    assert_right(adapter_from(tmp_path, MIXED, "by_a_helper"), least=1)
