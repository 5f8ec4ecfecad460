"""NumPy functions with arguments of any order and name, state in any form, with a backward or without."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.wrapped_code import adapter_from, assert_right, code_in, judged, said_of

from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError

IN_A_DICTIONARY = """
    import numpy as np

    def normalise(scale, shift, inputs, ra_mean, ra_var, is_test=False, decay=0.75, epsilon=0.001):
        if len(inputs) == 0:
            raise ValueError("nothing to normalise")
        mu, sigma2 = (ra_mean, ra_var) if is_test else (inputs.mean(0), inputs.var(0))
        root = np.sqrt(sigma2 + epsilon)
        hat = (inputs - mu) / root
        n = len(inputs)
        if not is_test:
            ra_mean = decay * ra_mean + (1 - decay) * mu
            ra_var = decay * ra_var + (1 - decay) * sigma2 * n / (n - 1)
        memory = hat, root, scale, is_test
        return {"moving_var": ra_var, "result": hat * scale + shift, "memory": memory, "moving_mean": ra_mean}

    def normalise_backward(memory, upstream):
        hat, root, scale, is_test = memory
        grads = {"shift": upstream.sum(0), "scale": (upstream * hat).sum(0)}
        inner = upstream * scale
        if not is_test:
            inner = inner - inner.mean(0) - hat * (inner * hat).mean(0)
        return {**grads, "d": inner / root}
"""

SPATIAL = """
    import numpy as np

    def flat_forward(x, gamma, beta, eps):
        mean, var = x.mean(axis=0), x.var(axis=0)
        hat = (x - mean) / np.sqrt(var + eps)
        return gamma * hat + beta, (hat, gamma, var + eps), mean, var

    def spatial_bn_forward(x, gamma, beta, params):
        n, c, h, w = x.shape
        flat = x.transpose(0, 2, 3, 1).reshape(-1, c)
        eps, momentum = params.get("eps", 1e-4), params.get("momentum", 0.9)
        mean = params.setdefault("running_mean", np.zeros(c, x.dtype))
        var = params.setdefault("running_var", np.zeros(c, x.dtype))
        if params["mode"] == "train":
            out, cache, batch_mean, batch_var = flat_forward(flat, gamma, beta, eps)
            params["running_mean"] = momentum * mean + (1 - momentum) * batch_mean
            params["running_var"] = momentum * var + (1 - momentum) * batch_var
        elif params["mode"] == "test":
            out, cache = gamma * (flat - mean) / np.sqrt(var + eps) + beta, None
        else:
            raise ValueError(params["mode"])
        return out.reshape(n, h, w, c).transpose(0, 3, 1, 2), cache

    def spatial_bn_backward(dout, cache):
        hat, gamma, var = cache
        n, c, h, w = dout.shape
        flat = dout.transpose(0, 2, 3, 1).reshape(-1, c)
        inner = flat * gamma
        dx = (inner - inner.mean(0) - hat * (inner * hat).mean(0)) / np.sqrt(var)
        return dx.reshape(n, h, w, c).transpose(0, 3, 1, 2), (flat * hat).sum(0), flat.sum(0)
"""

NAMELESS = """
    import numpy as np

    def bn(t, p, q, r, s, flag):
        if flag:
            r, s = t.mean(0), t.var(0)
        return (t - r) / np.sqrt(s + 0.002) * q + p
"""

KERNEL = """
    import numpy as np

    def bn_kernel(x, out, gamma, beta, N, C, eps):
        rows = x.reshape(N, C)
        out[...] = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + eps) * gamma + beta
"""

LAST = """
    import numpy as np

    def bn_last(x, gamma, beta, state, train=True):
        axes = tuple(range(x.ndim - 1))
        mean, var = (x.mean(axes), x.var(axes)) if train else (state["mean"], state["var"])
        if train:
            state = {"mean": 0.9 * state["mean"] + 0.1 * mean, "var": 0.9 * state["var"] + 0.1 * var}
        return (x - mean) / np.sqrt(var + 1e-5) * gamma + beta, state
