"""Laws observed and judged: the runs of a case's laws, and a quantity for each claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.comparison.array import judge
from bn_conformance.hosting.host import Host
from bn_conformance.laws.claims import NoNumbers, Outcome
from bn_conformance.laws.statements import LAWS, Law
from bn_conformance.laws.trials import Ran, base_of, run
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.golden.expected import Expected


def observe_laws(
    case: Case, data: CaseData, host: Host, explicit_update: bool, built: list[int]
) -> dict[str, tuple[Ran, ...]]:
    """The runs of every law of a case, by its name; numbers of the layers that were built are appended to `built`.

    Raises:
        LayerError: the implementation raised.
        HostLost: its process is gone.
    """
    found = {}
    for name in case.laws:
        setups = LAWS[name].setups(base_of(case, data))
        found[name] = tuple(run(host, setup, explicit_update, built) for setup in setups)
    return found


def judge_laws(case: Case, convention: Convention, seen: Mapping[str, tuple[Ran, ...]]) -> Iterator[Quantity]:
    """A quantity for each claim of each law."""
    for name, ran in seen.items():
        law = LAWS[name]
        clauses = (law.clause, *(clause for clause in case.clauses if clause != law.clause))
        try:
            yield from _claims(law, [Outcome(one, convention) for one in ran], clauses, case)
        except NoNumbers as fault:
            yield Quantity(
                name=f"law.{name}", outcome=outcomes.WRONG, clauses=(*clauses, "DTYPE-1"), message=str(fault)
            )


def _claims(law: Law, seen: list[Outcome], clauses: tuple[str, ...], case: Case) -> Iterator[Quantity]:
    for claim in law.claims(seen):
        name = f"law.{law.name}.{claim.name}" if claim.name else f"law.{law.name}"
        expected = Expected(claim.values, claim.allowed)
        found = judge(name, expected, claim.got, 0, clauses, nonfinite_alike=case.nonfinite_alike)
        yield replace(found, ulp=None)  # the unit of a sum, or of a difference, says nothing
