"""A mutant that is taken for equivalent in a case gives what the reference layer gives."""

from __future__ import annotations

import pytest

from bn_conformance.adapter import Convention
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.equivalent import is_equivalent, recording_layer
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
    layer, names = recording_layer()
    observed(case_id, [], layer)
    return names


def test_a_mutant_is_equivalent_where_what_it_changes_is_not_used() -> None:
    assert is_equivalent(catalogue()["dx-without-mean-term"], looked_up(FORWARD))
    assert not is_equivalent(catalogue()["dx-without-mean-term"], looked_up(BACKWARD))


def test_a_mutant_that_acts_without_a_look_up_is_never_equivalent() -> None:
    deviations = list(catalogue().values())
    built = [entry for entry in deviations if any("__init__" in vars(cls) for cls in entry.layer.__mro__[:-3])]
    changing = [entry for entry in deviations if entry.convention]
    assert built
    assert changing
    assert not any(is_equivalent(entry, set()) for entry in built + changing)


def test_the_recording_layer_gives_what_the_reference_layer_gives() -> None:
    assert same(observed(BACKWARD, [], recording_layer()[0]), observed(BACKWARD, []))


@pytest.mark.parametrize(
    "case_id",
    [FORWARD, "pure/nc/float32/overwritten", "state/nc/float32/load-into-used", "edge/nc/float32/nan-in-training"],
)
def test_an_equivalent_mutant_gives_the_same_bits(case_id: str) -> None:
    names, reference = looked_up(case_id), observed(case_id, [])
    deviations = [entry for entry in catalogue().values() if entry.under(Convention()) is not None]
    equivalent = [entry for entry in deviations if is_equivalent(entry, names)]
    assert len(equivalent) > 20
    assert [entry.name for entry in equivalent if not same(observed(case_id, [entry]), reference)] == []
