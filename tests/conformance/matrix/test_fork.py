"""One fork of a check: what interrupts the check is not for it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Sequence

import pytest

from bn_conformance.matrix.fork import JUDGED, Fork
from bn_conformance.matrix.forks import CAN_FORK

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="no process is forked here")


def serve(first: Sequence[str], say: Callable[[str, str], None]) -> None:
    for item in first:
        say(JUDGED, item)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_interrupts_a_run_comes_to_nothing_in_a_fork_that_has_just_begun(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    real = os.fork

    def interrupted() -> int:
        pid = real()
        if not pid:
            try:
                os.kill(os.getpid(), number)
            except KeyboardInterrupt:
                os._exit(1)
        return pid

    monkeypatch.setattr(os, "fork", interrupted)
    fork = Fork(("i::a",), serve)
    select.select([fork.descriptor], [], [])
    assert [*fork.heard()] == [("i::a", "i::a")]
    fork.end()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_what_interrupts_a_run_while_it_forks_interrupts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fork

    def interrupted() -> int:
        pid = real()
        if pid:
            os.kill(os.getpid(), signal.SIGINT)
        return pid

    monkeypatch.setattr(os, "fork", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Fork((), serve)
    os.wait()