"""


def test_any_order_and_names_and_results_in_a_dictionary(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, IN_A_DICTIONARY, "normalise")
    assert adapter.convention.default_eps == 1e-3
    assert (adapter.convention.momentum_weighs, adapter.convention.default_momentum) == ("old", 0.75)
    assert adapter.convention.running_variance == "unbiased"
    assert adapter.capabilities.gradients == {"training", "inference"}
    assert "gamma: scale" in said_of(adapter)
    assert "mode: is_test is False in training and True in inference" in said_of(adapter)
    assert_right(adapter)


def test_a_spatial_pair_with_a_dictionary(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, SPATIAL, "spatial_bn_forward")
    assert (set(adapter.capabilities.ranks), set(adapter.capabilities.layouts)) == ({4}, {"first"})
    assert adapter.convention.initial_running_variance == 0.0
    assert "running mean: params['running_mean']; after a step in place" in said_of(adapter)
    assert_right(adapter)


def test_names_that_say_nothing_are_told_apart_by_what_they_do(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, NAMELESS, "bn")
    for line in ("gamma: q", "beta: p", "running mean: r", "running variance: s", "mode: flag"):
        assert line in said_of(adapter)
    assert adapter.convention.default_eps == 0.002
    assert_right(adapter, "fwd/nc/*", "eval/nc/*", least=4)


def test_a_kernel_that_writes_its_output_is_judged_on_its_forward(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, KERNEL, "bn_kernel")
    can = adapter.capabilities
    assert (set(can.modes), can.statistics, set(can.gradients)) == ({"training"}, False, set())
    assert "gradients: none, so that the forward alone is judged" in said_of(adapter)
    assert_right(adapter, "fwd/nc/*/random", "fwd/nc/*/eps-*", least=2)


def test_state_that_comes_back_in_a_new_dictionary(tmp_path: Path) -> None:
    adapter = adapter_from(tmp_path, LAST, "bn_last")
    assert adapter.capabilities.layouts == {"last"}
    assert adapter.capabilities.literals == {"eps", "momentum"}
    assert adapter.convention.default_momentum == 0.9
    assert_right(adapter, "fwd/nhwc/*/random", "eval/nhwc/*/random", "stat/nhwc/*/first-step", least=3)


def test_the_first_batch_may_set_the_statistics(tmp_path: Path) -> None:
    text = """
    import numpy as np

    def bn(x, gamma, beta, cache=None, train=True):
        mean, var = x.mean(0), x.var(0)
        old = (mean, var) if cache is None else cache
        if train:
            moved = 0.5 * old[0] + 0.5 * mean, 0.5 * old[1] + 0.5 * var
        else:
            (mean, var), moved = old, old
        return (x - mean) / np.sqrt(var + 0.002) * gamma + beta, moved
    """
    adapter = adapter_from(tmp_path, text, "bn")
    assert "the first batch sets the statistics" in said_of(adapter)
    assert_right(adapter, "fwd/*/random", "stat/*/first-step", "eval/*/random", least=3)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ("np.maximum(y, 0)", "batch normalisation and ReLU in one"),
        ("np.tanh(y)", "batch normalisation and tanh in one"),
    ],
)
def test_what_is_fused_is_named(tmp_path: Path, after: str, message: str) -> None:
    text = f"""
    import numpy as np

    def bn_act(x, gamma, beta):
        y = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * gamma + beta
        return {after}
    """
    with pytest.raises(TargetError, match=message) as caught:
        adapter_from(tmp_path, text, "bn_act")
    assert "\n" not in str(caught.value)


def test_a_relative_is_named(tmp_path: Path) -> None:
    text = """
    import numpy as np

    def instance_norm(x, gamma, beta):
        mean, var = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
        return (x - mean) / np.sqrt(var + 1e-5) * gamma[:, None, None] + beta[:, None, None]
    """
    with pytest.raises(TargetError, match="is instance normalisation"):
        adapter_from(tmp_path, text, "instance_norm")


def test_a_mistake_is_judged_and_not_refused(tmp_path: Path) -> None:
    wrong = IN_A_DICTIONARY.replace("- hat * (inner * hat).mean(0)", "")
    items = judged(adapter_from(tmp_path, wrong, "normalise"), "grad/nc/float32/random", "fwd/nc/float32/random")
    assert {item.case: item.verdict for item in items} == {
        "fwd/nc/float32/random": "pass",
        "grad/nc/float32/random": "fail",
    }


def test_what_is_needed_and_unknown_is_asked_for_in_a_line(tmp_path: Path) -> None:
    text = "def bn(x, gamma, beta, mean, var, eps, momentum, training, colour, shape): ..."
    with pytest.raises(TargetError, match="needs colour, shape, of which the role is not known"):
        load_adapter(code_in(tmp_path, text, "bn"))


def test_an_argument_and_a_role_can_be_said(tmp_path: Path) -> None:
    text = """
    import numpy as np

    def bn(x, gamma, beta, alpha, places, decimals=None):
        assert places == (0,) and decimals == 7
        return (x - x.mean(places)) / np.sqrt(x.var(places) + alpha) * gamma + beta
    """
    said = "bn+name.eps=alpha+argument.places=(0,)+argument.decimals=7"
    adapter = adapter_from(tmp_path, text, said)
    assert "eps: alpha (no default)" in said_of(adapter)
    assert_right(adapter, "fwd/nc/*", least=4)
