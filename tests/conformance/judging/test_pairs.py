"""What is said of two pairs of running statistics."""

from __future__ import annotations

import numpy as np
import pytest

from bn_conformance.judging.pairs import difference, same_pair
from bn_conformance.observing.observation import Pair


def pair(mean: list[float], variance: list[float]) -> Pair:
    return np.array(mean, np.float32), np.array(variance, np.float32)


BEFORE = pair([0.5, np.nan], [1.0, 2.0])


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (pair([0.5, np.nan], [1.0, 2.0]), ""),
        (pair([0.5, 0.25], [1.0, 2.0]), "running_mean[1] from nan to 0.25"),
        (pair([0.5, np.nan], [1.0, 3.0]), "running_var[1] from 2 to 3"),
        (pair([0.0, np.nan], [np.nan, 2.0]), "running_mean[0] from 0.5 to 0 and running_var[0] from 1 to nan"),
        (pair([0.5], [1.0, 2.0]), "running_mean"),
    ],
)
def test_where_two_pairs_differ_is_said_number_by_number(after: Pair, said: str) -> None:
    assert difference(BEFORE, after) == said
    assert same_pair(BEFORE, after) is (said == "")
