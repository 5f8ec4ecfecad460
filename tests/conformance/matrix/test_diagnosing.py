"""The diagnosis of a run: an error in that of one implementation costs neither the others nor the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis import diagnose as module
from bn_conformance.diagnosis.subject import JudgedImplementation
from bn_conformance.matrix.diagnosing import diagnoses
from bn_conformance.results.records import Diagnosis, Item

CASE, OTHER = all_cases()["fwd/nc/float32/random"], all_cases()["eval/nc/float32/random"]


def diagnosed(*names: str) -> list[Diagnosis]:
    """The diagnoses of implementations that fail a case."""
    entries = [SimpleNamespace(name=name, convention=Convention(), capabilities=Capabilities()) for name in names]
    items = [Item(implementation=name, case=CASE.id, outcome="wrong", verdict="fail") for name in names]
    plan = SimpleNamespace(runnable=entries, items={item.id: (None, CASE) for item in items}, beyond_sample={})
    runner = SimpleNamespace(goldens=None, observe=lambda *_: None, declined=lambda *_: ())
    return diagnoses(cast(Any, plan), items, cast(Any, runner))


def test_an_error_costs_the_diagnosis_of_one_implementation_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def diagnose(subject: JudgedImplementation, _: object) -> Diagnosis:
        if subject.name == "odd":
            raise TypeError("of no size")
        return Diagnosis(implementation=subject.name, deviations=(), message="known", confident=False, examined=1)

    monkeypatch.setattr(module, "diagnose", diagnose)
    odd, other = diagnosed("odd", "other")
    assert "bnconform itself ended in an error (TypeError: of no size, in test_diagnosing.py, line" in odd.message
    assert (odd.implementation, odd.examined, odd.confident) == ("odd", 0, False)
    assert other.message == "known"


def test_items_are_looked_at_in_the_order_of_the_plan_in_whatever_order_they_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = list[list[str]]()
    monkeypatch.setattr(module, "diagnose", lambda subject, _: seen.append([item.case for item in subject.items]))
    cases = [CASE, *(all_cases()[f"{family}/nc/float32/random"] for family in ("eval", "grad"))]
    items = [Item(implementation="one", case=case.id, outcome="wrong", verdict="fail") for case in cases]
    entry = SimpleNamespace(name="one", convention=Convention(), capabilities=Capabilities())
    plan = SimpleNamespace(runnable=[entry], items={item.id: (None, CASE) for item in items}, beyond_sample={})
    runner = SimpleNamespace(goldens=None, observe=lambda *_: None, declined=lambda *_: ())
    for order in (items, items[::-1]):
        diagnoses(cast(Any, plan), order, cast(Any, runner))
    assert seen == [[case.id for case in cases]] * 2


@pytest.mark.parametrize("compiles", [False, True])
def test_what_was_not_asked_may_tell_mistakes_apart_unless_it_is_to_be_compiled(
    compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[list[str]]()
    monkeypatch.setattr(module, "diagnose", lambda subject, _: seen.append([case.id for case in subject.unasked]))
    failing, later, beyond = CASE, all_cases()["eval/nc/float32/random"], all_cases()["grad/nc/float32/random"]
    entry = SimpleNamespace(name="one", convention=Convention(), capabilities=Capabilities(compiles=compiles))
    plan = SimpleNamespace(
        runnable=[entry],
        items={f"one::{case.id}": (entry, case) for case in (failing, later)},
        beyond_sample={f"one::{beyond.id}": (entry, beyond), f"two::{beyond.id}": (None, beyond)},
    )
    items = [
        Item(implementation="one", case=failing.id, outcome="wrong", verdict="fail"),
        Item(implementation="one", case=later.id, outcome="not-asked", verdict="not-asked"),
    ]
    diagnoses(
        cast(Any, plan),
        items,
        cast(Any, SimpleNamespace(goldens=None, observe=lambda *_: None, declined=lambda *_: ())),
    )
    assert seen == [[] if compiles else [later.id, beyond.id]]


def test_what_an_adapter_declines_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = list[Any]()
    monkeypatch.setattr(module, "diagnose", lambda subject, _: taken.extend(subject.taken([CASE, OTHER])))
    entry = SimpleNamespace(name="one", convention=Convention(), capabilities=Capabilities())
    plan = SimpleNamespace(runnable=[entry], items={f"one::{CASE.id}": (entry, CASE)}, beyond_sample={})
    runner = SimpleNamespace(goldens=None, observe=lambda *_: None, declined=lambda *_: [CASE.id])
    items = [Item(implementation="one", case=CASE.id, outcome="wrong", verdict="fail")]
    diagnoses(cast(Any, plan), items, cast(Any, runner))
    assert taken == [OTHER]
