"""The judging processes of a check: this one, and forks of it, which start at once with all that it has loaded.

Blocks of items are numbers in a pipe, as the tokens of make's job server are: each process takes the next number when
it has nothing to do. This one judges as well, and hears what the others say between two blocks of its own.

A fork that ends while it judges an item is replaced, and the item is tried once more, by its successor. Each process
has a worker process of its own for the layers. None computes in threads, so that no lock is copied while it is held.
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

from bn_conformance.hosting.kept import leave_to_parent
from bn_conformance.matrix.attempts import Attempts, not_tried
from bn_conformance.matrix.blocks import ITEMS_OF_FORK, processes_for
from bn_conformance.matrix.fork import BEGUN, FAILED, JUDGED, Fork
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.reports import Finding
from bn_conformance.matrix.runner import Runner
from bn_conformance.results.json_line import to_line
from bn_conformance.results.records import Item

CAN_FORK = sys.platform == "linux"
"""Whether a process may be forked that goes on computing: libraries of other systems forbid it."""

_NUMBER = struct.Struct("=I")
_WAIT = 1.0
"""Seconds after which it is looked whether the run was asked to stop."""


class Forks:
    """Judges the items of a plan in several processes.

    Args:
        plan: of the run.
        judged: items of it that are judged already, by id.
        count: how many processes judge beside this one.
    """

    def __init__(self, plan: Plan, judged: Mapping[str, Item], count: int) -> None:
        self._plan, self._judged = plan, judged
        asked = [item for item in plan.to_judge if item not in judged]
        stages = ([item for item in asked if (item in plan.later) is later] for later in (False, True))
        self._stages = [[*_blocks(plan, stage)] for stage in stages]
        self._blocks = [block for stage in self._stages for block in stage]
        self._runner, self._attempts = Runner(plan), Attempts()
        self._numbers, self._sink = os.pipe()
        for end in (self._numbers, self._sink):
            os.set_blocking(end, False)
        self._waiting = deque[int]()
        self._forks: dict[int, Fork] = {}
        for _ in range(count):
            self._start()

    def judge(self, asks_later: Callable[[], bool]) -> Iterator[Finding | None]:
        """Judge all items, those of the later stage once all others are through.

        Args:
            asks_later: says then whether the later stage is asked.

        Yields:
            What is known of an item; or None, where nothing came for a while.
        """
        first, later = self._stages
        yield from self._judged.values()
        yield from self._judge(range(len(first)))
        if later and asks_later():
            yield from self._judge(range(len(first), len(self._blocks)))

    def close(self) -> None:
        """End the processes, and leave that of the layers."""
        self._runner.close()
        if self._sink >= 0:
            os.close(self._sink)
            os.close(self._numbers)
            self._sink = -1
        while self._forks:
            _, fork = self._forks.popitem()
            fork.end()

    def _judge(self, numbers: Sequence[int]) -> Iterator[Finding | None]:
        given_up = {number for number in numbers if self._attempts.given_up(self._blocks[number][0])}
        yield from not_tried(item for number in sorted(given_up) for item in self._blocks[number])
        numbers = [number for number in numbers if number not in given_up]
        missing = {item for number in numbers for item in self._blocks[number]}
        self._waiting.extend(numbers)
        while missing:
            number = self._taken()
            silent = number is None
            for own in (None,) if number is None else self._blocks[number]:
                if own is not None:
                    missing.discard(own)
                    yield self._judged_here(own)
                for item, found in self._heard(_WAIT if own is None else 0.0):  # a fork waits that is not heard
                    missing.discard(item)
                    silent = False
                    yield found
            if silent:
                yield None
            if silent and not (self._waiting or any(fork.left for fork in self._forks.values())):
                # Nobody has what is missing: a fork ended after it took a number, before it said so.
                yield from map(self._judged_here, sorted(missing))
                missing.clear()

    def _taken(self) -> int | None:
        """The next number; None where there is none now. The pipe is filled before: it may hold no more than a page."""
        with suppress(BlockingIOError):
            while self._waiting:
                os.write(self._sink, _NUMBER.pack(self._waiting[0]))
                self._waiting.popleft()
        return taken(self._numbers)

    def _judged_here(self, item: str) -> Finding:
        try:
            return self._runner.run(*self._plan.items[item])
        except Exception:  # an error of the suite, not of the layer
            return item, traceback.format_exc()

    def _heard(self, seconds: float) -> Iterator[tuple[str, Finding]]:
        """What forks say of items, by id, at once or within a time."""
        ready, _, _ = select.select([*self._forks], [], [], seconds)
        for descriptor in ready:
            fork = self._forks[descriptor]
            yield from fork.heard()
            if fork.ended:
                del self._forks[descriptor]
                yield from ((lost[0], lost) for lost in self._replaced(fork))

    def _replaced(self, fork: Fork) -> Iterator[tuple[str, str]]:
        """Start another fork for one that ended by itself, and give the items that are lost."""
        fork.end()
        if not fork.left:
            return
        lost, rest = self._attempts.after_end([*fork.left])
        yield from lost
        if self._attempts.given_up(fork.left[0]):
            while (number := self._taken()) is not None:
                yield from not_tried(self._blocks[number])
        elif not self._start(rest):
            yield from ((item, "no process can be started for it") for item in rest)

    def _start(self, first: Sequence[str] = ()) -> bool:
        """Start a fork, which judges some items before it takes blocks; whether the system allows one more."""
        try:
            fork = Fork(first, self._serve)
        except OSError:
            return False
        self._forks[fork.descriptor] = fork
        return True

    def _serve(self, first: Sequence[str], say: Callable[[str, str], None]) -> None:
        """In a fork: judge blocks until the process that forked it has no more."""
        os.close(self._sink)
        for fork in self._forks.values():
            fork.let_go()
        leave_to_parent()
        runner, block = Runner(self._plan), first
        while True:
            for item in block:
                try:
                    say(JUDGED, to_line(runner.run(*self._plan.items[item])))
                except Exception:  # an error of the suite, not of the layer
                    say(FAILED, json.dumps([item, traceback.format_exc()]))
            if (number := awaited(self._numbers)) is None:
                break
            block = self._blocks[number]
            say(BEGUN, json.dumps(block))
        runner.close()


def forks_for(plan: Plan, judged: Mapping[str, Item], count: int, fewest: bool) -> Forks | None:
    """The processes that judge a plan; None where this one does it alone.

    Args:
        plan: of the run.
        judged: items of it that are judged already, by id.
        count: of the processes, this one among them.
        fewest: whether there are no more than are worth it.
    """
    if fewest:
        count = min(count, processes_for(plan, ITEMS_OF_FORK))
    return Forks(plan, judged, count - 1) if count > 1 else None


def _blocks(plan: Plan, items: Sequence[str]) -> Iterator[list[str]]:
    """What a process takes at a time: an item, or all of a signature where layers are compiled for each."""

    def together(item: str) -> str:
        implementation, case = plan.items[item]
        return f"{implementation.name} {case.signature}" if implementation.capabilities.compiles else item

    return (list(block) for _, block in groupby(items, together))


def taken(numbers: int) -> int | None:
    """The next number in the pipe; None where there is none now."""
    with suppress(BlockingIOError):
        return _number(os.read(numbers, _NUMBER.size))
    return None


def awaited(numbers: int) -> int | None:
    """The next number in the pipe, which is waited for; None where no more will come."""
    while True:
        select.select([numbers], [], [])
        with suppress(BlockingIOError):  # another process took it
            return _number(os.read(numbers, _NUMBER.size))


def _number(read: bytes) -> int | None:
    return _NUMBER.unpack(read)[0] if read else None
