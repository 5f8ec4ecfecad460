"""Conditions say when a conditional mutant acts, in words, and a text draws the same one for ever."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bn_conformance.adapter import LayerConfig
from bn_conformance.mutation.conditions import (
    GRAMMAR,
    OF_STATE,
    WHEN_BUILT,
    Condition,
    Residue,
    Same,
    Where,
    Within,
    drawn,
)
from bn_conformance.mutation.occasions import FEATURES, Occasion

DRAWN = [
    "rank = 4 and mean over deviation >= 3",
    "space >= 256",
    "rank = 5 and mean over deviation >= 1000",
    "not training",
]
"""What four texts draw. A change of the grammar changes it; nothing else may."""

IMAGE = LayerConfig(num_channels=8, rank=4, channel_axis=3, dtype="float16", parameter_dtype="float32", beta=False)
CALL = Occasion(config=IMAGE, array=np.arange(1, 97, dtype=np.float16).reshape(2, 3, 2, 8), training=True, number=3)
FLAT = Occasion(config=LayerConfig(num_channels=4, rank=2), array=np.ones((6, 4), np.float32), number=1)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Within("channels", 8), "C >= 8"),
        (Within("channels", 8, 16), "C in [8, 16)"),
        (Within("eps", 0.0, 0.5), "eps < 0.5"),
        (Within("batch", 2, 3), "N = 2"),
        (Within("space", 6), "space >= 6"),
        (Within("width", 2, 3), "width = 2"),
        (Within("count", 12, 13), "n = 12"),
        (Within("number", 3, 4), "call = 3"),
        (Within("largest", 96, 97), "largest value = 96"),
        (Residue("channels", 4), "C mod 4 = 0"),
        (Residue("count", 5, None), "n mod 5 is not 0"),
        (Same("layout", "last"), "channels last"),
        (Same("format", "float16"), "format float16"),
        (Same("narrow", True), "16 bits"),
        (Same("wider", True), "parameters wider than x"),
        (Same("affine", "gamma"), "affine gamma"),
        (Same("training", True), "training"),
        (Same("memory", "whole"), "memory whole"),
    ],
)
def test_a_condition_holds_and_says_what_it_is(condition: Condition, text: str) -> None:
    assert condition.text == text
    assert condition.holds(CALL)


@pytest.mark.parametrize(
    "condition",
    [
        Within("channels", 9),
        Within("channels", 2, 8),
        Residue("count", 4, None),
        Same("layout", "first"),
        Same("training", False),
        Same("masked", True),
        Same("resized", True),
        Same("constant", True),
        Within("number", 1, 2),
    ],
)
def test_a_condition_does_not_hold(condition: Condition) -> None:
    assert not condition.holds(CALL)


def test_space_is_of_images_alone() -> None:
    assert not Within("space", 0).holds(FLAT)
    assert not Same("layout", "first").holds(FLAT)


def test_a_layer_that_is_built_has_no_array() -> None:
    built = Occasion(config=IMAGE)
    held = {name: feature.read(built) for name, feature in FEATURES.items() if feature.of_layer}
    assert None not in held.values()
    of_calls = [
        condition for group in GRAMMAR.values() for condition in group if not FEATURES[condition.feature].of_layer
    ]
    assert [condition.text for condition in of_calls if condition.holds(built)] == []


@pytest.mark.parametrize(
    ("view", "memory"),
    [
        (lambda x: x[:1], "part"),
        (lambda x: x[..., ::2], "strided"),
        (lambda x: x[::-1], "strided"),
        (lambda x: np.broadcast_to(x[:1], x.shape), "strided"),
        (lambda x: x.copy(order="F"), "permuted"),
        (lambda x: x.copy(), "whole"),
    ],
)
def test_how_an_array_lies_in_memory(view: object, memory: str) -> None:
    assert callable(view)
    assert Same("memory", memory).holds(replace(CALL, array=view(np.array(CALL.array))))


def test_data_far_from_zero_and_constant_channels() -> None:
    far = np.stack([np.full(6, 3.0), 1000.0 + np.arange(6)] * 2, axis=1).astype(np.float32)
    assert Within("offset", 500).holds(replace(FLAT, array=far))
    assert not Within("offset", 700).holds(replace(FLAT, array=far))
    assert Same("constant", True).holds(replace(FLAT, array=far))


def test_two_conditions_hold_together() -> None:
    where = Where((Same("layout", "last"), Residue("channels", 8)))
    assert where.text == "channels last and C mod 8 = 0"
    assert where.of_layer
    assert where.holds(CALL)
    assert not Where((Same("layout", "last"), Residue("channels", 16))).holds(CALL)
    assert not Where((Same("layout", "last"), Within("batch", 2))).of_layer


def test_a_text_draws_the_same_condition_for_ever() -> None:
    assert [drawn(f"1 {index}", GRAMMAR).text for index in range(4)] == DRAWN
    assert all(drawn(str(index), WHEN_BUILT, pairs=False).of_layer for index in range(200))
    groups = [condition for group in OF_STATE for condition in GRAMMAR[group]]
    assert all(set(drawn(str(index), OF_STATE).conditions) <= set(groups) for index in range(200))


def test_every_condition_is_drawn_alone_or_with_another() -> None:
    draws = [drawn(str(index), GRAMMAR) for index in range(6000)]
    assert {where.conditions[-1] for where in draws} == {entry for group in GRAMMAR.values() for entry in group}
    assert {len(where.conditions) for where in draws} == {1, 2}
