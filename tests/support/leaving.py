"""Adapters that hang, fork and leave processes behind; their tests are in `test_processes.py`.

Each writes the number of a process that it starts to the file that LEFT_PIDS names.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.support.good_numpy import GoodLayer, GoodNumpy

import bn_conformance.hosting.local as local_host
from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.adapter import Layer as AnyLayer


def leave_a_sleeper(session: bool = False, bare: bool = False) -> None:
    """Fork a process that sleeps with all descriptors open, in a session of its own or with nothing of ours."""
    pid = os.fork()
    if pid == 0:
        if session:
            os.setsid()
        if bare:
            os.execve("/bin/sleep", ["sleep", "600"], {})
        time.sleep(600)
        os._exit(0)
    while session and os.getsid(pid) != pid:  # until then it ends with its group
        time.sleep(0.001)
    with Path(os.environ["LEFT_PIDS"]).open("a") as file:
        file.write(f"{pid}\n")


class Own(GoodNumpy):
    Layer: type[GoodLayer]

    def build(self, config: LayerConfig) -> AnyLayer:
        return self.Layer(config)


class Plain(GoodNumpy): ...


class LeavesASleeper(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            leave_a_sleeper()
            return super().forward(x, training)


class LeavesASession(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            leave_a_sleeper(session=True)
            return super().forward(x, training)


class LeavesABareSession(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            leave_a_sleeper(session=True, bare=True)
            return super().forward(x, training)


class LeavesASleeperAndDies(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            leave_a_sleeper(session=True)
            os.kill(os.getpid(), signal.SIGSEGV)
            return x


class HangsInBuild(GoodNumpy):
    def build(self, config: LayerConfig) -> AnyLayer:
        time.sleep(600)
        return super().build(config)


class HangsInForward(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            time.sleep(600)
            return x


class HoldsTheInterpreter(Own):
    """Hangs in C code with the interpreter's lock, so that no thread of the process runs any more."""

    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            ctypes.PyDLL(None).sleep(600)
            return x


class ClosesTheChannel(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            os.closerange(3, 256)
            time.sleep(600)
            return x


class WaitsForItsChildren(Own):
    """As frameworks do that reap what they started: none must be there that is not theirs."""

    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            try:
                os.wait()
            except ChildProcessError:
                return super().forward(x, training)
            raise AssertionError("there was a child")


class SignalsItsParent(Own):
    """As a layer does that takes its parent for a launcher of its own."""

    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            os.kill(os.getppid(), int(os.environ["SIGNAL_TO_PARENT"]))
            time.sleep(0.5)  # what it did is known before it answers
            return super().forward(x, training)


class CannotNameItsFile(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise FileNotFoundError(os.fsdecode(b"caf\xe9.bin") + " is not there\x1b[31m")


class CannotSpeak(Own):
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise CannotSpeak.Unspeakable


class SavesUndecodableNames(Own):
    class Layer(GoodLayer):
        def state(self) -> dict[str, Any]:
            return {**super().state(), os.fsdecode(b"caf\xe9"): object()}


class CountsTimeAsNan(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            time.perf_counter = lambda: math.nan
            return super().forward(x, training)


class BreaksTheHostsClock(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            local_host.perf_counter = lambda: math.nan  # type: ignore[attr-defined]
            return super().forward(x, training)


class SupportsANumber(GoodNumpy):
    def supports(self, config: LayerConfig) -> str | None:
        return 3  # type: ignore[return-value]


class SupportsInUndecodableWords(GoodNumpy):
    def supports(self, config: LayerConfig) -> str | None:
        return "no caf\udce9"
