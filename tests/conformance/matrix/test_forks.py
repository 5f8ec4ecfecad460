"""The judging processes of a check: forks of one, which share its work and may end."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.good_numpy import EVERYTHING

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.process import Process
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix import forks
from bn_conformance.matrix.attempts import LOST_ITEMS, TRIES
from bn_conformance.matrix.blocks import ITEMS_OF_FORK
from bn_conformance.matrix.forks import Forks, forks_for
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.reports import Finding
from bn_conformance.options import RunOptions
from bn_conformance.results.json_line import from_line
from bn_conformance.results.records import Item

pytestmark = pytest.mark.skipif(not forks.CAN_FORK, reason="no process is forked here")

ONE = Implementation(name="mine", target="module:Class", capabilities=EVERYTHING)
HERE = os.getpid()
PAGE = 4096
"""Bytes that the pipes of a user hold who has too many."""


class Judge:
    """Stands for a runner: judges in a millisecond, ends its process at some cases and fails at others.

    A record tells in its message which process made it.
    """

    ends_at: tuple[str, ...] = ()
    ends_once_at: tuple[str, ...] = ()
    errs_at: tuple[str, ...] = ()
    notes: Path

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def run(self, implementation: Implementation, case: Case) -> Item:
        time.sleep(0.001)
        first_time = not (self.notes / case.id.replace("/", " ")).exists()
        (self.notes / case.id.replace("/", " ")).touch()
        if os.getpid() != HERE and (case.id in self.ends_at or (case.id in self.ends_once_at and first_time)):
            os.kill(os.getpid(), signal.SIGKILL)
        if case.id in self.errs_at:
            raise RuntimeError("a mistake in the suite")
        return Item(
            implementation=implementation.name, case=case.id, outcome="exact", verdict="pass", message=str(os.getpid())
        )

    def close(self) -> None:
        """Nothing is to be ended."""


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Judge]:
    class Own(Judge):
        notes = tmp_path

    monkeypatch.setattr(forks, "Runner", Own)
    return Own


@pytest.fixture
def idle_here(judge: type[Judge], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process takes nothing while forks run, so that each item meets one."""
    monkeypatch.setattr(forks, "taken", lambda numbers: None)


def plan_of(*patterns: str, options: RunOptions | None = None, implementation: Implementation = ONE) -> Plan:
    chosen = [case for case in all_cases() if case.startswith(patterns)]
    return Plan(options or RunOptions(), (implementation,), tuple(chosen), ())


def found(plan: Plan, count: int = 1, asks_later: bool = True) -> Iterator[Finding]:
    """What becomes of the items of a plan."""
    judging = Forks(plan, {}, count)
    try:
        yield from (finding for finding in judging.judge(lambda: asks_later) if finding is not None)
    finally:
        judging.close()


def records(findings: Iterator[Finding]) -> dict[str, str]:
    """Which process judged what, or why it is lost."""
    told = {}
    for finding in findings:
        record = from_line(finding) if isinstance(finding, str) else finding
        assert isinstance(record, Item | tuple)
        name, what = (record.id, record.message) if isinstance(record, Item) else record
        assert name not in told
        told[name] = what
    return told


@pytest.mark.usefixtures("judge")
def test_each_item_is_judged_once_and_all_processes_judge() -> None:
    plan = plan_of("fwd/", "grad/")
    told = records(found(plan, 2))
    assert told.keys() == plan.items.keys()
    assert str(HERE) in told.values()
    assert len({*told.values()}) == 3


@pytest.mark.usefixtures("judge")
def test_a_pipe_that_holds_fewer_numbers_than_there_are_blocks_is_filled_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = os.pipe

    def small() -> tuple[int, int]:
        ends = made()
        assert fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PAGE) == PAGE
        return ends

    monkeypatch.setattr(os, "pipe", small)
    plan = plan_of("", options=RunOptions(cases=("*",)))
    assert len(plan.items) > PAGE // 4
    assert records(found(plan, 2)).keys() == plan.items.keys()


@pytest.mark.usefixtures("judge")
def test_the_later_stage_waits_for_the_first_and_may_not_be_asked() -> None:
    plan = plan_of("num/nc/", options=RunOptions(plain_first=True))
    assert 0 < len(plan.later) < len(plan.items)
    order = [*records(found(plan))]
    places = [name in plan.later for name in order]
    assert places == sorted(places)
    assert {*order} == {*plan.items}
    assert records(found(plan, asks_later=False)).keys() == plan.items.keys() - plan.later


def test_what_is_judged_already_is_told_and_not_judged_again(judge: type[Judge]) -> None:
    plan = plan_of("fwd/nc/float32/")
    first = next(iter(plan.items))
    known = Item(implementation="mine", case=plan.items[first][1].id, outcome="exact", verdict="pass", message="known")
    judging = Forks(plan, {first: known}, 1)
    told = records(finding for finding in judging.judge(lambda: True) if finding is not None)
    judging.close()
    assert told.keys() == plan.items.keys()
    assert told[first] == "known"
    assert not (judge.notes / known.case.replace("/", " ")).exists()


