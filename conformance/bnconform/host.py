"""A host in the judge's own process that no exception of a layer gets out of."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from bn_conformance.adapter import Adapter
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.hosting.operations import Call
from bn_conformance.hosting.own_names import SharingHost
from bn_conformance.targets.errors import error_place, error_text
from bn_conformance.text import one_line
from bnconform.process_state import Interrupts

T = TypeVar("T")


class GuardedHost(SharingHost):
    """Runs layers in this process. What a layer raises, even `SystemExit`, is an error of its case.

    NumPy's reaction to floating-point errors is its default during a call, and the caller's own afterwards; so is a
    function of NumPy that a layer replaces. What a layer prints is left alone.

    Args:
        adapter: whose layers run.
        interrupts: tells a person's Ctrl-C, which ends the judging, from an exception of the layer.
    """

    def __init__(self, adapter: Adapter, interrupts: Interrupts) -> None:
        super().__init__(adapter)
        self._interrupts = interrupts

    def ask(self, call: Call[T]) -> T:
        """Make one call; see `Host.ask`.

        Raises:
            KeyboardInterrupt: a person interrupted the process, whatever the layer made of that.
        """
        try:
            result: T = self._asked(call)
            return result
        finally:
            if self._interrupts.real:
                raise KeyboardInterrupt

    def _asked(self, call: Call[Any]) -> Any:
        try:
            with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
                return super().ask(call)
        except (LayerError, HostLost):
            raise
        except BaseException as error:
            kind = one_line(type(error).__name__)
            raise LayerError(call.name, kind, error_text(error), error_place(error)) from error
