"""Advice after a check that fails: other choices of the convention under which more cases pass.

A probe measures the choices (`bn_conformance.probe`). Then they are tried: failing cases and passing cases are judged
once more under them. Choices are advised only if every case that passed still passes. The advice also says how many
cases still fail, since a fault stays a fault under every convention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from bn_conformance.adapter import Convention
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.host import Host, HostLost, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.kept import kept_cache, leave, process_for
from bn_conformance.hosting.process import Process
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.judging.begun import Begun, begin_case
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.probe.measuring import Measured, measured_of
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.results.records import Item
from bn_conformance.targets.choices import value_text
from bn_reference.specification.clauses import clauses

MOST_FAILING, MOST_PASSING = 120, 60
"""At most so many failing and passing cases are judged again under other choices."""


@dataclass(frozen=True)
class Advice:
    """Choices under which failing cases pass.

    Attributes:
        choices: by field, in the order of the convention.
        explained: how many of the failing cases that were judged again pass under them.
        failing: how many were judged again.
    """

    choices: Mapping[str, Any]
    explained: int
    failing: int

    @property
    def spelled(self) -> list[str]:
        """The choices as `NAME=VALUE`."""
        return [f"{name}={value_text(value)}" for name, value in self.choices.items()]

    def sentence(self) -> str:
        """The advice as a sentence, with the `--convention` options to use."""
        options = " ".join(f"--convention {choice}" for choice in self.spelled)
        rest = self.failing - self.explained
        if not rest:
            covers = "then all failing cases judged again pass"
        else:
            covers = f"then {self.explained} of {self.failing} failing cases judged again pass, and {rest} fail"
        return f"matches {', '.join(self.spelled)}; declare it with {options} if that is meant ({covers})"


class Advisor:
    """Measures an implementation and judges it under other conventions.

    Args:
        implementation: wrapped code (`--as KIND`), for which nobody declared a convention.
        level: the worst level that passes.
        timeout: the seconds that a call may take.
        measured: what was measured of it; without it, that is done where it is needed.
    """

    def __init__(
        self, implementation: Implementation, level: str, timeout: float, measured: Measured | None = None
    ) -> None:
        self._implementation, self._timeout, self._measured = implementation, timeout, measured
        requirements = {clause.id: clause.requirement for clause in clauses().values()}
        self._policy = Policy(Threshold(level), requirements)
        self._goldens = Goldens()

    def advise(self, items: Iterable[Item], named: Mapping[str, Any] = MappingProxyType({})) -> Advice | None:
        """The advice for the items of a run; None where no other choices make failing cases pass.

        Args:
            items: of the run.
            named: choices that a diagnosis names; they are tried beside those that were measured.
        """
        items = [item for item in items if item.case in all_cases()]
        failing = _spread([item for item in items if item.verdict == ItemVerdict.FAIL.value], MOST_FAILING)
        passing = _spread([item for item in items if item.verdict == ItemVerdict.PASS.value], MOST_PASSING)
        if not failing:
            return None
        measured = self._measured or measured_of(self._implementation, self._timeout)
        choices = {**named, **measured.contradicted}
        return self._tried(choices, failing, passing) if choices else None

    def _host(self, process: Process, target: str) -> IsolatedHost:
        return IsolatedHost(process, target, self._implementation.device, self._timeout)

    def _tried(self, choices: Mapping[str, Any], failing: Sequence[Item], passing: Sequence[Item]) -> Advice | None:
        """The advice to make those of the choices that help; None where they help nowhere or make anything worse."""
        explained = self._passing_under(choices, failing)
        if not explained:
            return None
        for name in choices:
            fewer = {key: value for key, value in choices.items() if key != name}
            if fewer and len(choices) > 1 and self._passing_under(fewer, failing) >= explained:
                return self._tried(fewer, failing, passing)
        if not self._all_pass_under(choices, passing):
            return None
        return Advice(choices, len(explained), len(failing))

    def _passing_under(self, choices: Mapping[str, Any], items: Sequence[Item]) -> set[str]:
        """Cases that pass under choices; those that could be judged, where the process is lost."""
        passed = set[str]()
        with suppress(LayerError, HostLost):
            passed.update(case for case, passes in self._judged_under(choices, items) if passes)
        return passed

    def _all_pass_under(self, choices: Mapping[str, Any], items: Sequence[Item]) -> bool:
        """Whether all cases pass under choices; the first that fails decides."""
        with suppress(LayerError, HostLost):
            return all(passes for _, passes in self._judged_under(choices, items))
        return False

    def _judged_under(self, choices: Mapping[str, Any], items: Sequence[Item]) -> Iterator[tuple[str, bool]]:
        """Cases by id, and whether they pass under choices; none does under choices that exclude each other.

        The layer of the next case runs while one is judged.

        Raises:
            LayerError: the implementation cannot be loaded.
            HostLost: the process is lost while it is.
        """
        try:
            convention = replace(self._implementation.convention, **choices)
        except ValueError:
            yield from ((item.case, False) for item in items)
            return
        spelled = "".join(f"+{name}={value_text(value)}" for name, value in choices.items())
        target = _without(self._implementation.target, choices) + spelled
        can = self._implementation.capabilities
        asked = [as_declared(all_cases()[item.case], can, convention) for item in items]
        cases = [case for case in asked if not unsupported_reason(case, can)]
        yield from ((case.id, True) for case in asked if unsupported_reason(case, can))
        process = process_for(self._implementation.variables(kept_cache()))
        try:
            judge = _InTurn(self._implementation.name, self._host(process, target), convention, self._goldens)
            for case, following in zip_longest(cases, cases[1:]):
                yield case.id, judge.item(case, following, self._policy).verdict != ItemVerdict.FAIL.value
        finally:
            leave(process)


class _InTurn:
    """Judges cases in turn, of which the next is begun while one is judged."""

    def __init__(self, name: str, host: Host, convention: Convention, goldens: Goldens) -> None:
        self._name, self._host, self._convention, self._goldens = name, host, convention, goldens
        self._begun: Begun | None = None

    def item(self, case: Case, following: Case | None, policy: Policy) -> Item:
        """The item of a case, and the next case, which the next call is about."""
        begun, self._begun = self._begun, None
        then = partial(self._begin, following)
        return run_case(self._name, case, self._host, self._convention, self._goldens, policy, begun, then)

    def _begin(self, case: Case | None) -> None:
        if case is not None:
            self._begun = begin_case(case, self._host, self._convention, self._goldens)


def _without(target: str, choices: Mapping[str, Any]) -> str:
    """A target without the changes that name one of the fields."""
    head, *parts = target.split("+")
    return "+".join([head, *(part for part in parts if part.partition("=")[0] not in choices)])


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many items, spread evenly."""
    return list(items[:: len(items) // most + 1])
