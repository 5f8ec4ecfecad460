"""Plans, blocks of work and known faults."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from tests.support.good_numpy import EVERYTHING

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import (
    KnownFault,
    KnownFaultsError,
    applying,
    covering,
    load_known_faults,
    parse_known_faults,
    require_cases,
    shipped,
)
from bn_conformance.matrix.blocks import ITEMS_OF_PROCESS, SEPARATOR, blocks, processes_for
from bn_conformance.matrix.plan import Plan
from bn_conformance.options import RunOptions

ONE = Implementation(
    name="some[thing]",
    target="module:Class",
    capabilities=EVERYTHING,
    environment={"KEY": "value"},
    versions={"torch": "2.13.0+cpu"},
)
FAULT = KnownFault(implementation="some*", case="edge/*", reason="because", file="faults.toml", line=3)


def plan_of(*cases: str) -> Plan:
    return Plan(RunOptions(cases=("*",), level="stable"), (ONE,), cases or tuple(all_cases()), (FAULT,))


def test_a_plan_crosses_to_other_processes_unchanged() -> None:
    plan = plan_of()
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_what_was_sorted_out_is_not_sorted_again_where_the_items_stay() -> None:
    plan = plan_of()
    cached = plan.with_cache("folder")
    assert (cached.cache, cached.items) == ("folder", plan.items)
    assert cached.items is plan.items
    assert cached.remaining([*plan.items][:3]).items is plan.items


def test_a_thorough_run_asks_the_sweeps_of_what_compiles_and_says_so_where_a_case_is_run_again() -> None:
    compiles = replace(ONE, capabilities=replace(EVERYTHING, compiles=True))
    usual = replace(plan_of(), implementations=(compiles,))
    thorough = replace(usual, options=replace(usual.options, thorough=True))
    left_out = {case.id for _, case, _ in usual.unsupported()}
    assert {case.id for case in all_cases().values() if case.sweep} <= left_out
    undeclared = {case.id for _, case, _ in replace(plan_of(), implementations=(ONE,)).unsupported()}
    assert {case.id for _, case, _ in thorough.unsupported()} == undeclared
    assert not undeclared & {case.id for case in all_cases().values() if case.sweep}
    sweep = next(case for case in all_cases().values() if case.sweep)
    assert thorough.reproduce(compiles, sweep).endswith(" --thorough")
    assert "--thorough" not in replace(thorough, implementations=(ONE,)).reproduce(ONE, sweep)


def test_few_cases_are_judged_in_one_process_and_many_or_several_frameworks_in_more() -> None:
    few = plan_of(*[*all_cases()][: ITEMS_OF_PROCESS // 4])
    other = replace(ONE, name="other", target="module:Other")
    compiles = replace(ONE, capabilities=replace(EVERYTHING, compiles=True))
    assert processes_for(few) == 1
    assert processes_for(replace(few, implementations=(ONE, other))) == 2
    assert processes_for(replace(few, implementations=(compiles,))) > 1
    assert processes_for(plan_of()) > 4
    in_stages = replace(plan_of(), options=replace(plan_of().options, plain_first=True, cases=()))
    plain = in_stages.items.keys() - in_stages.later
    assert processes_for(in_stages) == 1 + len(plain) // ITEMS_OF_PROCESS < processes_for(plan_of())
    assert processes_for(plan_of(*[*large_cases()][:2])) == 3


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_signature_is_never_split_and_every_process_has_work(count: int) -> None:
    plan = plan_of()
    found = blocks(plan, count)
    places: dict[str, set[str]] = defaultdict(set)
    for name, (_, case) in plan.items.items():
        places[case.signature].add(found[name])
    assert all(len(place) == 1 for place in places.values())
    loads = [list(found.values()).count(block) for block in sorted(set(found.values()))]
    assert len(loads) == count
    assert min(loads) * count >= 0.7 * sum(loads)


def test_a_signature_has_the_same_number_in_implementations_that_can_much_and_that_can_less() -> None:
    less = replace(ONE, name="less", capabilities=replace(ONE.capabilities, masks=False, dtypes=frozenset({"float32"})))
    plan = Plan(RunOptions(cases=("*",)), (ONE, less), tuple(all_cases()), ())
    numbers: dict[str, set[str]] = defaultdict(set)
    for name, block in blocks(plan, 2).items():
        numbers[plan.items[name][1].signature].add(block.partition(SEPARATOR)[2])
    assert sum(len(found) > 1 for found in numbers.values()) <= len(numbers) // 10


def runs_of(cases: Iterable[Case]) -> list[str]:
    """The signatures of cases in order, each once where it stands several times in a row."""
    return [signature for signature, _ in groupby(case.signature for case in cases)]


def test_items_come_by_signature_and_the_long_ones_last() -> None:
    cases = [case for _, case in plan_of().items.values()]
    first, last = ([case for case in cases if case.long == long] for long in (False, True))
    assert cases == [*first, *last]
    for part in (first, last):
        assert len(runs_of(part)) == len({case.signature for case in part})


def test_items_of_what_compiles_come_by_signature_alone() -> None:
    plan = plan_of()
    compiles = tuple(replace(entry, capabilities=replace(entry.capabilities, compiles=True)) for entry in plan.runnable)
    cases = [case for _, case in replace(plan, implementations=compiles).items.values()]
    assert len(runs_of(cases)) == len({case.signature for case in cases})


def test_clauses_and_patterns_select_together() -> None:
    assert select_cases(("STAT-8",), ("*/nchw/float64/cum*", "grad/*")) == ["stat/nchw/float64/cumulative"]
    assert {all_cases()[case].family for case in select_cases(("PURE",), ())} == {"PURE"}


@pytest.mark.parametrize(
    ("clauses", "patterns", "words"),
    [
        (("FWD-99",), (), "there is no clause 'FWD-99'"),
        ((), ("nothing*",), "no case matches 'nothing*'"),
        ((), ("statt/*",), "no case matches 'statt/*'; did you mean stat/*"),
        ((), ("grad/nchv/float32/*",), "did you mean grad/nchw/float32/*"),
        (("STAT-8",), ("err/*",), "no case matches both"),
    ],
)
def test_a_selection_of_nothing_is_refused(clauses: tuple[str, ...], patterns: tuple[str, ...], words: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select_cases(clauses, patterns)
    assert words in str(caught.value)


# Known faults.

ENTRY = '\n\n[[fault]]\nimplementation = "a"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[fault]\n", "faults.toml: is not TOML"),
        (ENTRY, "faults.toml, line 3: give either case or clause"),
        (ENTRY + 'case = "x"\nclause = "y"\n', "line 3: give either case or clause"),
        (ENTRY + 'case = "x"\ncolour = "y"\n', "line 3: got an unexpected keyword argument 'colour'"),
        (ENTRY + "case = 3\n", "line 3: case is 3; give a text"),
        (ENTRY + "case = 'fwd/*'\nvaries = 'yes'\n", "line 3: varies is 'yes'; give true or false"),
        (ENTRY.replace('reason = "', 'reason = "DRAFT: ') + 'case = "x"\n', "line 3: the reason is a draft"),
        (ENTRY + 'case = "x"\nversions = { torch = "two" }\n', "line 3: Invalid specifier"),
        (ENTRY + 'case = "x"\nversions = "2"\n', "line 3: "),
        ('[[fault]]\ncase = "x"\nimplementation = "a"\n', "line 1: missing 1 required keyword-only argument: 'reason'"),
        ('[fault]\ncase = "x"\n', "holds something other than tables [[fault]]"),
        ('[[faults]]\ncase = "x"\n', "holds something other than tables [[fault]]"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(text: str, words: str) -> None:
    with pytest.raises(KnownFaultsError) as caught:
        parse_known_faults(text, "faults.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entry_may_carry_a_comment() -> None:
    (fault,) = parse_known_faults(
        '# mine\n [[ fault ]]  # one\nimplementation = "a"\nreason = "r"\nclause = "EDGE-4"\n', "f"
    )
    assert fault.line == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnownFaultsError, match=r"none\.toml: cannot be read"):
        load_known_faults(tmp_path / "none.toml")


def test_the_shipped_entries_speak_of_cases_that_exist() -> None:
    require_cases(shipped(), all_cases() | large_cases())  # a run asks it of a person's own alone, as it takes time
    for fault in shipped():
        assert any(fault.covers(case) for case in (all_cases() | large_cases()).values()), fault.title
        assert fault.reason


@pytest.mark.parametrize(
    ("versions", "platform", "applies"),
    [
        ({}, "", True),
        ({"torch": ">=2.0,<3"}, "", True),
        ({"torch": "<2"}, "", False),
        ({"jax": ">=0.1"}, "", False),
        ({}, sys.platform, True),
        ({}, "plan9", False),
    ],
)
def test_an_entry_applies_to_its_versions_and_platform(versions: dict[str, str], platform: str, applies: bool) -> None:
    fault = KnownFault(implementation="some[thing]", case="*", reason="r", versions=versions, platform=platform)
    assert fault.applies_to(ONE) is applies


@pytest.mark.parametrize(("device", "applies"), [("cpu", (True, False)), ("cuda", (False, True)), ("*", (True, True))])
def test_an_entry_speaks_of_the_cpu_unless_it_says_otherwise(device: str, applies: tuple[bool, bool]) -> None:
    fault = KnownFault(implementation="*", case="*", reason="r", device=device)
    assert KnownFault(implementation="*", case="*", reason="r").device == "cpu"
    assert (fault.applies_to(ONE), fault.applies_to(replace(ONE, device="cuda"))) == applies


def test_the_device_and_the_cache_are_filled_in_where_variables_name_them() -> None:
    implementation = replace(
        ONE, device="cuda", environment={"WHERE": "{device}:0", "KEPT": "{cache}/kept", "PLAIN": "{other}"}
    )
    assert implementation.variables("/run") == {"WHERE": "cuda:0", "KEPT": "/run/kept", "PLAIN": "{other}"}
    assert implementation.variables() == {"WHERE": "cuda:0", "PLAIN": "{other}"}


def test_an_entry_covers_its_cases_alone() -> None:
    edge, plain = all_cases()["edge/nc/float32/nan-in-dy"], all_cases()["fwd/nc/float32/random"]
    assert covering([FAULT], edge) is FAULT
    assert covering([FAULT], plain) is None
    assert applying([FAULT, replace(FAULT, implementation="other")], ONE) == [FAULT]