@pytest.mark.usefixtures("idle_here")
def test_a_process_that_ends_is_replaced_and_its_item_tried_once_more(judge: type[Judge]) -> None:
    plan = plan_of("fwd/nc/")
    cases = [case.id for _, case in plan.items.values()]
    judge.ends_once_at, judge.ends_at = (cases[1],), (cases[3],)
    told = records(found(plan))
    assert told.keys() == plan.items.keys()
    assert [name for name, what in told.items() if not what.isdecimal()] == [f"mine::{cases[3]}"]
    assert f"ended {TRIES} times" in told[f"mine::{cases[3]}"]
    assert len({what for what in told.values() if what.isdecimal()}) == 3


@pytest.mark.parametrize("in_stages", [False, True])
def test_what_ends_its_process_again_and_again_is_given_up_in_all_stages(
    judge: type[Judge], monkeypatch: pytest.MonkeyPatch, in_stages: bool
) -> None:
    plan = plan_of("fwd/nc/", options=RunOptions(plain_first=in_stages))
    judge.ends_at = tuple(case.id for _, case in plan.items.values())
    taken, told = forks.taken, dict[str, str]()
    monkeypatch.setattr(forks, "taken", lambda numbers: taken(numbers) if len(told) >= LOST_ITEMS else None)
    for finding in found(plan):
        assert isinstance(finding, tuple)
        told |= [finding]
    assert told.keys() == plan.items.keys()
    assert sum("ended 2 times" in why for why in told.values()) == LOST_ITEMS
    assert sum("given up" in why for why in told.values()) == len(plan.items) - LOST_ITEMS


@pytest.mark.usefixtures("judge")
@pytest.mark.parametrize("count", [1, 2])
def test_what_a_process_took_and_did_not_say_is_judged_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int
) -> None:
    following = forks.awaited

    def ends(numbers: int) -> int | None:
        number = following(numbers)
        try:
            (tmp_path / "ended").touch(exist_ok=False)
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    monkeypatch.setattr(forks, "awaited", ends)
    plan = plan_of("fwd/nc/")
    assert records(found(plan, count)).keys() == plan.items.keys()
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize("count", [0, 1])
def test_an_error_of_the_suite_is_told_of_its_item_alone(
    judge: type[Judge], count: int, request: pytest.FixtureRequest
) -> None:
    if count:
        request.getfixturevalue("idle_here")
    plan = plan_of("fwd/nc/")
    name = [*plan.items][2]
    judge.errs_at = (plan.items[name][1].id,)
    told = records(found(plan, count))
    assert told.keys() == plan.items.keys()
    assert "RuntimeError: a mistake in the suite" in told.pop(name)
    assert all(what.isdecimal() for what in told.values())


@pytest.mark.usefixtures("judge")
def test_what_is_compiled_for_a_signature_is_judged_by_one_process() -> None:
    compiles = replace(ONE, capabilities=replace(EVERYTHING, compiles=True))
    plan = plan_of("fwd/", "grad/", "stat/", implementation=compiles)
    processes: dict[str, set[str]] = {}
    for name, process in records(found(plan, 2)).items():
        processes.setdefault(plan.items[name][1].signature, set()).add(process)
    assert {len(own) for own in processes.values()} == {1}
    assert len(set.union(*processes.values())) == 3


@pytest.mark.usefixtures("judge")
def test_a_fork_is_heard_while_this_process_judges_a_long_block() -> None:
    compiles = replace(ONE, capabilities=replace(EVERYTHING, compiles=True))
    plan = plan_of("fwd/", "grad/", "stat/", implementation=compiles)
    signatures = [case.signature for _, case in plan.items.values()]
    first = signatures[0]
    assert signatures.count(first) > 20
    told = [*records(found(plan)).items()]
    of_first = [place for place, (name, _) in enumerate(told) if plan.items[name][1].signature == first]
    assert any(process != str(HERE) for _, process in told[of_first[0] : of_first[-1]])


@pytest.mark.usefixtures("judge")
def test_no_process_is_left_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, pids = os.fork, list[int]()

    def noted() -> int:
        pids.append(fork())
        return pids[-1]

    monkeypatch.setattr(os, "fork", noted)
    judging = Forks(plan_of("fwd/nc/"), {}, 2)
    judging.close()
    judging.close()
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.usefixtures("judge")
def test_there_is_a_fork_for_each_hundred_items_and_all_that_are_asked_for() -> None:
    few, many = plan_of("fwd/nc/"), plan_of("fwd/", "grad/")
    assert len(few.items) < ITEMS_OF_FORK < len(many.items)
    assert forks_for(few, {}, 2, fewest=True) is None
    for plan, fewest in ((few, False), (many, True)):
        judging = forks_for(plan, {}, 2, fewest)
        assert judging is not None
        judging.close()
    assert forks_for(many, {}, 1, fewest=False) is None


@pytest.mark.usefixtures("judge")
def test_without_leave_to_fork_this_process_judges_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refused)
    plan = plan_of("fwd/nc/")
    assert {*records(found(plan)).values()} == {str(HERE)}


def test_a_process_that_is_let_go_runs_on() -> None:
    process = Process({})
    pid = process.pid
    child = os.fork()
    if not child:
        process.let_go()
        os._exit(0)
    os.waitpid(child, 0)
    os.kill(pid, 0)
    process.close()
