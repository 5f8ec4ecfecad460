"""Patterns of names: `*` and `?` are wildcards, brackets are themselves."""

from __future__ import annotations

import pytest

from bn_conformance.implementations.implementation import any_matches, matches_pattern

NAMES = ("torch.nn", "flax.nnx[jit]", "keras[jax]")


@pytest.mark.parametrize(
    "pattern", ["torch.nn", "torch", "*", "*nn", "flax.nnx[jit]", "keras[?ax]", "keras[j]", "TORCH.nn"]
)
def test_many_names_are_matched_as_one_is(pattern: str) -> None:
    assert any_matches(NAMES, pattern) == any(matches_pattern(name, pattern) for name in NAMES)
