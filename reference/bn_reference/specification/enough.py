"""The minimums of SPEC.md: how much must be judged before a verdict may say that a layer conforms."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bn_reference.specification.clauses import specification

SHARE = 0.5
"""The part of the cases of a family that must be judged, of those that what a layer declares covers."""

_ROW = re.compile(r"^\| ([A-Z]+-\d+) \| (.+) \| (\d+) \|$", re.MULTILINE)
_NEED = re.compile(r"`(\w+)(?:: (\w+))?`")


@dataclass(frozen=True)
class Minimum:
    """A row of the table: in how many cases a claim must be judged.

    Attributes:
        clause: that says what is right; its family is the one that is claimed.
        needs: capabilities that make the claim, each with the value that it must hold; empty for one that is a switch.
        cases: the fewest cases in which something must have been judged under the clause.
    """

    clause: str
    needs: tuple[tuple[str, str], ...]
    cases: int

    @property
    def family(self) -> str:
        """The family of the clause."""
        return self.clause.partition("-")[0]

    def claimed(self, capabilities: Mapping[str, Any]) -> bool:
        """Whether an implementation that declares these capabilities, as plain data, makes the claim."""
        return all(_declares(capabilities.get(name), value) for name, value in self.needs)


@cache
def minimums() -> tuple[Minimum, ...]:
    """The rows of the table in SPEC.md, in its order."""
    return tuple(
        Minimum(clause, tuple(_NEED.findall(needs)), int(cases))
        for clause, needs, cases in _ROW.findall(specification())
    )


def _declares(declared: object, value: str) -> bool:
    if not value:
        return bool(declared)
    return isinstance(declared, Collection) and value in declared
