"""Before a run: an error that every plain case ends in is said once, first, and nothing else is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import BROKEN, Implementation, matches_pattern
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.results import outcomes

PLAIN = ("fwd/*/random", "eval/*/random", "grad/*/random")
"""Cases that ask for nothing unusual: a training step, an inference, and a step with its gradients."""

FEWEST = 100
"""Cases below which an implementation is judged without: who selects a few wants to see these."""


def preflight(plan: Plan) -> Plan:
    """The plan, in which an implementation is broken that ends in the same error whatever plain case it is given.

    Only implementations that are not registered are tried: one's own code, as it is while it is written.

    Args:
        plan: of a run that has not begun.
    """
    own = [entry for entry in plan.runnable if not entry.registered]
    if not own or plan.options.shard or plan.options.ray:
        return plan
    runner = Runner(plan)
    try:
        errors = {entry.name: _common_error(entry, plan, runner) for entry in own}
    finally:
        runner.close()
    if not any(errors.values()):
        return plan
    tried = tuple(
        replace(entry, status=BROKEN, message=errors[entry.name]) if errors.get(entry.name) else entry
        for entry in plan.implementations
    )
    return replace(plan, implementations=tried)


def _common_error(implementation: Implementation, plan: Plan, runner: Runner) -> str:
    """The error that every plain case ends in, as a sentence; empty where there is none."""
    cases = [case for entry, case in plan.items.values() if entry.name == implementation.name]
    if len(cases) < FEWEST:
        return ""
    messages, tried = set(), []
    for case in _plain(cases):
        item = runner.run(implementation, case)
        messages.add(item.message)
        tried.append(case.id)
        if item.outcome != outcomes.ERRORED or len(messages) > 1:
            return ""
    if not messages:
        return ""
    return f"every plain case ends in one error: {messages.pop()}; mend it first (tried: {', '.join(tried)})"


def _plain(cases: list[Case]) -> Iterator[Case]:
    """The first case of each plain kind."""
    for pattern in PLAIN:
        yield from [case for case in cases if matches_pattern(case.id, pattern)][:1]
