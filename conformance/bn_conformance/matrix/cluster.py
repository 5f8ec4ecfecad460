"""The matrix on a cluster of Ray: blocks of work are tasks, and their records come back to the one process that writes.

Ray is imported when a run asks for it. A task asks for one processor, and one GPU where its implementation runs on one.
What a node that is lost had left to do is done on another.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bn_conformance.identity.fingerprint import PARTS, library_variables
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix.attempts import Attempts
from bn_conformance.matrix.blocks import blocks
from bn_conformance.matrix.cluster_work import judge_block, same_everywhere
from bn_conformance.matrix.plan import Plan
from bn_conformance.results.records import Environment, split_id
from bn_conformance.user_error import UserError

CONNECT = 10.0
"""Seconds that a connection to the cluster may take."""

WAIT = 1.0
"""Seconds after which it is looked whether the run was asked to stop."""

BLOCK = 200
"""Items of a block at most, so that the end of a run keeps every node busy."""


class NodeDiffers(UserError):
    """A node of the cluster has other files or packages than the machine that started the run."""


class Cluster:
    """A cluster that judges items.

    Args:
        address: of the cluster, as Ray takes it.
        implementations: that it will judge.

    Raises:
        UserError: Ray is not installed, there is no such cluster, or it lacks what an implementation needs.
    """

    def __init__(self, address: str, implementations: Sequence[Implementation]) -> None:
        self._ray = _ray()
        self._attempts = Attempts()
        self._running: dict[Any, deque[str]] = {}
        self._checked: set[Any] = set()
        variables = {name: text for entry in implementations for name, text in library_variables(entry)}
        variables |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        _check_address(address)
        quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        try:
            self._ray.init(address=address, runtime_env={"env_vars": variables}, **quiet)
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise UserError(f"--ray {address}: there is no such cluster ({first}); give HOST:PORT, or auto") from None
        there = self._ray.cluster_resources()
        for entry in implementations:
            for name, count in _needs(entry).items():
                if there.get(name, 0) < count:
                    self.close()
                    raise UserError(f"--ray {address}: no node has the {name} that {entry.name} needs")

    def close(self) -> None:
        """End what still runs, and leave the cluster."""
        if self._ray.is_initialized():
            for stream in self._running:
                self._ray.cancel(stream, force=True)
            self._ray.shutdown()

    def judge(self, plan: Plan, environments: Iterable[Environment]) -> Iterator[str | tuple[str, str] | None]:
        """Judge what is left of a plan.

        Args:
            plan: of the run.
            environments: of its implementations, with their fingerprints.

        Yields:
            A record as a line of JSON; the id of an item that is lost, with why; or None, where nothing came.

        Raises:
            NodeDiffers: a node would judge something else than what the run is about.
        """
        self._plan, self._place = plan, (secrets.token_hex(8), self._ray.put(plan.to_json()), str(Path.cwd()))
        self._expected = {record.implementation: same_everywhere(record.fingerprint) for record in environments}
        for block in _blocks(plan, max(int(self._ray.cluster_resources().get("CPU", 1)), 1)):
            self._submit(block)
        while self._running:
            ready, _ = self._ray.wait([*self._running], num_returns=1, timeout=WAIT, fetch_local=False)
            for stream in ready:
                yield from self._next(stream)
            if not ready:
                yield None

    def _submit(self, items: Sequence[str]) -> None:
        if items:
            needs = _needs(self._plan.items[items[0]][0])
            options = {"num_cpus": needs["CPU"], "num_gpus": needs.get("GPU", 0), "max_retries": 0}
            task = self._ray.remote(num_returns="streaming", **options)(judge_block)
            self._running[task.remote(*self._place, list(items))] = deque(items)

    def _next(self, stream: Any) -> Iterator[str | tuple[str, str]]:
        """What a stream says next: a record, or that its process or its node ended."""
        errors, left = self._ray.exceptions, self._running[stream]
        try:
            line = self._ray.get(next(stream))
        except StopIteration:
            del self._running[stream]
        except errors.RayTaskError:
            raise
        except errors.NodeDiedError:
            del self._running[stream]
            self._submit([*left])
        except errors.RayError:  # the process of the task is gone
            del self._running[stream]
            lost, rest = self._attempts.after_end([*left])
            yield from lost
            self._submit(rest)
        else:
            if stream in self._checked:
                left.popleft()
                yield line
            else:
                self._checked.add(stream)
                self._check(split_id(left[0])[0], line)

    def _check(self, name: str, found: str) -> None:
        """Check that a node has the same implementation.

        Raises:
            NodeDiffers: it has not.
        """
        if found != self._expected[name]:
            expected, there = json.loads(self._expected[name]), json.loads(found)
            what = next(part for part in PARTS if expected.get(part) != there.get(part))
            raise NodeDiffers(
                f"a node of the cluster has another {name} than this machine ({what}); install and copy the same on all"
            )


def _check_address(address: str) -> None:
    """Check that something answers at HOST:PORT: Ray itself tries for minutes.

    Raises:
        UserError: nothing does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT).close()
        except (OSError, OverflowError, UnicodeError) as error:
            raise UserError(f"--ray {address}: there is no such cluster ({error}); give HOST:PORT, or auto") from None


def _needs(implementation: Implementation) -> dict[str, int]:
    """The resources of a task of an implementation, as Ray names them."""
    return {"CPU": 1} | ({"GPU": 1} if implementation.device.startswith(("cuda", "gpu")) else {})


def _blocks(plan: Plan, count: int) -> Iterator[list[str]]:
    """The items that are left, in blocks of one implementation, in the order in which they are best run."""
    together: dict[str, list[str]] = {}
    for item, block in blocks(plan, count).items():
        together.setdefault(block, []).append(item)
    for items in together.values():
        for start in range(0, len(items), BLOCK):
            yield items[start : start + BLOCK]


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise UserError(f"--ray needs Ray ({error}); run: pip install 'bnconform[ray]'") from None
    return ray
