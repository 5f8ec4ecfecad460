"""What each step with data begins from: frozen or not, reloaded or not, on the trajectory of a fresh layer or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.course import course_of
from bn_conformance.cases.model import Batch, Case, Freeze, Reload, SetParameters, SetStatistics, Step
from bn_conformance.cases.recipes import DataRecipe

X = DataRecipe(seed=1)
TRAIN = Batch(training=True, shape=(4, 2), x=X, dy=X)
SET = SetStatistics(X, DataRecipe(kind="positive"))


def turns(*steps: Step) -> list[str]:
    """Of each step with data what is true when it begins: `f`rozen, `r`eloaded, on the `t`rajectory."""
    config = LayerConfig(num_channels=2, rank=2)
    case = Case(id="c", family="FWD", title="c", clauses=("FWD-1",), config=config, steps=steps)
    return ["f" * turn.frozen + "r" * turn.reloaded + "t" * turn.on_trajectory or "-" for turn in course_of(case)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((TRAIN, TRAIN), ["t", "t"]),
        ((TRAIN, Freeze(), TRAIN, TRAIN), ["t", "ft", "ft"]),
        ((Freeze(), TRAIN, Reload(), TRAIN, TRAIN), ["ft", "rt", "t"]),
        ((TRAIN, SET, TRAIN, TRAIN), ["t", "-", "-"]),
        ((TRAIN, SetParameters(gamma=X, beta=X), TRAIN), ["t", "t"]),
        ((replace(TRAIN, between=(Freeze(), Reload())), TRAIN), ["t", "ft"]),
        ((replace(TRAIN, between=(SET,)), TRAIN), ["t", "-"]),
    ],
)
def test_what_a_step_begins_from(steps: tuple[Step, ...], expected: list[str]) -> None:
    assert turns(*steps) == expected


def test_positions_count_steps_with_data_alone() -> None:
    case = Case(
        id="c",
        family="FWD",
        title="c",
        clauses=("FWD-1",),
        config=LayerConfig(num_channels=2, rank=2),
        steps=(Freeze(), TRAIN, Reload(), TRAIN),
    )
    assert [turn.position for turn in course_of(case)] == [0, 1]
