"""How much of a difference an error of x explains: errors are put into x and the other y is computed from that."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.recorded_steps import Arrays, step, wide_step

from bn_conformance.explain.explanation import ExplainedStep, explain_arrays
from bn_conformance.explain.reading import SaidOfStep
from bn_conformance.explain.roles import Taken
from bn_conformance.explain.tables import condition_sentence, other_sentence


def explained(arrays: Arrays, error: float) -> ExplainedStep:
    given: Arrays = {name: arrays[name] for name in ("x", "y", "gamma", "beta", "y_other") if name in arrays}
    return explain_arrays(given, tuple(Taken(role, role) for role in given), SaidOfStep(), error=error)


def with_error(error: float, seed: int = 5) -> Arrays:
    """A step with another y, which is that of an x that is off by a relative error."""
    arrays = step((20, 4, 3, 3))
    arrays["x"] += np.array([0, 20, 0, 300], np.float32)[None, :, None, None]
    arrays["y"] = wide_step(arrays, 1, arrays["dy"])["y"]
    factors = 1 + error * np.random.default_rng(seed).uniform(-1, 1, arrays["x"].shape)
    off = arrays | {"x": (arrays["x"] * factors).astype(np.float32)}
    return arrays | {"y_other": wide_step(off, 1, arrays["dy"])["y"]}


@pytest.mark.parametrize("error", [1e-5, 1e-4])
def test_an_error_of_x_explains_the_difference_that_it_makes(error: float) -> None:
    told = explained(with_error(error), error)
    others = [one.other for one in told.conditions]
    assert all(other is not None and other.explained and other.needed < error * 1.01 for other in others)
    assert "explains all of it" in other_sentence(told)
    for one in told.conditions:
        assert one.other is not None
        assert one.other.difference <= one.most + one.other.rounding
        assert one.typical <= one.largest


def test_no_small_error_of_x_explains_a_mistake() -> None:
    arrays = with_error(1e-5)
    arrays["y_other"] = arrays["y"] * np.float32(1.01)
    told = explained(arrays, 1e-4)
    unexplained = [one for one in told.conditions if one.other is not None and not one.other.explained]
    assert unexplained
    assert f"explains {4 - len(unexplained)} of them" in other_sentence(told)
    assert told.within  # another y decides nothing
    assert [one.level for one in told.arrays if one.role == "y_other"] == ["wrong"]


def test_the_same_y_differs_in_nothing() -> None:
    arrays = with_error(1e-5)
    arrays["y_other"] = arrays["y"]
    told = explained(arrays, 1e-3)
    assert other_sentence(told) == "The other y is the same."


def test_a_large_mean_magnifies_an_error_of_x() -> None:
    told = explained(with_error(1e-5), 1e-3)
    gravest = max(told.conditions, key=lambda one: one.typical)
    assert gravest.channel == 3
    expected = 1e-3 / gravest.share * float(step((20, 4, 3, 3))["gamma"][3])
    assert gravest.typical == pytest.approx(expected, rel=0.05)
    assert "in y of channel 3" in condition_sentence(told)
    assert f"whose deviation is {100 * gravest.share:.2g} % of its mean" in condition_sentence(told)
