"""The clauses of SPEC.md, read from its text, so that text and verdicts cannot drift apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

Requirement = Literal["MUST", "SHOULD", "MAY"]

_CLAUSE = re.compile(r"^- \*\*([A-Z]+-\d+)\*\* (MUST|SHOULD|MAY): (.+)$", re.MULTILINE)
_FAMILY = re.compile(r"^## ([A-Z]+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Clause:
    """A normative sentence: its id, such as `STAT-3`, its requirement and its text."""

    id: str
    requirement: Requirement
    text: str

    @property
    def family(self) -> str:
        """The part of the id before the number."""
        return self.id.partition("-")[0]


@cache
def specification() -> str:
    """The text of SPEC.md."""
    return files("bn_reference").joinpath("SPEC.md").read_text(encoding="utf-8")


@cache
def clauses() -> dict[str, Clause]:
    """All clauses by id, in the order of the text."""
    matches = _CLAUSE.findall(specification())
    return {id_: Clause(id_, cast(Requirement, requirement), text) for id_, requirement, text in matches}


@cache
def families() -> dict[str, str]:
    """The heading of each clause family, in the order of the text."""
    return dict(_FAMILY.findall(specification()))
