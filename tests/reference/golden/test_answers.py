"""A golden that was asked for before is known again, and nothing else is taken for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bn_reference.arithmetic.quad import to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.answers import CAPACITY, FEW
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

CONVENTION = Convention()
KNOWN, OTHER = Statistics.known([0.0, 1.0], [1.0, 2.0]), Statistics.known([0.0, 1.0], [1.0, 3.0])
DY = to_quad(np.ones((2, 8)))


def golden_of(count: int = 8) -> Golden:
    x = to_quad(np.random.default_rng(3).normal(size=(2, count)))
    config = LayerConfig(num_channels=2, rank=2, channel_axis=1, eps=1e-5, momentum=0.1)
    return Golden(config, CONVENTION, x, GammaBeta(None, None))


def test_the_same_question_has_the_same_answer() -> None:
    golden = golden_of()
    again = golden.under(replace(CONVENTION, running_variance="biased")).under(CONVENTION)
    assert golden.inference(KNOWN, DY) is again.inference(Statistics.known([0.0, 1.0], [1.0, 2.0]), DY.copy())
    assert golden.updated(KNOWN) is again.updated(KNOWN)


def test_another_question_has_another_answer() -> None:
    golden = golden_of()
    biased = golden.under(replace(CONVENTION, running_variance="biased"))
    quick = golden.under(CONVENTION, replace(golden.config, momentum=0.5))
    without_eps = golden.under(replace(CONVENTION, eps_in_inference=False, eps_in_running_variance=True))
    y = golden.inference(KNOWN, DY)["y"].values
    assert (golden.inference(OTHER, DY)["y"].values != y).any()
    assert (without_eps.inference(KNOWN, DY)["y"].values != y).any()
    assert (golden.inference(KNOWN, 2 * DY)["dx"].values != golden.inference(KNOWN, DY)["dx"].values).all()
    assert golden.inference(KNOWN, None).keys() == {"y"}
    variance = golden.updated(KNOWN)["running_var"].values
    for other in (biased.updated(KNOWN), quick.updated(KNOWN), golden.updated(OTHER)):
        assert (other["running_var"].values != variance).any()


def test_errors_of_statistics_make_another_question() -> None:
    golden, vague = golden_of(), replace(KNOWN, mean_error=to_quad([0.5, 0.5]))
    assert golden.inference(vague, None) is not golden.inference(KNOWN, None)


@pytest.mark.parametrize(("count", "kept"), [(8, True), (FEW, False)])
def test_of_a_large_batch_nothing_is_kept(count: int, kept: bool) -> None:
    golden = golden_of(count)
    assert (golden.updated(KNOWN) is golden.updated(KNOWN)) is kept


def test_what_was_asked_long_ago_is_forgotten() -> None:
    golden = golden_of()
    first = golden.updated(KNOWN)
    for number in range(CAPACITY):
        golden.updated(Statistics.known([0.0, 1.0], [1.0, 4.0 + number]))
    assert golden.updated(KNOWN) is not first
