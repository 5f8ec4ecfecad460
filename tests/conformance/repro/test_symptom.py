"""What of a failing item a script shows: never what one step does not show."""

from __future__ import annotations

import pytest
from tests.support.sample_results import item, quantity

from bn_conformance.adapter import Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.goldens import Goldens
from bn_conformance.observing.observation import Observation
from bn_conformance.repro.literals import NoRepro
from bn_conformance.repro.symptom import symptom_of

CASE = all_cases()["sync/nc/float32/equal"]


def test_what_is_wrong_in_one_replica_alone_is_named_and_not_shown() -> None:
    wrong = quantity("step0.shard1.running_mean", "wrong", 1e6, clauses=("SYNC-4",), index=(0,))
    failing = item("i", CASE.id, "wrong", "fail", quantities=(wrong,))
    with pytest.raises(NoRepro, match=r"fails in step0\.shard1\.running_mean, which no single step shows"):
        symptom_of(failing, CASE, Observation(steps=()), Convention(), Goldens())
