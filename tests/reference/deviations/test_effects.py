"""Each deviation is really another layer than the right one, alone and beside another."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from tests.support.deviation_steps import DECLARED, FAR, SCALES, Outcome, configurations, run

from bn_reference.arithmetic.quad import QUAD
from bn_reference.deviations import Deviation, catalogue, combined
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

ALL = tuple(catalogue().values())

NUMERIC = tuple(entry for entry in ALL if entry.numeric)


def ids(entries: tuple[Deviation, ...]) -> list[str]:
    return [entry.name for entry in entries]


@cache
def right(
    config: LayerConfig, shape: tuple[int, ...], convention: Convention, scale: float, equal: bool, far: float
) -> Outcome:
    return run(PlainLayer, config, shape, convention, scale, equal=equal, far=far)


def alike(first: Outcome, second: Outcome) -> bool:
    return len(first) == len(second) and all(map(lambda a, b: np.array_equal(a, b, equal_nan=True), first, second))


VARIATIONS = [*product(SCALES, (False, True), (0.0,)), (1.0, False, FAR)]
"""Scale of the data, whether layers are equal, and how far from zero the data lie: the usual one first."""


def changes(entry: Deviation) -> bool:
    """Whether a number differs somewhere, under a convention that the deviation is none of.

    Every configuration is tried with usual data before any is with unusual ones: most deviations ask for a
    configuration, few for data.
    """
    layer = combined([entry])
    for (scale, equal, far), convention in product(VARIATIONS, DECLARED):
        actual = entry.under(convention)
        if actual is None:
            continue
        for config, shape in configurations():
            if shape[0] >= 10 and scale != SCALES[0]:
                continue
            outcome = run(layer, config, shape, actual, scale, equal=equal, far=far)
            if not alike(outcome, right(config, shape, convention, scale, equal, far)):
                return True
    return False


class TestEachDeviation:
    @pytest.mark.parametrize("entry", NUMERIC, ids=ids(NUMERIC))
    def test_that_is_numeric_changes_a_number(self, entry: Deviation) -> None:
        assert changes(entry)

    @pytest.mark.slow
    def test_the_right_layer_changes_none(self) -> None:
        unchanged = Deviation(name="right", group="", sentence="", clause="FWD-1", effect="")
        assert not changes(unchanged)

    @pytest.mark.parametrize("entry", NUMERIC, ids=ids(NUMERIC))
    def test_that_is_numeric_computes_in_binary128_too(self, entry: Deviation) -> None:
        config, shape = next(configurations())
        count = len(run(PlainLayer, config, shape, Convention(), work=QUAD))
        outcome = run(combined([entry]), config, shape, entry.under(Convention()) or Convention(), work=QUAD)
        assert len(outcome) >= count, "more where an empty mask is not refused"


class TestCombined:
    @pytest.mark.parametrize("pair", list(pairwise(ALL)), ids=lambda pair: "+".join(ids(pair)))
    def test_neighbours_run_together(self, pair: tuple[Deviation, Deviation]) -> None:
        config, shape = next(configurations())
        assert run(combined(pair), config, shape, Convention())

    @pytest.mark.slow
    def test_any_two_make_a_class(self) -> None:
        assert all(issubclass(combined([one, other]), PlainLayer) for one in ALL for other in ALL)

    def test_two_of_another_kind_both_show(self) -> None:
        chosen = catalogue()
        config, shape = next(configurations())
        both = run(combined([chosen["y-unbiased"], chosen["dbeta-is-a-mean"]]), config, shape, Convention())
        one = run(combined([chosen["y-unbiased"]]), config, shape, Convention())
        assert not alike(both, run(PlainLayer, config, shape, Convention()))
        assert not alike(both, one)

    def test_nothing_is_shared_with_another_class(self) -> None:
        entry = catalogue()["statistics-shared-by-layers"]
        assert combined([entry]) is not combined([entry])
