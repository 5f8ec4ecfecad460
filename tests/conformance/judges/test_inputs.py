"""The inputs of other suites are what their recipes say, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from bn_conformance.judges.inputs import KINDS, drawn_rows
from bn_conformance.judges.suite import InputRecipe


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "values"])
def test_data_depend_on_the_seed_alone(kind: str) -> None:
    first, again = (drawn_rows(InputRecipe(kind=kind), 7, 3, 32) for _ in range(2))
    assert first.shape == (3, 32)
    np.testing.assert_array_equal(first, again)


def test_normal_data() -> None:
    rows = drawn_rows(InputRecipe(kind="normal", low=5.0, high=10.0), 1, 2, 100_000)
    assert abs(rows.mean() - 5.0) < 0.1
    assert abs(rows.std() - 10.0) < 0.1
    assert np.abs(rows - 5.0).max() > 40.0


def test_pairs_have_an_exact_mean_and_variance_in_any_order() -> None:
    rows = drawn_rows(InputRecipe(kind="exact-pairs"), 1, 8, 64).astype(np.float32)
    mean = rows.sum(axis=1) / np.float32(64)
    np.testing.assert_array_equal(mean, 0.25 * 2.0 ** (np.arange(8) % 7))
    squares = np.square(rows - mean[:, None])
    np.testing.assert_array_equal(np.cumsum(squares, axis=1)[:, -1], np.cumsum(squares[:, ::-1], axis=1)[:, -1])


def test_the_root_of_unit_root_is_one() -> None:
    rows = drawn_rows(InputRecipe(kind="unit-root"), 1, 3, 64)
    np.testing.assert_array_equal(rows.var(axis=1) + 1 / 16, np.ones(3))


def test_values_are_those_of_an_array_of_rows() -> None:
    recipe = InputRecipe(kind="values", values=[1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(drawn_rows(recipe, 0, 2, 3), [[1, 3, 5], [2, 4, 6]])


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="kind is 'guess'; allowed are uniform"):
        drawn_rows(InputRecipe(kind="guess"), 0, 1, 1)
