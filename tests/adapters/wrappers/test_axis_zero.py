"""Functions of x with its channels on axis 0: read and judged with axes 0 and 1 swapped."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right

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
