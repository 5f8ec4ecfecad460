"""Experiments on what an adapter does not declare: each such capability is tried once, on a case of the matrix.

A layer owes nothing here. What works after all is told, so that it can be declared and then is judged. Threads are not
tried, since a race shows itself only now and then, nor are equal bits, which two calls may give by chance, nor is what
costs time alone (`compiles`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bn_conformance.adapter import Capabilities, Convention, LayerConfig
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import NEEDS, Need, unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.hosting.operations import SupportsCall
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, judge_runs, observe_runs
from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.targets.declarations import check_capabilities
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import one_line
from bn_reference.specification.clauses import clauses

NOT_TRIED = frozenset({"compiles", "threads", "concurrent", "deterministic", "literals"})
"""Capabilities that a trial says nothing of."""

MOST_REASONS = 6
"""Reasons of `Adapter.supports` of which one configuration each is tried."""


@dataclass(frozen=True)
class Undeclared:
    """One thing that is not declared, and the case that tries it, as a layer with these capabilities is asked it."""

    name: str
    case: Case


def attempts(can: Capabilities, convention: Convention) -> Iterator[Undeclared]:
    """An attempt for each capability that is not declared and that some case needs beside what is declared alone."""
    usual = [case for case in all_cases().values() if not case.sweep and case.expects == "numbers"]
    for need in NEEDS:
        if not NOT_TRIED & {*need.capabilities}:
            for value in dict.fromkeys(value for case in usual for value in need.of(case)):
                extended = None if need.declared(can, value) else _extended(can, need, value)
                if extended is not None:
                    asked = (case for case in usual if value in [*need.of(case)])
                    case = next((case for case in asked if not unsupported_reason(case, extended, convention)), None)
                    if case is not None:
                        yield Undeclared(_named(need, value), as_declared(case, extended, convention))


def _named(need: Need, value: Any) -> str:
    return need.reason.format(value).rpartition(" ")[0]  # without its verb


def _extended(can: Capabilities, need: Need, value: Any) -> Capabilities | None:
    """The capabilities with one more; None where that is nothing that can be declared by itself."""
    name, added = need.capabilities[0], value
    if name == "dtypes" and value.dtype != value.parameter_dtype:
        name, added = "mixed", (value.dtype, value.parameter_dtype)
    elif name == "dtypes":
        added = value.dtype
    declared = getattr(can, name)
    changed: dict[str, Any] = {name: True if isinstance(declared, bool) else declared | {added}}
    extended = replace(can, **changed)
    try:
        check_capabilities(extended, "")
    except TargetError:
        return None
    return extended


def declined(laboratory: Laboratory) -> Iterator[Undeclared]:
    """An attempt for each reason for which `Adapter.supports` declines a configuration of declared capabilities."""
    can, convention = laboratory.can, laboratory.declared
    reasons: dict[str, None] = {}
    asked: set[LayerConfig] = set()
    for case in all_cases().values():
        if case.sweep or case.expects != "numbers" or case.laws:
            continue
        own = as_declared(case, can, convention)
        if own.config in asked or unsupported_reason(case, can, convention):
            continue
        asked.add(own.config)
        reason = laboratory.host.ask(SupportsCall(own.config))
        if reason is not None and reason not in reasons and len(reasons) < MOST_REASONS:
            reasons[reason] = None
            yield Undeclared(f"what supports() declines ({one_line(reason, 80)})", own)


def undeclared(laboratory: Laboratory) -> Iterator[Finding]:
    """What is not declared and works after all, a finding each; one that says that nothing does."""
    goldens = Goldens()
    policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
    tried, works = [], False
    for attempt in (*attempts(laboratory.can, laboratory.declared), *declined(laboratory)):
        tried.append(attempt.name)
        try:
            runs = observe_runs(attempt.case, laboratory.declared, goldens, laboratory.host)
        except LayerError:
            continue
        except HostLost as loss:
            laboratory.lost(loss)
            continue
        item = judge_runs("", attempt.case, runs, laboratory.declared, goldens, policy)
        if item.verdict == ItemVerdict.PASS.value:
            works = True
            detail = f"not declared, and {attempt.case.id} is {item.outcome}; declare it to have it judged"
            yield Finding.observed(attempt.name, "works", detail, "not declared")
    if tried and not works and laboratory.built:
        yield Finding.observed("undeclared capabilities", "none works", f"tried: {', '.join(tried)}", "not declared")
