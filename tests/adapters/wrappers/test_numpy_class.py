"""NumPy classes: the mode, parameters, statistics and gradients wherever they are, under any name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right, code_in, judged, said_of

import bnconform
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError

IN_DICTIONARIES = """
    import numpy as np

    class BatchNorm1D:
        def __init__(self, n_features, rho=0.8, is_training=True):
            self.params = {"scale": np.ones(n_features), "offset": np.zeros(n_features)}
            self.grads = {}
            self.buffers = {"moving_avg_mean": np.zeros(n_features), "moving_avg_var": np.ones(n_features)}
            self.is_training, self.rho, self.epsilon = is_training, rho, 1e-4

        def __call__(self, z):
            mean, var = self.buffers["moving_avg_mean"], self.buffers["moving_avg_var"]
            if self.is_training:
                if len(z) < 2:
                    raise ValueError("one sample has no variance")
                mean, var = z.mean(0), z.var(0)
                old, new, n = self.rho, 1 - self.rho, len(z)
                self.buffers["moving_avg_mean"] = old * self.buffers["moving_avg_mean"] + new * mean
                self.buffers["moving_avg_var"] = old * self.buffers["moving_avg_var"] + new * var * n / (n - 1)
            self.root = np.sqrt(var + self.epsilon)
            self.hat = (z - mean) / self.root
            return self.params["scale"] * self.hat + self.params["offset"]

        def backward(self, dz):
            self.grads["offset"], self.grads["scale"] = dz.sum(0), (dz * self.hat).sum(0)
            inner = dz * self.params["scale"]
            if self.is_training:
                inner = inner - inner.mean(0) - self.hat * (inner * self.hat).mean(0)
            return inner / self.root
"""

WITH_SWITCHES = """
    import numpy as np

    class BatchNorm:
        def __init__(self, dim, eps=1e-5, momentum=0.1):
            shape = (1, dim, 1, 1)
            self.eps, self.momentum = eps, momentum
            self.weight, self.bias = np.ones(shape, np.float32), np.zeros(shape, np.float32)
            self.ra_mean, self.ra_var = np.zeros(shape, np.float32), np.ones(shape, np.float32)
            self.learning = True

        def train(self):
            self.learning = True

        def eval(self):
            self.learning = False

        def forward(self, x):
            mean, var = self.ra_mean, self.ra_var
            if self.learning:
                mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
                self.ra_mean = (1 - self.momentum) * self.ra_mean + self.momentum * mean
                self.ra_var = (1 - self.momentum) * self.ra_var + self.momentum * var
            return (x - mean) / np.sqrt(var + self.eps) * self.weight + self.bias
"""

STRANGE = """
    import numpy as np

    class Norm:
        def __init__(self, features):
            self.first, self.second = np.zeros(features), np.ones(features)
            self.third, self.fourth = np.ones(features), np.zeros(features)

        def forward(self, x, mode="train"):
            if mode == "train":
                mean, var = x.mean(0), x.var(0)
                self.fourth = 0.95 * self.fourth + 0.05 * mean
                self.third = 0.95 * self.third + 0.05 * var
            else:
                mean, var = self.fourth, self.third
            return (x - mean) / np.sqrt(var + 1e-3) * self.second + self.first
"""


def test_parameters_statistics_and_gradients_in_dictionaries(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, IN_DICTIONARIES, "BatchNorm1D")
    assert adapter.capabilities.gradients == {"training", "inference"}
    assert adapter.capabilities.literals == frozenset()
    assert (adapter.convention.default_eps, adapter.convention.default_momentum) == (1e-4, 0.8)
    assert adapter.convention.running_variance == "unbiased"
    for line in ("gamma: self.params['scale']", "dbeta self.grads['offset']", "mode: self.is_training is True"):
        assert line in said_of(adapter)
    assert_right(adapter)


def test_methods_set_the_mode_and_shapes_broadcast(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, WITH_SWITCHES, "BatchNorm")
    assert (set(adapter.capabilities.ranks), set(adapter.capabilities.gradients)) == ({4}, set())
    assert (adapter.convention.momentum_weighs, adapter.convention.default_momentum) == ("new", 0.1)
    assert_right(adapter)


def test_names_that_say_nothing_are_told_apart_by_what_they_do(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, STRANGE, "Norm")
    for line in ("gamma: self.second", "beta: self.first", "running mean: self.fourth", "running variance: self.third"):
        assert line in said_of(adapter)
    assert adapter.capabilities.literals == {"eps", "momentum"}
    assert (adapter.convention.default_eps, adapter.convention.default_momentum) == (1e-3, 0.95)
    assert_right(adapter, "fwd/nc/*", "eval/nc/*", "stat/nc/*/first-step")


def test_a_mistake_is_judged(tmp_path: Path) -> None:
    text = IN_DICTIONARIES.replace("self.root = np.sqrt(var + self.epsilon)", "self.root = np.sqrt(var) + self.epsilon")
    items = judged(adapter_from(tmp_path, text, "BatchNorm1D"), "fwd/nc/float32/random")
    assert [item.verdict for item in items] == ["fail"]


def test_statistics_that_the_first_batch_sets_are_named(tmp_path: Path) -> None:
    text = """
    import numpy as np

    class Norm:
        def __init__(self, gamma, beta):
            self.gamma, self.beta, self.means, self.vars = gamma, beta, None, None

        def forward(self, x, test=False):
            if test:
                return self.gamma * (x - self.means) / np.sqrt(self.vars + 1e-5) + self.beta
            mean, var = x.mean(0), x.var(0)
            if self.means is None:
                self.means, self.vars = mean, var
            self.means, self.vars = 0.5 * self.means + 0.5 * mean, 0.5 * self.vars + 0.5 * var
            return self.gamma * (x - mean) / np.sqrt(var + 1e-5) + self.beta
    """
    adapter = adapter_from(tmp_path, text, "Norm")
    assert "the first batch sets the statistics" in said_of(adapter)
    assert_right(adapter, "stat/nc/*/first-step", least=1)


def test_what_the_constructor_needs_can_be_said(tmp_path: Path) -> None:
    text = STRANGE.replace("(self, features)", "(self, features, colour)")
    with pytest.raises(TargetError, match="Norm needs colour; say what they are: --argument colour=VALUE"):
        adapter_from(tmp_path, text, "Norm")
    adapter = load_adapter(code_in(tmp_path, text, "Norm+argument.colour=red"))
    assert_right(adapter, "fwd/nc/*/random", least=1)


def test_a_class_of_this_program_is_judged() -> None:
    verdict = bnconform.check(Scaled, cases="fwd/nc/float32/random")
    assert [case.outcome for case in verdict.results.items if case.outcome != "unsupported"] == ["tight"]


class Scaled:
    def __init__(self, channels: int) -> None:
        import numpy as np

        self.gamma, self.beta = np.ones(channels), np.zeros(channels)

    def forward(self, x):  # type: ignore[no-untyped-def]
        import numpy as np

        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * self.gamma + self.beta
