"""The implementation that a command is about: the spelling of its target, its entry, and the process it runs in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bn_conformance.hosting.host import Host
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.process import Process
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.implementations.registry import find
from bn_conformance.targets.choices import fields_of
from bn_conformance.targets.naming import wrapper_and_code
from bn_conformance.targets.said import as_choices, divided
from bn_conformance.targets.wrappers import wrapped_target
from bn_conformance.user_error import UserError


def target_of(
    target: str, kind: str, convention: Sequence[str], names: Sequence[str] = (), arguments: Sequence[str] = ()
) -> str:
    """The target as `--as`, `--convention`, `--name` and `--argument` spell it together with what was named.

    Raises:
        UserError: there is no such kind, or a choice is not declarable or has nothing to belong to.
    """
    named, choices = wrapper_and_code(target), [*convention, *as_choices(names, arguments)]
    if kind and named is not None:
        raise UserError(f"{target} names its kind already; leave out --as")
    if named is not None:
        return wrapped_target(*named, choices)
    if kind:
        return wrapped_target(kind, target, choices)
    fields_of(divided(choices)[0])
    return "+".join([target, *choices])


def single_implementation(name: str, device: str = "cpu") -> Implementation:
    """The implementation of a name or target.

    Raises:
        UserError: there is none, it cannot run here, or the name is a pattern of several.
    """
    matches = find([name], device)
    if len(matches) != 1:
        names = ", ".join(entry.name for entry in matches)
        raise UserError(f"{name} names {len(matches)} implementations ({names}); name one")
    if matches[0].status != OK:
        raise UserError(f"{matches[0].name}: {matches[0].message}")
    return matches[0]


class Worker:
    """Opens hosts of one implementation. Each call of `open` starts a fresh process and ends the one before."""

    def __init__(self, implementation: Implementation, timeout: float) -> None:
        self._implementation, self._timeout = implementation, timeout
        self._process: Process | None = None

    def open(self) -> Host:
        """A host in a running process.

        Raises:
            LayerError: the adapter cannot be loaded.
            HostLost: its process ends or hangs while it loads.
        """
        self.close()
        self._process = Process(self._implementation.variables())
        return IsolatedHost(self._process, self._implementation.target, self._implementation.device, self._timeout)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.close()
            self._process = None


@contextmanager
def worker(implementation: Implementation, timeout: float) -> Iterator[Worker]:
    """A worker that ends with the block."""
    opened = Worker(implementation, timeout)
    try:
        yield opened
    finally:
        opened.close()
