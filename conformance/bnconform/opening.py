"""Layers of an object, opened for what asks them itself: a probe, a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bn_conformance.commands.subject import worker
from bn_conformance.hosting.host import Host
from bn_conformance.implementations.implementation import Implementation
from bnconform.host import GuardedHost
from bnconform.process_state import Interrupts, environment, restored
from bnconform.session import isolated_implementation
from bnconform.subject import Subject


@dataclass(frozen=True)
class OpenedLayers:
    """An implementation, and what opens a host of its layers.

    Attributes:
        implementation: what it declares.
        open_host: opens a host; called again, it opens a fresh one.
        notes: what was found of it.
    """

    implementation: Implementation
    open_host: Callable[[], Host]
    notes: tuple[str, ...]


@contextmanager
def opened_layers(subject: Subject, isolated: bool, device: str, timeout: float) -> Iterator[OpenedLayers]:
    """The layers of a subject, in this process or in one of their own; afterwards all is as it was before.

    Raises:
        UserError: no other process can import what is to be isolated.
    """
    with ExitStack() as stack:
        if isolated:
            implementation = isolated_implementation(subject, device)
            yield OpenedLayers(implementation, stack.enter_context(worker(implementation, timeout)).open, subject.notes)
            return
        interrupts = Interrupts()
        stack.enter_context(restored())
        stack.enter_context(environment(subject.implementation.variables()))
        stack.enter_context(interrupts.watched())
        yield OpenedLayers(subject.implementation, lambda: GuardedHost(subject.make(), interrupts), subject.notes)
