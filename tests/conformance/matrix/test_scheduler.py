"""How xdist's processes are given the matrix, and what happens when one of them ends."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

from xdist.remote import Producer

from bn_conformance.matrix.attempts import LOST_ITEMS
from bn_conformance.matrix.node_ids import gates, item_id
from bn_conformance.matrix.scheduler import BlockScheduling


class Node:
    """Stands for a process of xdist."""

    shutting_down = False

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def scheduled(
    block_of: dict[str, str],
    *nodes: Node,
    give_up: Callable[[str, str], None] = lambda item, why: None,
    later: Collection[str] = (),
    asks: Callable[[], bool] = lambda: True,
) -> BlockScheduling:
    """The scheduler after every process has collected the items and has got its first blocks."""
    options: dict[str, object] = {"tx": ["popen"] * len(nodes), "maxprocesses": None, "loadscopereorder": True}
    config: Any = SimpleNamespace(option=SimpleNamespace(**options), getvalue=options.__getitem__)
    scheduling = BlockScheduling(config, Producer("test", enabled=False), block_of, give_up, later, asks)
    for node in nodes:
        scheduling.add_node(node)
    for node in nodes:
        scheduling.add_node_collection(node, [f"::test_case[{item}]" for item in block_of])
    scheduling.schedule()
    return scheduling


def test_a_process_gets_the_blocks_of_its_number_and_then_others() -> None:
    nodes, blocks = (Node("first"), Node("second")), ("a#0", "a#1", "b#0", "b#1")
    block_of = [block for block in blocks for _ in range(3)]
    scheduling = scheduled({f"item{index}": block for index, block in enumerate(block_of)}, *nodes)
    for done in range(4):
        scheduling.mark_test_complete(nodes[1], nodes[1].given[done])
    given = [list(dict.fromkeys(block_of[index] for index in node.given)) for node in nodes]
    assert given == [["a#0"], ["a#1", "b#1", "b#0"]]


def test_what_a_lost_process_had_done_is_not_done_again() -> None:
    lost, other = Node("lost"), Node("other")
    block_of = ["a#0"] * 4 + ["b#1"] * 3 + ["c#0"]
    scheduling = scheduled({f"item{index}": block for index, block in enumerate(block_of)}, lost, other)
    assert (lost.given, other.given) == ([0, 1, 2, 3], [4, 5, 6])
    scheduling.mark_test_complete(lost, 0)
    scheduling.remove_node(lost)
    for done in (4, 5):
        scheduling.mark_test_complete(other, done)
    assert 0 not in other.given
    assert {1, 2, 3} <= set(other.given)


def replaced(scheduling: BlockScheduling, lost: Node, items: int) -> tuple[str | None, Node]:
    """A process that ended, and the one that xdist starts in its place: the lost item, and the new process."""
    item, other = scheduling.remove_node(lost), Node("replacement")
    scheduling.add_node(other)
    scheduling.add_node_collection(other, list(scheduling.collection or ()))
    scheduling.schedule()
    assert not set(other.given) - set(range(items))
    return item, other


def test_an_item_that_ends_its_process_is_tried_once_more_and_then_lost() -> None:
    first = Node("first")
    scheduling = scheduled({f"a::{index}": "a#0" for index in range(4)}, first)
    scheduling.mark_test_complete(first, 0)
    item, second = replaced(scheduling, first, 4)
    assert (item, second.given) == (None, [1, 2, 3])
    item, third = replaced(scheduling, second, 4)
    assert item is not None
    assert (item_id(item), third.given) == ("a::1", [2, 3])


def test_one_process_goes_on_with_one_item_left_in_each_block() -> None:
    first = Node("first")
    scheduling = scheduled({"a::0": "a#0", "b::0": "b#0", "c::0": "c#0", "c::1": "c#0", "c::2": "c#0"}, first)
    _, second = replaced(scheduling, first, 5)
    assert len(second.given) >= 2 or second.shutting_down


def test_the_last_item_alone_is_run_at_once() -> None:
    first = Node("first")
    scheduling = scheduled({"a::0": "a#0", "a::1": "a#0"}, first)
    scheduling.mark_test_complete(first, 0)
    _, second = replaced(scheduling, first, 2)
    assert second.given == [1]
    assert second.shutting_down


def test_a_replacement_goes_on_with_the_blocks_of_the_process_that_ended() -> None:
    nodes = Node("first"), Node("second")
    blocks = [f"{name}#{number}" for name in "abc" for number in (0, 1) for _ in range(3)]
    block_of = {f"{block[0]}::{index}": block for index, block in enumerate(blocks)}
    scheduling = scheduled(block_of, *nodes)
    _, other = replaced(scheduling, nodes[0], len(block_of))
    for done in other.given[:1]:
        scheduling.mark_test_complete(other, done)
    assert {list(block_of.values())[index] for index in other.given} == {"a#0", "b#0"}


def test_an_implementation_that_loses_several_items_is_given_up_and_the_others_go_on() -> None:
    given_up: list[str] = []
    block_of = {f"a::{index}": f"a#{index // 5}" for index in range(10)} | {f"b::{index}": "b#0" for index in range(3)}
    node = Node("first")
    scheduling = scheduled(block_of, node, give_up=lambda item, why: given_up.append(item))
    lost: list[str] = []
    while len(lost) < LOST_ITEMS:
        item, node = replaced(scheduling, node, 13)
        lost += [item_id(item)] if item else []
    assert [*lost, *given_up] == [f"a::{index}" for index in range(10)]
    assert [list(block_of)[index] for index in node.given] == ["b::0", "b::1", "b::2"]


def test_an_item_is_found_in_a_node_id() -> None:
    assert (
        item_id("matrix/test_matrix.py::test_case[keras[jax]::fwd/nc/float32/random]")
        == "keras[jax]::fwd/nc/float32/random"
    )


class Asked:
    """Asks the later stage, and counts how often it was called."""

    times = 0

    def __call__(self) -> bool:
        self.times += 1
        return True


def in_stages(*nodes: Node, asks_later: Callable[[], bool], later: str = "b") -> BlockScheduling:
    """Three plain items and three later ones, a block each, and a gate for each process."""
    items = [f"{name}::{index}" for name in f"a{later}" for index in range(3)]
    block_of = {item: f"{item}#0" for item in items} | {gate: gate for gate in gates(len(nodes))}
    return scheduled(block_of, *nodes, later=frozenset(item for item in items if item[0] == "b"), asks=asks_later)


def work_off(scheduling: BlockScheduling, node: Node) -> list[int]:
    """Have a process run all that it may: an item starts once the next one is known."""
    done = 0
    while done < len(node.given) - (not node.shutting_down):
        scheduling.mark_test_complete(node, node.given[done])
        done += 1
    return node.given[:done]


def test_the_later_stage_begins_when_all_of_the_first_is_done() -> None:
    first, second, asked = Node("first"), Node("second"), Asked()
    scheduling = in_stages(first, second, asks_later=asked)
    assert {*first.given, *second.given} == {0, 1, 2, 6, 7}
    work_off(scheduling, second)
    assert asked.times == 0
    assert not scheduling.tests_finished
    work_off(scheduling, first)
    assert asked.times == 1
    assert {3, 4, 5} <= {*first.given, *second.given}


def test_a_later_stage_that_is_not_asked_is_not_handed_out() -> None:
    node = Node("first")
    scheduling = in_stages(node, asks_later=lambda: False)
    assert work_off(scheduling, node) == [0, 1, 2, 6]
    assert node.shutting_down
    assert scheduling.tests_finished


def test_a_process_that_ends_at_its_gate_holds_nothing_up() -> None:
    first, second = Node("first"), Node("second")
    scheduling = in_stages(first, second, asks_later=lambda: True)
    work_off(scheduling, second)
    scheduling.remove_node(second)
    work_off(scheduling, first)
    assert {3, 4, 5} <= set(first.given)


def test_a_process_that_ends_in_the_first_stage_is_replaced_within_it() -> None:
    lost, asked = Node("lost"), Asked()
    scheduling = in_stages(lost, asks_later=asked)
    scheduling.mark_test_complete(lost, 0)
    _, other = replaced(scheduling, lost, 7)
    assert other.given == [1, 2, 6]
    assert asked.times == 0
    work_off(scheduling, other)
    assert set(other.given) == {1, 2, 3, 4, 5, 6}
    assert asked.times == 1


def test_what_was_given_up_in_the_first_stage_is_not_tried_in_the_later_one() -> None:
    given_up, node = list[str](), Node("first")
    block_of = {f"a::{index}": f"a::{index}#0" for index in range(LOST_ITEMS + 2)} | {gate: gate for gate in gates(1)}
    later = [f"a::{index}" for index in range(LOST_ITEMS, LOST_ITEMS + 2)]
    scheduling = scheduled(block_of, node, give_up=lambda item, why: given_up.append(item), later=later)
    for _ in range(2 * LOST_ITEMS):
        _, node = replaced(scheduling, node, len(block_of))
    work_off(scheduling, node)
    assert given_up == later
    assert node.shutting_down


def test_without_a_later_item_there_is_one_stage() -> None:
    node = Node("first")
    scheduling = in_stages(node, asks_later=lambda: False, later="a")
    assert work_off(scheduling, node) == node.given
    assert node.shutting_down
