"""Deviations that are idle in a case: what is not run gives what the right layer gives."""

from __future__ import annotations

import pytest

from bn_conformance.adapter import Convention
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.equivalent import is_idle, recording
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_reference.deviations import Deviation, catalogue
from bn_reference.layer.layer import PlainLayer

FORWARD, BACKWARD = "fwd/nc/float32/random", "grad/nc/float32/random"


def observed(case_id: str, deviations: list[Deviation], base: type[PlainLayer] = PlainLayer) -> Observation:
    case = all_cases()[case_id]
    return observe(case, data_of(case), LocalHost(PlainAdapter(deviations, base=base)), explicit_update=False)


def looked_up(case_id: str) -> set[str]:
    layer, names = recording()
    observed(case_id, [], layer)
    return names


def test_a_deviation_is_idle_where_what_it_changes_is_not_used() -> None:
    assert is_idle(catalogue()["dx-without-mean-term"], looked_up(FORWARD))
    assert not is_idle(catalogue()["dx-without-mean-term"], looked_up(BACKWARD))


def test_a_deviation_that_is_used_without_a_look_up_is_never_idle() -> None:
    deviations = list(catalogue().values())
    built = [one for one in deviations if any("__init__" in vars(cls) for cls in one.layer.__mro__[:-3])]
    changing = [one for one in deviations if one.convention]
    assert built
    assert changing
    assert not any(is_idle(one, set()) for one in built + changing)


def test_the_recording_layer_is_right() -> None:
    assert same(observed(BACKWARD, [], recording()[0]), observed(BACKWARD, []))


@pytest.mark.parametrize(
    "case_id",
    [FORWARD, "pure/nc/float32/overwritten", "state/nc/float32/load-into-used", "edge/nc/float32/nan-in-training"],
)
def test_what_is_idle_gives_the_same_bits(case_id: str) -> None:
    names, right = looked_up(case_id), observed(case_id, [])
    idle = [one for one in catalogue().values() if one.under(Convention()) is not None and is_idle(one, names)]
    assert len(idle) > 20
    assert [one.name for one in idle if not same(observed(case_id, [one]), right)] == []
