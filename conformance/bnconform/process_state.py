"""What a layer may change in the process of its judge, and what it needs there: put back when the judging ends."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from bn_conformance.hosting.own_names import names_as_they_are, put

_X64 = "JAX_ENABLE_X64"

_NEVER = 1_000_000
"""More searches of newer objects than a process makes."""


@contextmanager
def restored() -> Iterator[None]:
    """Put random numbers, variables, folder, threads and warnings of the process back as they were at the block's end.

    torch computes in one thread within the block, as in a process of its own: sums in several may end in another bit.
    Warnings within the block are ignored, even where the process turns them into errors: a layer that warns is no
    layer that raises.
    """
    saved = [(restore, value) for save, restore in _states() for value in [save()]]
    try:
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for restore, value in saved:
            restore(value)


def _states() -> list[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """What is saved, each with what restores it; of a framework only where the process has imported it."""
    states: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (np.random.get_state, np.random.set_state),
        (random.getstate, random.setstate),
        (os.environ.copy, os.environ.update),  # a new variable stays: what was imported may read it again
        (_folder, _go_back),
        (names_as_they_are, put),
    ]
    if torch := sys.modules.get("torch"):
        states += [
            (torch.get_rng_state, torch.set_rng_state),
            (torch.get_num_threads, torch.set_num_threads),
            (torch.get_default_dtype, torch.set_default_dtype),
            (torch.is_grad_enabled, torch.set_grad_enabled),
        ]
    return states


def _folder() -> Path | None:
    """The current folder; None where it was removed."""
    with suppress(FileNotFoundError):
        return Path.cwd()
    return None


def _go_back(folder: Path | None) -> None:
    with suppress(OSError):  # it may have been removed meanwhile
        if folder is not None:
            os.chdir(folder)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block, those that the process has not set itself.

    JAX reads whether it computes in 64 bits when it is imported. Where it is imported already, that is switched here.
    """
    new = {name: value for name, value in variables.items() if name not in os.environ}
    jax = sys.modules.get("jax") if _X64 in variables else None
    before = bool(jax.config.jax_enable_x64) if jax else False
    os.environ.update(new)
    try:
        if jax:
            jax.config.update("jax_enable_x64", variables[_X64].lower() in ("1", "true"))
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
        if jax:
            jax.config.update("jax_enable_x64", before)


@contextmanager
def seldom_searched() -> Iterator[None]:
    """A block in which Python looks for garbage among new objects alone.

    A search of all cases and of all that was imported takes 0.1 to 0.2 s, and finds nothing.
    """
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Interrupts:
    """Whether a person has interrupted the process (Ctrl-C), as opposed to a layer that raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.real = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch for an interruption within the block. In a thread beside the main one there is none to watch for."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: FrameType | None) -> None:
            self.real = True
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
