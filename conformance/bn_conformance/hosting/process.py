"""A worker process: it is started, asked, and ended with everything that it started."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bn_conformance.hosting.channel import Channel, Closed, Late, Sending
from bn_conformance.hosting.host import HostLost
from bn_conformance.hosting.process_tree import end_tree
from bn_conformance.hosting.spawn import spawned
from bn_conformance.hosting.watch import TAIL, OutOfMemory, Watch
from bn_conformance.hosting.wire import WireError, decode_line, encode
from bn_conformance.results.outcomes import CRASHED, TIMED_OUT
from bn_conformance.text import one_line

START_LIMIT = 180.0
"""Seconds that starting a process and loading an adapter may take."""

MOST_NAMED = 10
"""Processes that are named of those that could not be ended."""

END_LIMIT = 5.0
"""Seconds that ending a process and what it started may take."""


@dataclass
class _Sent:
    """Requests whose answers nobody took yet, and how far they are sent, or why they are not."""

    requests: Sequence[dict[str, Any]]
    sending: Sending | None = None
    error: WireError | None = None

    @property
    def begun(self) -> Sending:
        """How far they are sent.

        Raises:
            WireError: they are not.
        """
        if self.error is not None:
            raise self.error
        assert self.sending is not None
        return self.sending


class Process:
    """A worker process and its channel.

    Args:
        environment: environment variables of the implementation.

    Attributes:
        environment: environment variables of the implementation.
        mark: what the process and all that it starts carry in their environment.
        layers: numbers of layers, for all adapters of this process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        started = spawned(environment)
        self.environment, self.mark = started.environment, started.mark
        self._errors, self._process = started.errors, started.process
        self._watch = Watch(self._process.pid, self.mark, self._errors)
        self._channel = Channel(self._process.pid, started.stdin, started.stdout, self._watch.look)
        self._closed = False
        self._sent: _Sent | None = None
        self.layers: Iterator[int] = itertools.count(1)

    @property
    def pid(self) -> int:
        """Its number, by which the system knows it."""
        return self._process.pid

    def ask(self, requests: Sequence[dict[str, Any]], limit: float) -> list[dict[str, Any]]:
        """Send requests and wait for their answers, each of which may take `limit` seconds.

        Raises:
            HostLost: the process ended, did not answer in time or broke the protocol; it is gone then.
        """
        self.send(requests)
        return self.answers(limit)

    def send(self, requests: Sequence[dict[str, Any]]) -> None:
        """Send requests without waiting; the next that is asked of the process are their `answers`."""
        assert self._sent is None, "answers are waited for"
        self._sent = _Sent(requests)
        if self._closed:
            return
        pieces = itertools.chain.from_iterable(itertools.chain(encode(request), (b"\n",)) for request in requests)
        try:
            self._sent.sending = self._channel.send(pieces)
        except WireError as error:
            self._sent.error = error
        except BaseException:
            self.close()
            raise

    def answers(self, limit: float) -> list[dict[str, Any]]:
        """The answers to what was sent, each of which may take `limit` seconds.

        Raises:
            HostLost: the process ended, did not answer in time or broke the protocol; it is gone then.
        """
        sent, self._sent = self._sent, None
        assert sent is not None, "nothing was sent"
        requests, answers = sent.requests, list[dict[str, Any]]()
        if self._closed:
            raise HostLost(CRASHED, "the process was ended")
        try:
            answers.extend(map(decode_line, self._channel.answers(sent.begun, len(requests), limit)))
        except Late:
            operation = requests[len(answers)]["op"]
            raise self._lost(
                TIMED_OUT, f"{operation} did not answer within {limit:g} s; raise the limit with --timeout"
            ) from None
        except Closed:
            raise self._lost(CRASHED, f"the process {self._how_it_ended()}") from None
        except WireError as error:
            raise self._lost(CRASHED, one_line(f"the worker broke the protocol: {error}")) from None
        except OutOfMemory as error:
            raise self._lost(CRASHED, f"the process was ended: {error}") from None
        except BaseException:  # an answer that nobody waits for must not become that of the next request
            self.close()
            raise
        return answers

    def pause(self) -> bool:
        """Stop the process and what is in its group, so that it uses nothing while it waits; whether it still runs."""
        return self._signalled(signal.SIGSTOP)

    def resume(self) -> bool:
        """Let the process go on; whether it still runs. What is found dead is ended as by `close`."""
        return self._signalled(signal.SIGCONT)

    def _signalled(self, number: int) -> bool:
        """Send a signal to the group of the process, if it runs; else end what it left.

        A process whose answers nobody took is ended, too.
        """
        if self._sent is None and not self._closed and self._process.exit() is None:
            with suppress(OSError):
                os.killpg(self._process.pid, number)
                return True
        self.close()
        return False

    def _lost(self, outcome: str, message: str) -> HostLost:
        """End the process, and say what became of it and what it left."""
        tail = one_line(self._watch.tail(), 2 * TAIL) if outcome == CRASHED else ""
        survivors = self._end()
        if tail:
            message += f"; it last wrote: {tail}"
        if survivors:
            message += f"; {_left(survivors)}"
        return HostLost(outcome, message)

    def _how_it_ended(self) -> str:
        """How the process ended; it has closed its side, and may still be on its way."""
        deadline = time.monotonic() + END_LIMIT
        while (code := self._process.exit()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if code is None:
            return "closed its output"
        if code >= 0:
            return f"exited with status {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"

    def close(self) -> None:
        """End the process and everything that it started; what cannot be ended is named on standard error."""
        survivors = self._end()
        if survivors:
            print(f"bnconform: {_left(survivors)}", file=sys.stderr)

    def let_go(self) -> None:
        """Close its channel and leave it alone: in a process that was forked from the one that asks it."""
        self._closed = True
        self._channel.close()
        self._errors.close()

    def _end(self) -> list[str]:
        """End the process and everything that it started, and name what is left of it; bounded in time."""
        if self._closed:
            return []
        self._closed = True
        survivors = end_tree(self._process.pid, self.mark, END_LIMIT)
        self._process.close(END_LIMIT)
        self._channel.close()
        self._errors.close()
        return survivors


def _left(processes: Sequence[str]) -> str:
    more = f" and {len(processes) - MOST_NAMED:,} more" if len(processes) > MOST_NAMED else ""
    return f"processes that a worker left could not be ended: {', '.join(processes[:MOST_NAMED])}{more}"
