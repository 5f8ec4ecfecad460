"""What a check asks first, what it asks later, and what decides between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise

import pytest
from tests.support.good_numpy import EVERYTHING

from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.edges import edge_of
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.matrix.blocks import FEW, blocks
from bn_conformance.matrix.closing import stale_faults
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.stages import Stages, asks_later, not_asked_items
from bn_conformance.options import RunOptions
from bn_conformance.results.outcomes import NOT_ASKED_BECAUSE, OUTSIDE_SAMPLE
from bn_conformance.results.records import Item

ONE = Implementation(name="mine", target="module:Class", capabilities=EVERYTHING)
ORDINARY, EDGE = "mine::fwd/nc/float32/random", "mine::edge/nc/float32/nan-in-dy"


IN_STAGES, EVERY = RunOptions(plain_first=True), RunOptions(cases=("*",))


def plan_of(faults: tuple[KnownFault, ...] = (), options: RunOptions = IN_STAGES) -> Plan:
    return Plan(options, (ONE,), tuple(all_cases()), faults)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of()


def item(item_id: str, verdict: str = "fail") -> Item:
    return Item(implementation="mine", case=item_id.removeprefix("mine::"), outcome="wrong", verdict=verdict)


def test_the_later_stage_has_the_sweeps_of_the_sample_and_comes_last(plan: Plan) -> None:
    whole = plan_of(options=EVERY).items
    assert plan.later == {name for name, (_, case) in plan.items.items() if case.sweep}
    assert {case.sweep for _, case in plan.beyond_sample.values()} == {False, True}
    assert not plan.items.keys() & plan.beyond_sample.keys()
    assert plan.items.keys() | plan.beyond_sample.keys() == whole.keys()
    places = [name in plan.later for name in plan.items]
    assert places == sorted(places)


@pytest.mark.parametrize("chosen", [{}, {"level": "tight"}, {"profile": "standard"}])
def test_a_run_without_a_selection_asks_what_a_check_asks_at_most_in_one_stage(
    chosen: dict[str, str], plan: Plan
) -> None:
    run = plan_of(options=RunOptions(**chosen))  # type: ignore[arg-type]
    assert not run.later
    assert run.items.keys() == plan.items.keys()
    assert run.beyond_sample.keys() == plan.beyond_sample.keys()
    assert Stages(run, [*run.items], []).not_asked(later=True) == [*not_asked_items(run, later=True)]


def test_what_is_small_comes_first_and_families_take_turns(plan: Plan) -> None:
    first = [case for name, (_, case) in plan.items.items() if name not in plan.later]
    families = len({case.family for case in first})
    assert len({case.family for case in first[:families]}) == families
    for family in ("FWD", "STAT", "NUM"):
        efforts = [case.effort for case in first if case.family == family]
        assert all(before <= after for before, after in pairwise(efforts))
    assert [case.long for case in first] == sorted(case.long for case in first)


@pytest.mark.parametrize(
    "options",
    [
        EVERY,
        replace(IN_STAGES, thorough=True),
        replace(IN_STAGES, cases=("*",)),
        replace(IN_STAGES, clauses=("FWD",)),
        replace(IN_STAGES, regressions=("found.json",)),
        replace(IN_STAGES, case_set="2026.1"),
    ],
)
def test_what_is_selected_or_thorough_has_one_stage_and_no_sample(options: RunOptions) -> None:
    assert not plan_of(options=options).later
    assert not plan_of(options=options).beyond_sample


def test_new_failures_of_ordinary_cases_alone_keep_the_later_stage_away(plan: Plan) -> None:
    assert edge_of(plan.items[EDGE][1]) is not None
    assert asks_later(plan, [])
    assert asks_later(plan, [item(ORDINARY, "pass"), item(EDGE)])
    assert asks_later(plan, [item(ORDINARY, "known-fault"), item(ORDINARY, "warn")])
    assert not asks_later(plan, [item(EDGE), item(ORDINARY)])


def test_a_stage_is_through_once_and_what_is_judged_already_counts(plan: Plan) -> None:
    sweep, other = sorted(plan.later)[:2]
    stages = Stages(plan, [ORDINARY, sweep, EDGE, other], [item(sweep)])
    assert (stages.first, stages.later, stages.between) == (2, 2, False)
    assert [stages.add(item(name, "pass")) for name in (ORDINARY, EDGE)] == [False, True]
    assert stages.between
    resumed = Stages(plan, [sweep, other], [item(ORDINARY)])
    assert resumed.between
    assert not resumed.asks_later()
    assert not Stages(plan, [ORDINARY], []).add(item(ORDINARY))


def test_what_is_not_asked_is_an_item_each_but_what_is_judged(plan: Plan) -> None:
    judged = sorted(plan.later)[0]
    items = [*not_asked_items(plan, [judged])]
    assert {one.id for one in items} == (plan.later - {judged}) | plan.beyond_sample.keys()
    assert all(f"--case '{one.case}'" in one.reproduce for one in items)
    for one in items:
        outside = one.id in plan.beyond_sample and not all_cases()[one.case].sweep
        assert one.message == (OUTSIDE_SAMPLE if outside else NOT_ASKED_BECAUSE)


def test_what_is_outside_the_sample_is_never_asked_and_says_so(plan: Plan) -> None:
    items = [*not_asked_items(plan, later=True)]
    assert {one.id for one in items} == plan.beyond_sample.keys()
    assert {(one.verdict, one.message) for one in items} == {("not-asked", OUTSIDE_SAMPLE)}


def test_what_compiles_has_one_stage_which_is_a_sample_of_its_plain_cases() -> None:
    compiles = (replace(ONE, capabilities=replace(EVERYTHING, compiles=True)),)
    plan = replace(plan_of(), implementations=compiles)
    whole = replace(plan_of(options=EVERY), implementations=compiles).items
    assert not plan.later
    assert plan.items.keys() | plan.beyond_sample.keys() == whole.keys()
    assert len(plan.items) < len(plan.beyond_sample)
    for later in (True, False):
        assert {one.message for one in not_asked_items(plan, later=later)} == {OUTSIDE_SAMPLE}


def test_what_compiles_is_asked_empty_batches_first_which_much_code_fails() -> None:
    compiles = (replace(ONE, capabilities=replace(EVERYTHING, compiles=True)),)
    for options, first in ((IN_STAGES, True), (EVERY, False)):
        items = replace(plan_of(options=options), implementations=compiles).items.values()
        empty = [any(0 in batch.shape for batch in case.batches) for _, case in items]
        assert any(empty)
        assert empty[0] is first
        signatures = [case.signature for _, case in items]
        assert len([*groupby(signatures)]) == len(set(signatures))


def test_nothing_is_said_of_what_was_deselected(plan: Plan) -> None:
    sweep = sorted(plan.later)[0]
    part, whole = Stages(plan, [ORDINARY, sweep], []), Stages(plan, [*plan.items], [])
    assert part.not_asked(later=True) == []
    assert {one.id for one in part.not_asked(later=False)} == {sweep}
    assert {one.id for one in whole.not_asked(later=True)} == plan.beyond_sample.keys()


def test_blocks_keep_to_their_stage_and_are_small(plan: Plan) -> None:
    members: dict[str, list[str]] = {}
    for name, block in blocks(plan, 2).items():
        members.setdefault(block, []).append(name)
    assert {block[-2:] for block in members} == {"#0", "#1"}
    for names in members.values():
        assert len(names) <= FEW
        assert len({name in plan.later for name in names}) == 1


def judged(plan: Plan, verdict: str) -> Iterator[Item]:
    yield from (item(name, verdict) for name in plan.items if name not in plan.later)


def test_a_fault_that_what_was_not_asked_may_need_is_not_stale() -> None:
    def fault(case: str) -> KnownFault:
        return KnownFault(implementation="mine", case=case, reason="why", file="faults.toml", line=1)

    plan = plan_of((fault("layout/*"), fault("fwd/nc/float32/random")))
    items = [*judged(plan, "pass")]
    assert len(stale_faults(plan, items)) == 2
    stale = stale_faults(plan, [*items, *not_asked_items(plan)])
    assert ["fwd/nc/float32/random" in one.entry for one in stale] == [True]


def test_a_fault_that_some_processors_alone_have_is_never_stale() -> None:
    one = KnownFault(implementation="mine", case="fwd/nc/float32/random", reason="why", file="faults.toml", line=1)
    for varies in (False, True):
        plan = plan_of((replace(one, varies=varies),))
        assert bool(stale_faults(plan, [*judged(plan, "pass")])) is not varies


def test_a_shard_of_a_sample_calls_no_fault_stale_since_another_shard_may_need_it() -> None:
    one = KnownFault(implementation="mine", case="fwd/nc/float32/random", reason="why", file="faults.toml", line=1)
    for options, stale in ((RunOptions(shard="1/2"), 0), (replace(EVERY, shard="1/2"), 1)):
        plan = plan_of((one,), options)
        assert len(stale_faults(plan, [*judged(plan, "pass")])) == stale


def test_what_fails_in_the_later_stage_does_not_end_it_when_it_is_resumed(plan: Plan) -> None:
    sweep = next(name for name in plan.later if not edge_of(plan.items[name][1]))
    beyond = next(name for name in plan.beyond_sample if not edge_of(plan.beyond_sample[name][1]))
    assert asks_later(plan, [item(sweep), item(beyond)])
