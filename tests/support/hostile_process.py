"""Right layers that change the process they run in; their test is in `test_hostile_process.py`."""

from __future__ import annotations

import atexit
import decimal
import gc
import json
import locale
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.adapter import Layer as AnyLayer


class Unruly(GoodNumpy):
    """Does something before each forward, in a process of its own."""

    framework = "unruly"

    def build(self, config: LayerConfig) -> AnyLayer:
        act = self.act

        class Layer(GoodLayer):
            def forward(self, x: Array, training: bool) -> Array:
                act()
                return super().forward(x, training)

        return Layer(config)

    @staticmethod
    def act() -> None:
        """Do nothing."""


class ClosesStandardStreams(Unruly):
    @staticmethod
    def act() -> None:
        os.closerange(0, 3)


class TakesItsStreamsAway(Unruly):
    @staticmethod
    def act() -> None:
        sys.stdin = sys.stdout = sys.stderr = None


class LimitsItsResources(Unruly):
    @staticmethod
    def act() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class HeedsNoSignal(Unruly):
    @staticmethod
    def act() -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


class LeavesItsSession(Unruly):
    @staticmethod
    def act() -> None:
        with suppress(PermissionError):
            os.setsid()


class WritesEscapes(Unruly):
    @staticmethod
    def act() -> None:
        for stream in (sys.stdout, sys.stderr):
            print("\x1b[2J\x1b]0;owned\x07", file=stream, flush=True)
        with suppress(OSError):
            Path("/dev/tty").write_text("\x1b[2J", encoding="utf-8")


class ChangesWhatIsGlobal(Unruly):
    @staticmethod
    def act() -> None:
        np.seterr(all="raise")
        np.random.seed(0)
        np.set_printoptions(precision=1, threshold=2)
        warnings.simplefilter("error")
        decimal.getcontext().prec = 2
        sys.setrecursionlimit(200)
        sys.set_int_max_str_digits(640)
        sys.setswitchinterval(10)
        gc.disable()
        os.umask(0o777)
        os.environ.clear()
        with suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")


class RemovesItsFolder(Unruly):
    @staticmethod
    def act() -> None:
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        shutil.rmtree(folder)


class TracesAndPrioritises(Unruly):
    @staticmethod
    def act() -> None:
        sys.setprofile(lambda *_: None)
        os.nice(1)


class EndsNever(Unruly):
    @staticmethod
    def act() -> None:
        atexit.register(time.sleep, 600)
        threading.Thread(target=time.sleep, args=(600,)).start()


class ReplacesFunctions(Unruly):
    @staticmethod
    def act() -> None:
        np.array_equal = lambda *_: True
        np.abs = np.absolute = lambda values, *_: values * 0  # type: ignore[assignment]
        time.perf_counter = lambda: 0.0
        json.load = None  # type: ignore[assignment]
