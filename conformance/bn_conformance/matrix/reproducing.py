"""Makes the script of an item: observes it once more, sees what is wrong, and writes that down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.judging.item import judge_runs
from bn_conformance.layer_code import LayerCode
from bn_conformance.matrix.plan import Plan, make_plan
from bn_conformance.matrix.rules import Rules
from bn_conformance.matrix.runner import Runner
from bn_conformance.options import RunOptions
from bn_conformance.repro.literals import NoRepro
from bn_conformance.repro.script import ScriptSubject, script
from bn_conformance.repro.symptom import symptom_of
from bn_conformance.results.records import split_id
from bn_conformance.targets.loading import load_adapter
from bn_conformance.user_error import UserError


@dataclass(frozen=True)
class Repro:
    """A script, and the id of the item whose fault it shows."""

    item: str
    text: str


def plan_of(item_id: str, **options: Any) -> Plan:
    """The plan of one item: sweeps of what compiles are no exception, as a run with --thorough may have failed them.

    Args:
        item_id: `IMPLEMENTATION::CASE`.
        options: further fields of `RunOptions`.

    Raises:
        UserError: there is no such implementation or case.
    """
    implementation, case = split_id(item_id)
    return make_plan(RunOptions(implementations=(implementation,), cases=(case,), thorough=True, **options))


class Reproducer:
    """Makes scripts of the items of a plan; `close` ends the process of the layers.

    Args:
        plan: what may be asked for.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._rules, self._runner = plan, Rules(plan), Runner(plan)

    def script_of(self, item_id: str) -> Repro:
        """The script of an item of the plan.

        Raises:
            NoRepro: it cannot be shown by a script; the message says why.
            UserError: the plan has no such item.
        """
        implementation, case = self._entry(item_id)
        code = self._code(implementation, case)
        runs = self._runner.observe(implementation, case)
        if runs is None:
            raise NoRepro(f"{item_id} ends its process, or does not start, so that there is no number to show")
        convention, goldens = implementation.convention, self._runner.goldens
        item = judge_runs(implementation.name, case, runs, convention, goldens, self._rules.policy)
        symptom = symptom_of(item, case, runs[0], convention, goldens)
        return Repro(item_id, script(self._subject(implementation, case), case, goldens.data(case), code, symptom))

    def close(self) -> None:
        """End the process."""
        self._runner.close()

    def _entry(self, item_id: str) -> tuple[Implementation, Case]:
        name, case_id = split_id(item_id)  # the name, or what names code that has no registered one
        for implementation, case in self._plan.items.values():
            if case.id == case_id and name in (implementation.name, implementation.address):
                return implementation, case
        for implementation, case, reason in self._plan.unsupported():
            if case.id == case_id and name in (implementation.name, implementation.address):
                raise UserError(f"{item_id} is not run: {reason}")
        for implementation in self._plan.implementations:
            if implementation.status != OK:
                raise UserError(f"{implementation.name}: {implementation.message}")
        raise UserError(f"there is no item {item_id!r}; an item is IMPLEMENTATION::CASE, as reports name it")

    def _code(self, implementation: Implementation, case: Case) -> LayerCode:
        adapter = load_adapter(implementation.target)(device=implementation.device)
        code = adapter.code(case.config)
        if code is None:
            raise NoRepro(
                f"{implementation.name} says nothing of how its users call it; give its adapter a method code(config), "
                "as bn_conformance.layer_code describes it"
            )
        return code

    def _subject(self, implementation: Implementation, case: Case) -> ScriptSubject:
        fault = self._rules.known(implementation, case)
        subject = ScriptSubject(
            implementation=implementation.name,
            versions=implementation.versions,
            environment=implementation.variables(),
            convention=implementation.convention,
        )
        return subject if fault is None else replace(subject, reason=fault.reason, link=fault.link)
