"""Holds a measured field of the convention against the declared value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import Laboratory
from bn_reference.specification.convention import CHOICES

NOTHING_FITS = "nothing declarable"


def value_in_words(value: Any) -> str:
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


def against_declaration(
    laboratory: Laboratory, field: str, fitting: Sequence[Any], detail: str, clause: str = "", case: str = ""
) -> Finding:
    """The finding for a field of the convention; a value that is found is noted in `laboratory.measured`.

    - If one value fits, it is the measured one. It agrees with the declaration or contradicts it.
    - If several fit, the field is undetermined, and contradicted where the declared value is not among them.
    - If none fits, the behaviour is a fault, whatever is declared.

    Args:
        laboratory: where it was measured.
        field: of `Convention`.
        fitting: the declarable values that explain what was observed.
        detail: numbers, or what was observed.
        clause: the clause that is broken where the field is contradicted.
        case: id of the matrix's case that judges the same.
    """
    declared = getattr(laboratory.declared, field)
    if not fitting:
        return Finding.fault(field, NOTHING_FITS, clause, detail, case, value_in_words(declared))
    if len(fitting) == 1:
        status = Status.AGREES if fitting[0] == declared else Status.CONTRADICTS
    else:
        status = Status.UNDETERMINED if declared in fitting else Status.CONTRADICTS
    if status is not Status.UNDETERMINED:  # later experiments need a value that explains what was observed
        laboratory.measured[field] = fitting[0]
    words = meaning(field, fitting[0]) if len(fitting) == 1 else ""
    if status is Status.AGREES:
        detail = words
    elif words:
        detail = f"{words} ({detail})" if detail else words
    return Finding(
        property=field,
        measured=" or ".join(map(value_in_words, fitting)),
        declared=value_in_words(declared),
        status=status,
        detail=detail,
        clause=clause if status is Status.CONTRADICTS else "",
        case=case,
    )
