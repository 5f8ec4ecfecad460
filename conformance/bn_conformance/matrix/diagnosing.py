"""The diagnosis of a run: for each implementation that fails, which mistake explains it.

It comes last, since it looks at the smallest failing cases first, whichever these are. What a layer gives may be of any
kind, and an error over it costs the diagnosis of that layer alone.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix.items import LOST
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Diagnosis, Item
from bn_conformance.targets.errors import described_error, error_place


def diagnoses(plan: Plan, items: Collection[Item], runner: Runner) -> list[Diagnosis]:
    """What explains the failures of each implementation.

    Args:
        plan: of the run.
        items: all that were judged.
        runner: runs failing cases once more.
    """
    by_name: dict[str, list[Item]] = {}
    for item in _in_order(plan, items):
        by_name.setdefault(item.implementation, []).append(item)
    results = (
        _diagnosis(plan, entry, by_name[entry.name], runner)
        for entry in plan.runnable
        if any(item.verdict == ItemVerdict.FAIL.value for item in by_name.get(entry.name, ()))
        and not any(LOST in item.message for item in by_name[entry.name])  # it would end this process next
    )
    gc.freeze()  # what the run holds is not looked through for garbage again and again
    try:
        return [diagnosis for diagnosis in results if diagnosis is not None]
    finally:
        gc.unfreeze()


def _in_order(plan: Plan, items: Collection[Item]) -> list[Item]:
    """Items in the order of the plan; several processes give them in another one each time.

    Of equals the first is examined.
    """
    places = {item_id: place for place, item_id in enumerate(plan.items)}
    return sorted(items, key=lambda item: places.get(item.id, len(places)))


def _unasked(plan: Plan, implementation: Implementation, items: Collection[Item]) -> list[Case]:
    """The cases of a plan that an implementation was not asked, in the order of the plan."""
    asked = {item.case for item in items if item.verdict != ItemVerdict.NOT_ASKED.value}
    entries = chain(plan.items.values(), plan.beyond_sample.values())
    return [case for entry, case in entries if entry is implementation and case.id not in asked]


def _taken(runner: Runner, implementation: Implementation, cases: Sequence[Case]) -> list[Case]:
    """The cases whose configurations an adapter does not decline."""
    declined = {*runner.declined(implementation, cases)}
    return [case for case in cases if case.id not in declined]


def _diagnosis(plan: Plan, implementation: Implementation, items: list[Item], runner: Runner) -> Diagnosis | None:
    from bn_conformance.diagnosis.diagnose import diagnose  # loads the catalogue of deviations
    from bn_conformance.diagnosis.subject import JudgedImplementation

    subject = JudgedImplementation(
        name=implementation.name,
        convention=implementation.convention,
        capabilities=implementation.capabilities,
        items=items,
        cases={item.case: plan.items[item.id][1] for item in items if item.id in plan.items},
        observe=partial(runner.observe, implementation),
        unasked=() if implementation.capabilities.compiles else _unasked(plan, implementation, items),
        taken=partial(_taken, runner, implementation),
    )
    try:
        return diagnose(subject, runner.goldens)
    except Exception as error:  # of the suite: the verdicts stand, and so does the end of the run
        return Diagnosis(
            implementation=implementation.name,
            deviations=(),
            message=(
                f"There is no diagnosis: bnconform itself ended in an error ({described_error(error)}, in "
                f"{error_place(error)}). The verdicts do not depend on it. Please report it with the results file."
            ),
            confident=False,
            examined=0,
        )
