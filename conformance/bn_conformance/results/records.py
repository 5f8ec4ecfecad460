"""The records of a results file: what a run says of itself, of each implementation and of each item.

Plain frozen values without behaviour; `bn_conformance.results.file` writes them to a file and reads them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CaseInfo:
    """What a report must know of a case: its id, family, what it tests, its clauses and its axes.

    `digest` is one of all that the case is; empty in files of versions that wrote none. `newer` says that the case came
    after the set of cases that the run was asked to hold to, so that it fails nobody.
    """

    id: str
    family: str
    title: str
    clauses: tuple[str, ...]
    requirement: str
    axes: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    newer: bool = False


@dataclass(frozen=True, kw_only=True)
class ClauseInfo:
    """A clause of SPEC.md: id, family, requirement (MUST, SHOULD or MAY) and text."""

    id: str
    family: str
    requirement: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """First record. `planned` holds the ids `implementation::case` that the run set out to judge."""

    suite: str
    created: str
    machine: Mapping[str, str]
    options: Mapping[str, Any]
    implementations: tuple[str, ...]
    cases: tuple[CaseInfo, ...]
    clauses: tuple[ClauseInfo, ...]
    planned: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One per implementation: whether it could be judged, where it ran, and what it declares."""

    implementation: str
    status: str
    """`ok`, `not-installed` or `broken`."""
    message: str = ""
    """Why it is not `ok`, with the command that mends it."""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    settings: Mapping[str, str] = field(default_factory=dict)
    convention: Mapping[str, Any] = field(default_factory=dict)
    nonstandard: Mapping[str, str] = field(default_factory=dict)
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    """Digests of what its results depend on (`bn_conformance.identity`), by part; a later run compares them."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One judged quantity of an item, such as `step0.y`: its outcome and its worst element.

    `error`, `bound` and `ratio` (error / bound, of the grade `tight`) belong to the element at `index`; `ulp` is the
    error in units in the last place of the expected value and informs only.
    """

    name: str
    outcome: str
    clauses: tuple[str, ...]
    error: float | None = None
    bound: float | None = None
    ratio: float | None = None
    ulp: float | None = None
    index: tuple[int, ...] | None = None
    expected: float | None = None
    got: float | None = None
    judged: int = 0
    """Elements that were judged."""
    total: int = 0
    """Elements there are; where fewer were judged, no bound means anything for the rest."""
    ranged: int = 0
    """Of the rest: elements that were held against the range where every sound algorithm stays, and to be no NaN."""
    ends: tuple[float, float] | None = None
    """Where the worst element is outside that range: its ends; `bound` is then the way to the nearer end."""
    message: str = ""
    excess: float | None = None
    """Of a wrong number: its error over what the grade allows that comes nearest to explaining it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """The verdict on one implementation and one case."""

    implementation: str
    case: str
    outcome: str
    verdict: str
    message: str = ""
    quantities: tuple[Quantity, ...] = ()
    seconds: float = 0.0
    """Time in the implementation's own calls."""
    harness_seconds: float = 0.0
    """Time of everything else of this item but pytest's own."""
    known_fault: str | None = None
    reproduce: str = ""
    explained_by: tuple[str, ...] | None = None
    """Of a failing item that was examined: the deviations (`a` or `a+b`) under which all of it would be right."""
    declined: bool = False
    """Of an item that is unsupported: what it declares covers the case, but `Adapter.supports` declined it."""
    reused: str | None = None
    """Of an item that was taken over from another results file: when the run that judged it began."""

    @property
    def id(self) -> str:
        """The item's id in the header's `planned`."""
        return f"{self.implementation}::{self.case}"


@dataclass(frozen=True, kw_only=True)
class StaleFault:
    """A known-fault entry that matched planned items but no fault: the entry must go."""

    entry: str
    file: str
    line: int
    message: str
    reason: str = ""
    """The entry's reason, as `Item.known_fault` would give it; `bnconform merge` tells by it whether it is stale."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What explains the failures of an implementation, one record for each that has failures that were examined."""

    implementation: str
    deviations: tuple[str, ...]
    """Names in the catalogue; several act at once; none where no known deviation explains the failures."""
    message: str
    """The diagnosis in words."""
    confident: bool
    """They explain every failure that was examined, and contradict nothing that passes."""
    examined: int
    """Failing items that were compared with the deviations."""


@dataclass(frozen=True, kw_only=True)
class End:
    """Last record; a file without one was cut off.

    Attributes:
        exit_code: of the run.
        seconds: of wall time.
        message: the exit code's reason.
        stopped: the run stopped at a failure, as it was asked to, so that planned items were not run.
    """

    exit_code: int
    seconds: float
    message: str = ""
    stopped: bool = False


Record = Header | Environment | Item | StaleFault | Diagnosis | End


def split_id(item: str) -> tuple[str, str]:
    """Implementation and case of an item's id."""
    implementation, _, case = item.rpartition("::")
    return implementation, case
