"""A finding of a probe: a property, its measured value, the declared one, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of a property."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    FAULT = "fault"
    KNOWN = "known fault"
    ERRORED = "errored"
    UNDETERMINED = "undetermined"
    OBSERVED = "observed"
    NOT_MEASURED = "not measured"


FAILING = frozenset({Status.CONTRADICTS, Status.FAULT, Status.ERRORED})
EMPTY = frozenset({Status.NOT_MEASURED, Status.ERRORED})

AGREED, FAILED, NOTHING = 0, 1, 3
"""Exit codes of `bnconform probe`: all that was measured agrees, something does not, nothing could be measured."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One property of an implementation.

    Attributes:
        property: a field of `Convention`, or what else was looked at, in words.
        measured: what its behaviour says, as text.
        declared: what the adapter declares, as text; empty where nothing is declarable.
        status: whether the two agree.
        detail: numbers, or why nothing is known.
        clause: the clause that a fault breaks.
        case: id of the matrix's case that judges the same.
    """

    property: str
    measured: str
    declared: str = ""
    status: Status
    detail: str = ""
    clause: str = ""
    case: str = ""

    @classmethod
    def fault(
        cls, name: str, measured: str, clause: str, detail: str = "", case: str = "", declared: str = ""
    ) -> Finding:
        """Behaviour that nobody may declare."""
        return cls(
            property=name,
            measured=measured,
            declared=declared,
            status=Status.FAULT,
            detail=detail,
            clause=clause,
            case=case,
        )

    @classmethod
    def observed(
        cls, name: str, measured: str, detail: str = "", declared: str = "", status: Status = Status.OBSERVED
    ) -> Finding:
        """Behaviour that is permitted and that no field of a convention names."""
        return cls(property=name, measured=measured, declared=declared, status=status, detail=detail)

    @classmethod
    def agreeing(cls, name: str, measured: str) -> Finding:
        """Behaviour that is the only permitted one."""
        return cls.observed(name, measured, declared=measured, status=Status.AGREES)

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 where all that was measured agrees, 1 where something does not, 3 where nothing could be measured."""
    if all(finding.status in EMPTY for finding in findings):
        return NOTHING
    return FAILED if any(finding.status in FAILING for finding in findings) else AGREED
