"""Linen classes under any names, with literals, and without 64 bits that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.own_process import process_with
from tests.support.wrapped_code import code_in, outcome_of

from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_conformance.targets.loading import load_adapter

pytestmark = [pytest.mark.framework, pytest.mark.slow]

OTHER_NAMES = """
    import flax.linen as nn
    import jax.numpy as jnp

    class Norm(nn.Module):
        dtype: type = jnp.float32

        @nn.compact
        def __call__(self, x, train=True):
            c, axes = x.shape[-1], tuple(range(x.ndim - 1))
            gamma = self.param("gamma", nn.initializers.ones, (c,))
            beta = self.param("beta", nn.initializers.zeros, (c,))
            moving_mean = self.variable("state", "moving_mean", jnp.zeros, (c,), jnp.float32)
            moving_var = self.variable("state", "moving_var", jnp.ones, (c,), jnp.float32)
            mean, var = (x.mean(axes), x.var(axes)) if train else (moving_mean.value, moving_var.value)
            if train and not self.is_initializing():
                moving_mean.value = 0.97 * moving_mean.value + 0.03 * mean
                moving_var.value = 0.97 * moving_var.value + 0.03 * var
            return ((x - mean) / jnp.sqrt(var + 3e-4) * gamma + beta).astype(self.dtype)
"""


def test_names_and_literals_are_found_and_formats_are_those_of_the_class(tmp_path: Path) -> None:
    cases = [f"{family}/nhwc/*/random" for family in ("fwd", "eval", "grad")]
    with process_with(JAX_ENVIRONMENT) as call:
        target = f"flax-module={code_in(tmp_path, OTHER_NAMES, 'Norm')}"
        said, count, failing = call(outcome_of, target, *cases, "stat/nhwc/*/first-step")
    assert failing == ""
    assert count == 4
    assert "eps: a literal in the code, 0.0003\nmomentum: a literal in the code, 0.97" in said
    assert "gamma: params/gamma, by its name\nbeta: params/beta, by its name" in said
    assert "running variance: state/moving_var, by its name" in said
    assert "formats float32;" in said


NEEDS_VALUES = "float(x.sum())"
NO_IMAGES = "assert x.ndim in (2, 3), 'rows alone'"


def said_of(target: str) -> str:
    return "\n".join(load_adapter(target).notes)  # type: ignore[attr-defined]


def calls_while_read(target: str) -> tuple[str, list[tuple[int, bool]]]:
    """What is said of a class that notes its calls, and these: the rank of x, and whether it had values."""
    import sys

    said = said_of(target)
    (module,) = [module for name, module in sys.modules.items() if name.startswith("bnconform_target_")]
    return said, module.CALLS


@pytest.mark.parametrize(("line", "with_values"), [("pass", {2}), (NEEDS_VALUES, {2, 3, 4, 5})])
def test_ranks_are_derived_without_values_unless_the_code_needs_them(
    tmp_path: Path, line: str, with_values: set[int]
) -> None:
    noted = f"CALLS.append((x.ndim, not isinstance(x, jax.core.Tracer))); {line}\n            c, axes ="
    code = OTHER_NAMES.replace("c, axes =", noted, 1).replace(
        "class Norm", "import jax\n\n    CALLS = []\n\n    class Norm", 1
    )
    with process_with(JAX_ENVIRONMENT) as call:
        said, calls = call(calls_while_read, f"flax-module={code_in(tmp_path, code, 'Norm')}")
    assert "x of rank 2, 3, 4, 5" in said
    assert {rank for rank, values in calls if values} == with_values
    assert {rank for rank, _ in calls} == {2, 3, 4, 5}


def test_a_rank_that_the_code_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    code = OTHER_NAMES.replace("c, axes =", f"{NO_IMAGES}\n            c, axes =", 1)
    with process_with(JAX_ENVIRONMENT) as call:
        said = call(said_of, f"flax-module={code_in(tmp_path, code, 'Norm')}")
    assert "x of rank 2, 3; not 4 (AssertionError: rows alone)" in said
