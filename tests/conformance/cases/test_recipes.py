"""Recipes of data: rows that are asked for again are kept, and nobody can write to them."""

from __future__ import annotations

import numpy as np
import pytest

from bn_conformance.cases.recipes import DATA_KINDS, FEW, DataRecipe


@pytest.mark.parametrize("kind", DATA_KINDS)
def test_rows_that_are_kept_are_those_that_are_made_and_cannot_be_written_to(kind: str) -> None:
    recipe = DataRecipe(kind=kind, seed=5, scale=2.0)
    kept = recipe.rows(3, 8)
    assert np.array_equal(kept, DATA_KINDS[kind](recipe, 3, 8), equal_nan=True)
    assert recipe.rows(3, 8) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1.0


def test_tensors_and_vectors_of_kept_rows_are_arrays_of_their_own() -> None:
    recipe = DataRecipe(seed=5)
    for made in (recipe.tensor((8, 3), 1, "float64"), recipe.vector(3, "float64")):
        made[...] = 0.0
    assert recipe.tensor((8, 3), 1, "float64").any()
    assert recipe.vector(3, "float64").any()


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (DataRecipe(kind="fill"), DataRecipe(kind="fill", offset=-0.0)),
        (DataRecipe(kind="unlike", special=0.0), DataRecipe(kind="unlike", special=-0.0)),
    ],
)
def test_a_recipe_of_negative_zeros_is_not_that_of_zeros(positive: DataRecipe, negative: DataRecipe) -> None:
    assert not np.signbit(positive.rows(2, 3)[1]).any()
    assert np.signbit(negative.rows(2, 3)[1]).all()
    assert not np.signbit(positive.rows(2, 3)[1]).any()


def test_many_rows_are_not_kept() -> None:
    recipe = DataRecipe(kind="fill")
    assert recipe.rows(1, FEW + 1) is not recipe.rows(1, FEW + 1)


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"kind is 'odd'; allowed are normal, beside"):
        DataRecipe(kind="odd").rows(1, 1)
