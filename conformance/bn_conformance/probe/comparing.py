"""A measured field of the convention beside the declared one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import Laboratory
from bn_reference.specification.convention import CHOICES

NOTHING_FITS = "nothing declarable"


def shown(value: Any) -> str:
    """A value of a convention as a person would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def meaning(field: str, value: Any) -> str:
    """What a value means, in the words of the specification; empty where it is a number."""
    choice = CHOICES.get(field, {}).get(value)
    return choice.meaning if choice else ""


def compared(
    laboratory: Laboratory, field: str, fitting: Sequence[Any], detail: str, clause: str = "", case: str = ""
) -> Finding:
    """The finding for a field, given the declarable values that explain what was seen.

    One value is the measured one. With several the field is undetermined, and contradicts where the declared value is
    not among them. With none the behaviour is a fault, whatever is declared.
    """
    declared = getattr(laboratory.declared, field)
    if not fitting:
        return Finding(
            property=field, measured=NOTHING_FITS, declared=shown(declared), status=Status.FAULT, detail=detail,
            clause=clause, case=case,
        )  # fmt: skip
    if len(fitting) == 1:
        laboratory.measured[field] = fitting[0]
        status = Status.AGREES if fitting[0] == declared else Status.CONTRADICTS
    else:
        status = Status.UNDETERMINED if declared in fitting else Status.CONTRADICTS
        if status is Status.CONTRADICTS:  # later experiments need a value that explains what was seen
            laboratory.measured[field] = fitting[0]
    words = meaning(field, fitting[0]) if len(fitting) == 1 else ""
    if status is Status.AGREES:
        detail = words
    elif words:
        detail = f"{words} ({detail})" if detail else words
    return Finding(
        property=field, measured=" or ".join(map(shown, fitting)), declared=shown(declared), status=status,
        detail=detail, clause=clause if status is Status.CONTRADICTS else "", case=case,
    )  # fmt: skip


def fault(field: str, measured: str, clause: str, detail: str = "", case: str = "", declared: str = "") -> Finding:
    """Behaviour that nobody may declare."""
    return Finding(
        property=field, measured=measured, declared=declared, status=Status.FAULT, detail=detail, clause=clause,
        case=case,
    )  # fmt: skip


def observed(
    what: str, measured: str, detail: str = "", declared: str = "", status: Status = Status.OBSERVED
) -> Finding:
    """Behaviour that is permitted and that no convention field names."""
    return Finding(property=what, measured=measured, declared=declared, status=status, detail=detail)
