"""Runs the items of a plan in one pytest process. A host lives as long as its implementation has work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.hosting.host import Host, HostLost, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.kept import leave, process_for
from bn_conformance.hosting.operations import SupportsCall
from bn_conformance.hosting.own_names import SharingHost
from bn_conformance.hosting.process import Process
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.judging.begun import Begun, begin_case
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Runs, lost_item, observe_runs, run_case
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.rules import Rules
from bn_conformance.results import outcomes
from bn_conformance.results.records import Item
from bn_conformance.targets.loading import load_adapter

MOST_LOSSES = 3
"""Lost processes in a row after which an implementation is given up: every case would crash or hang it again."""


class Runner:
    """Runs items one after the other; `close` ends what still runs.

    Attributes:
        goldens: of the cases that were judged.

    Args:
        plan: what is run, and under which policy.
        open_host: opens the host of an implementation; None for one as the plan's options say.
    """

    def __init__(self, plan: Plan, open_host: Callable[[Implementation], Host] | None = None) -> None:
        self._plan, self._open_host = plan, open_host
        self.goldens = Goldens()
        self._rules = Rules(plan)
        self._process: Process | None = None
        self._key: object = None
        self._hosts: dict[str, Host] = {}
        self._begun: tuple[str, str, Begun] | None = None
        self._losses: dict[str, list[HostLost]] = {}

    def run(self, implementation: Implementation, case: Case, following: Case | None = None) -> Item:
        """Judge a case on an implementation, and see whether its failure is a known fault.

        Args:
            implementation: which one.
            case: the case.
            following: the case that comes next on this implementation, whose layer runs while this one is judged; None
                where it is not known.
        """
        item = replace(self._run(implementation, case, following), reproduce=self._plan.reproduce(implementation, case))
        return self._rules.excused(item, implementation, case)

    def _run(self, implementation: Implementation, case: Case, following: Case | None) -> Item:
        losses = self._losses.setdefault(implementation.name, [])
        if len(losses) >= MOST_LOSSES:
            message = f"not tried: given up after {MOST_LOSSES} losses in a row, the last: {losses[-1].message}"
            return lost_item(implementation.name, case, losses[-1].outcome, message)
        begun = self._take_begun(implementation, case)
        try:
            host = self._host(implementation)
        except LayerError as error:
            return lost_item(implementation.name, case, outcomes.ERRORED, error.message)
        except HostLost as lost:
            return self._lost(implementation, case, lost)
        item = run_case(
            implementation.name,
            case,
            host,
            implementation.convention,
            self.goldens,
            self._rules.policy,
            begun,
            partial(self._begin, implementation, case, following),
        )
        if item.outcome in (outcomes.CRASHED, outcomes.TIMED_OUT):
            return self._lost(implementation, case, HostLost(item.outcome, item.message))
        losses.clear()
        return item

    def _begin(self, implementation: Implementation, case: Case, following: Case | None) -> None:
        """Begin the case that follows one, where judging takes little: a layer is watched while it is waited for."""
        if self._process is None or following is None or case.large or following.large:
            return
        host = self._hosts[implementation.name]
        begun = begin_case(following, host, implementation.convention, self.goldens)
        self._begun = implementation.name, following.id, begun

    def _take_begun(self, implementation: Implementation, case: Case) -> Begun | None:
        """A case that is begun; None where it is not. Where another one is, its process is given up."""
        if self._begun is None:
            return None
        name, case_id, begun = self._begun
        if (name, case_id) != (implementation.name, case.id):
            self.close()
            return None
        self._begun = None
        return begun

    def declined(self, implementation: Implementation, cases: Iterable[Case]) -> Iterator[str]:
        """Ids of the cases whose configuration the adapter declines; none where it cannot be asked."""
        same = dict[LayerConfig, list[str]]()
        for case in cases:
            same.setdefault(case.config, []).append(case.id)
        if not same:
            return
        try:
            host = self._host(implementation)
            for config, ids in same.items():
                with suppress(LayerError):  # an error of its item, where that is asked
                    yield from ids if host.ask(SupportsCall(config)) else ()
        except LayerError:
            return
        except HostLost:
            self.close()

    def observe(self, implementation: Implementation, case: Case) -> Runs | None:
        """Run a case once more, to look at what it gives; None where the implementation cannot be run any more."""
        losses = self._losses.setdefault(implementation.name, [])
        if len(losses) >= MOST_LOSSES:
            return None
        if self._begun is not None:
            self.close()
        try:
            return observe_runs(case, implementation.convention, self.goldens, self._host(implementation))
        except LayerError:
            return None
        except HostLost as lost:
            losses.append(lost)
            self.close()
            return None

    def _lost(self, implementation: Implementation, case: Case, lost: HostLost) -> Item:
        self._losses[implementation.name].append(lost)
        self.close()
        return lost_item(implementation.name, case, lost.outcome, lost.message)

    def _host(self, implementation: Implementation) -> Host:
        if implementation.process_key != self._key:
            self.close()
            self._key = implementation.process_key
        if implementation.name not in self._hosts:
            self._hosts[implementation.name] = self._open(implementation)
        return self._hosts[implementation.name]

    def _open(self, implementation: Implementation) -> Host:
        self._hosts.clear()
        if self._open_host is not None:
            return self._open_host(implementation)
        if self._plan.options.in_process:
            return SharingHost(load_adapter(implementation.target)(device=implementation.device))
        if self._process is None:
            self._process = process_for(implementation.variables(self._plan.cache))
        return IsolatedHost(self._process, implementation.target, implementation.device, self._plan.options.timeout)

    def close(self) -> None:
        """Leave the process of the current implementation, which ends it unless it is kept."""
        self._hosts.clear()
        self._key = self._begun = None
        if self._process is not None:
            leave(self._process)
            self._process = None
