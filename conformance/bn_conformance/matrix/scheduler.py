"""How pytest-xdist hands out the matrix: by implementation and block of signatures, in the order of the plan.

A process gets the blocks of its own number, implementation after implementation, so that it meets the same cases again
and has their goldens already; when none of them is left it takes others.

A process that ends while it runs an item is replaced, and the item is tried once more, first of all. An item that ends
its process twice is lost, and the rest goes on. An implementation that loses several items is given up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from bn_conformance.matrix.attempts import LOST_ITEMS, TRIES
from bn_conformance.matrix.blocks import SEPARATOR
from bn_conformance.matrix.node_ids import is_gate, item_id
from bn_conformance.results.records import split_id

_ENOUGH = 3
"""Items that a process has before it: xdist's processes start an item when they know the next one."""


class BlockScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist is untyped
    """Load scheduling whose scope is a block of `bn_conformance.matrix.blocks.blocks`.

    Args:
        config: of the session.
        log: xdist's log.
        block_of: item id to block.
        give_up: called with the id of an item that will not be tried, and why.
        later: ids of the items of a later stage.
        asks_later: called once all others are done: whether those of the later stage are handed out.
    """

    def __init__(
        self,
        config: pytest.Config,
        log: Any,
        block_of: Mapping[str, str],
        give_up: Callable[[str, str], None],
        later: Collection[str] = (),
        asks_later: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(config, log)
        self._block_of, self._give_up = block_of, give_up
        self._later_ids, self._asks_later = later, asks_later
        self._later: dict[str, dict[str, bool]] = {}
        self._at_gate: dict[Any, str] = {}
        self._indices: dict[str, int] = {}
        self._numbers: dict[Any, int] = {}
        self._ends: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        config.option.loadscopereorder = False

    def add_node(self, node: Any) -> None:
        """Add a process; one that replaces another gets its number."""
        super().add_node(node)
        self._numbers[node] = min(set(range(len(self._numbers) + 1)) - {*self._numbers.values()})

    @property
    def tests_finished(self) -> bool:
        """Whether all is handed out and nearly done."""
        return not self._later and super().tests_finished

    def schedule(self) -> None:
        """Hand out the first blocks; later calls give a new process what is left."""
        if self.collection is None and self._check_nodes_have_same_collection():
            self.collection: list[str] | None = list(next(iter(self.registered_collections.values())))
            for nodeid in self.collection or ():
                if not is_gate(nodeid):
                    queue = self._later if item_id(nodeid) in self._later_ids else self.workqueue
                    queue.setdefault(self._split_scope(nodeid), {})[nodeid] = False
            for node in self.nodes[: len(self.workqueue)]:
                self._assign_work_unit(node)
        for node in self.nodes:
            self._reschedule(node)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Note that a process is through with an item, and give it more to do."""
        if is_gate(self.registered_collections[node][item_index]):
            self._reschedule(node)
        else:
            super().mark_test_complete(node, item_index, duration)

    def remove_node(self, node: Any) -> str | None:
        """Remove a process. What it had left to do is handed out again.

        Returns:
            The item that is lost because it ended its process too often, as the id of pytest; else None.
        """
        workload = self.assigned_work.pop(node)
        self._numbers.pop(node)
        self._at_gate.pop(node, None)
        lost = self._ended(workload)
        unfinished = {scope: unit for scope, unit in workload.items() if not all(unit.values())}
        for scope, unit in reversed(unfinished.items()):
            self.workqueue[scope] = unit
            self.workqueue.move_to_end(scope, last=False)
        for other in self.assigned_work:
            self._reschedule(other)
        return lost

    def _ended(self, workload: Mapping[str, dict[str, bool]]) -> str | None:
        """The item that a process was running when it ended, if it is lost; it is marked as done then."""
        running = ((unit, item) for unit in workload.values() for item, done in unit.items() if not done)
        unit, item = next(running, (None, ""))
        if unit is None:
            return None
        self._ends[item] += 1
        implementation, _ = split_id(item_id(item))
        if self._ends[item] < TRIES and self._lost[implementation] < LOST_ITEMS:
            return None
        unit[item] = True
        self._lost[implementation] += 1
        if self._lost[implementation] >= LOST_ITEMS:
            self._give_up_all(implementation, workload)
        return item

    def _give_up_all(self, implementation: str, workload: Mapping[str, dict[str, bool]]) -> None:
        """Mark what is left of an implementation as done: in the workload of a process that ended, and in the queue."""
        for unit in [*workload.values(), *self.workqueue.values()]:
            for item in [item for item, done in unit.items() if not done]:
                if split_id(item_id(item))[0] == implementation:
                    unit[item] = True
                    message = f"not tried: given up after {LOST_ITEMS} items that ended the process that judged them"
                    self._give_up(item_id(item), message)
        for scope in [scope for scope, unit in self.workqueue.items() if all(unit.values())]:
            del self.workqueue[scope]

    def _reschedule(self, node: Any) -> None:
        """Give a process blocks until it has enough to do, or tell it that there are no more."""
        while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) < _ENOUGH:
            self._assign_work_unit(node)
        if self._later:
            self._wait(node)
        elif not self.workqueue and not node.shutting_down:
            node.shutdown()

    def _wait(self, node: Any) -> None:
        """Send a process that has no more to do in this stage to its gate, and end the stage where nothing is left.

        A process starts an item once it knows the next one, so that only a gate after its last item makes it run that.
        """
        if not self.workqueue and not node.shutting_down and node not in self._at_gate:
            self._indices = self._indices or self._indexed(node)
            self._at_gate[node] = gate = next(gate for gate in self._gates() if gate not in self._at_gate.values())
            node.send_runtest_some([self._indices[gate]])
        if not self.has_pending:
            later, self._later = self._later, {}
            if self._asks_later():
                self.workqueue.update(later)
                for implementation in [name for name, lost in self._lost.items() if lost >= LOST_ITEMS]:
                    self._give_up_all(implementation, {})
            for other in self.nodes:
                self._reschedule(other)

    def _gates(self) -> Iterator[str]:
        return (nodeid for nodeid in self.collection or () if is_gate(nodeid))

    def _indexed(self, node: Any) -> dict[str, int]:
        return {item: index for index, item in enumerate(self.registered_collections[node])}

    def _assign_work_unit(self, node: Any) -> None:
        """As xdist's own, which looks every item up in a list and keeps what is done: that grows with its square."""
        self._indices = self._indices or self._indexed(node)
        self._at_gate.pop(node, None)
        own = f"{SEPARATOR}{self._numbers[node]}"
        scope = next((scope for scope in self.workqueue if scope.endswith(own)), next(reversed(self.workqueue)))
        unit = self.workqueue.pop(scope)
        doing = {name: items for name, items in self.assigned_work.get(node, {}).items() if not all(items.values())}
        self.assigned_work[node] = {**doing, scope: unit}
        node.send_runtest_some([self._indices[item] for item, done in unit.items() if not done])

    def _split_scope(self, nodeid: str) -> str:
        return self._block_of.get(item_id(nodeid), nodeid)
