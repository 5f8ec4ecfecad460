"""Calls made at the same time in Python threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def together(calls: Sequence[Callable[[], T]], rounds: int) -> list[list[T]]:
    """Run every call in a thread of its own, round by round, all beginning a round at the same time.

    Returns:
        What each call gave in each round, a list per call.

    Raises:
        Exception: the first that a call raised; the others stop at their next round.
    """
    barrier = threading.Barrier(len(calls))

    def work(call: Callable[[], T]) -> list[T]:
        given = []
        try:
            for _ in range(rounds):
                barrier.wait()
                given.append(call())
        except BaseException:
            barrier.abort()
            raise
        return given

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(work, call) for call in calls]
    raised = [error for error in (future.exception() for future in futures) if error is not None]
    for error in raised:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return [future.result() for future in futures]
