"""Every type of step is in the table, and a table of handlers that lacks one is named."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bn_conformance.cases.model import Batch, EarlierBackward, Freeze, Reload, SetParameters, SetStatistics
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.steps import (
    BETWEEN,
    STANDING,
    STEP_TYPES,
    handlers,
    has_step,
    in_words,
    is_frozen_after,
    type_of,
)
from bn_conformance.catalogue import all_cases

X = DataRecipe(seed=1)
BATCH = Batch(training=True, shape=(4, 2), x=X)
STATISTICS = SetStatistics(X, DataRecipe(kind="positive"), view="strided")


@dataclass(frozen=True)
class Forget:
    """A type of step that nobody has written yet."""


def test_the_table_holds_each_type_of_step_and_no_other() -> None:
    assert set(STEP_TYPES) == {*STANDING, *BETWEEN}


def test_a_table_that_lacks_a_new_type_of_step_names_it() -> None:
    with pytest.raises(TypeError, match="no handler for Forget"):
        handlers([*STANDING, *BETWEEN, Forget], STEP_TYPES)


def test_a_table_with_something_that_is_no_step_there_names_it() -> None:
    with pytest.raises(TypeError, match="a handler for EarlierBackward"):
        handlers(STANDING, STEP_TYPES)


def test_names_in_documents_differ() -> None:
    assert len({entry.slug for entry in STEP_TYPES.values()}) == len(STEP_TYPES)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (BATCH, "train x (4, 2) (normal)"),
        (STATISTICS, "set running mean (normal) and running variance (positive), memory strided"),
        (SetParameters(gamma=X, beta=DataRecipe(offset=2.0)), "set gamma (normal) and beta (normal offset 2)"),
        (Reload(also=BATCH), "save, build another layer, load; whichever is not in use trains on (normal)"),
        (Freeze(), "freeze"),
        (EarlierBackward(dy=X), "another backward with dy (normal)"),
        (replace(BATCH, dy=X, shards=(3, 1)), "train x (4, 2) (normal) in shards of 3, 1, backward with dy (normal)"),
    ],
)
def test_a_step_in_words(step: object, words: str) -> None:
    assert in_words(step) == words  # type: ignore[arg-type]


def test_what_a_step_brings() -> None:
    assert type_of(STATISTICS).statistics(STATISTICS) == (STATISTICS.mean, STATISTICS.variance)
    assert type_of(BATCH).batches(BATCH) == (BATCH,)
    assert type_of(Reload(also=BATCH)).batches(Reload(also=BATCH)) == (BATCH,)
    assert type_of(Freeze()).statistics(Freeze()) is None
    assert type_of(Freeze()).parameters(Freeze()) is None


def test_a_reload_gives_a_layer_that_is_not_frozen() -> None:
    assert is_frozen_after([Freeze(), BATCH], False)
    assert not is_frozen_after([Freeze(), Reload()], True)
    assert not is_frozen_after([STATISTICS], False)


def test_the_suite_has_a_case_with_each_type_of_step() -> None:
    changes = [change for case in all_cases().values() for change in case.changes]
    assert [step.__name__ for step in STEP_TYPES if not has_step(changes, step)] == []
