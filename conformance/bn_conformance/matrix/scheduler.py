"""How pytest-xdist hands out the matrix: by implementation and block of signatures, in the order of the plan.

A process gets the blocks of its own number, implementation after implementation, so that it meets the same cases again
and has their goldens already; when none of them is left it takes others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from bn_conformance.matrix.blocks import SEPARATOR


class BlockScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist is untyped
    """Load scheduling whose scope is a block of `bn_conformance.matrix.blocks.blocks`.

    Args:
        config: of the session.
        log: xdist's log.
        block_of: item id to block.
    """

    def __init__(self, config: pytest.Config, log: Any, block_of: Mapping[str, str]) -> None:
        super().__init__(config, log)
        self._block_of = block_of
        self._indices: dict[str, int] = {}
        config.option.loadscopereorder = False

    def _assign_work_unit(self, node: Any) -> None:
        """As xdist's own, which looks every item up in a list and keeps what is done: that grows with its square."""
        self._indices = self._indices or {item: index for index, item in enumerate(self.registered_collections[node])}
        own = f"{SEPARATOR}{list(self.registered_collections).index(node)}"
        scope = next((scope for scope in self.workqueue if scope.endswith(own)), next(reversed(self.workqueue)))
        unit = self.workqueue.pop(scope)
        doing = {name: items for name, items in self.assigned_work.get(node, {}).items() if not all(items.values())}
        self.assigned_work[node] = {**doing, scope: unit}
        node.send_runtest_some([self._indices[item] for item, done in unit.items() if not done])

    def _split_scope(self, nodeid: str) -> str:
        return self._block_of.get(item_id(nodeid), nodeid)


def item_id(nodeid: str) -> str:
    """The id `implementation::case` in a pytest node id `path::test_case[implementation::case]`."""
    return nodeid.partition("::test_case[")[2].removesuffix("]")
