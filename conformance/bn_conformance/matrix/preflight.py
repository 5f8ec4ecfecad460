"""Before a run: plain cases are tried. An error that all of them end in is said once, and nothing else is judged.

What they give is judged as in the run, which takes it over. So a failure of a plain case is known before the processes
of the run have started, and trying leaves nothing behind that could change what a case gives when it is run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import BROKEN, Implementation, matches_pattern
from bn_conformance.matrix.plan import Entries, Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.matrix.sample import sampled_sweeps, with_classes_of
from bn_conformance.results import outcomes
from bn_conformance.results.records import Item

PLAIN = ("fwd/*/random", "eval/*/random", "grad/*/random")
"""Cases that ask for nothing unusual: a training step, an inference, and a step with its gradients."""

FEWEST = 100
"""Cases below which an implementation is judged without: who selects a few wants to see these."""


_LOST = (outcomes.CRASHED, outcomes.TIMED_OUT)


@dataclass(frozen=True)
class Tried:
    """What became of a plan.

    Attributes:
        plan: in which an implementation is broken that ends in the same error whatever plain case it is given.
        items: that are judged already, by id; none of a broken implementation.
    """

    plan: Plan
    items: Mapping[str, Item]


def preflight(plan: Plan) -> Tried:
    """Try the implementations that are not registered: one's own code, as it is while it is written.

    Args:
        plan: of a run that has not begun.
    """
    own = [entry for entry in plan.runnable if not entry.registered]
    if not own or plan.options.shard or plan.options.ray:
        return Tried(plan, {})
    runner = Runner(plan)
    try:
        items = {entry.name: _tried(entry, plan, runner) for entry in own}
        if not any(item.outcome in _LOST for tried in items.values() for item in tried):
            plan = without_gaps(plan, runner)
    finally:
        runner.close()
    errors = {name: _common_error(tried) for name, tried in items.items()}
    if any(errors.values()):
        after = tuple(
            replace(entry, status=BROKEN, message=errors[entry.name]) if errors.get(entry.name) else entry
            for entry in plan.implementations
        )
        plan = replace(plan, implementations=after)
    return Tried(plan, {item.id: item for name, tried in items.items() if not errors[name] for item in tried})


def resumed(plan: Plan) -> Plan:
    """The plan of a run that goes on, with the same cases instead of what adapters decline as when it began."""
    own = [entry for entry in plan.runnable if not entry.registered]
    if not own or not plan.options.sampled or plan.options.shard or plan.options.ray:
        return plan
    runner = Runner(plan)
    try:
        return without_gaps(plan, runner)
    finally:
        runner.close()


def without_gaps(plan: Plan, runner: Runner) -> Plan:
    """The plan with others instead of what adapters decline of a sample, where there are any of the same classes.

    Args:
        plan: of a run that has not begun.
        runner: that asks the adapters.
    """
    instead = set[str]()
    for entry in plan.runnable:
        beyond = _cases_of(entry, plan.beyond_sample)
        cases = _cases_of(entry, plan.items) if beyond else []
        declined = {*runner.declined(entry, cases)}
        asked = [case for case in cases if case.id not in declined]
        lost = [case for case in cases if case.id in declined]
        others = with_classes_of(lost, asked, beyond) if lost else []
        declined = {*runner.declined(entry, others)}
        found = sampled_sweeps([case for case in others if case.id not in declined], asked)
        instead |= {f"{entry.name}::{case_id}" for case_id in found}
    return replace(plan, instead=frozenset(instead)) if instead else plan


def _cases_of(implementation: Implementation, entries: Entries) -> list[Case]:
    return [case for entry, case in entries.values() if entry is implementation]


def _tried(implementation: Implementation, plan: Plan, runner: Runner) -> list[Item]:
    """The plain cases, judged; a lost process is the last."""
    cases = [case for entry, case in plan.items.values() if entry.name == implementation.name]
    items = list[Item]()
    if len(cases) < FEWEST:
        return items
    for case in _plain(cases):
        items.append(runner.run(implementation, case))
        if items[-1].outcome in _LOST:
            break
    return items


def _common_error(items: list[Item]) -> str:
    """The error that every plain case ends in, as a sentence; empty where there is none."""
    messages = {item.message for item in items}
    if len(messages) != 1 or any(item.outcome != outcomes.ERRORED for item in items):
        return ""
    tried = ", ".join(item.case for item in items)
    return f"every plain case ends in one error: {messages.pop()}; mend it first (tried: {tried})"


def _plain(cases: list[Case]) -> Iterator[Case]:
    """The first case of each plain kind."""
    for pattern in PLAIN:
        yield from [case for case in cases if matches_pattern(case.id, pattern)][:1]
