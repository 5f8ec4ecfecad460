"""Everything about two sides: their conventions, what a model feels, the recipes both ways, and whether they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bn_conformance.conventions.effects import Effect, convention_effects
from bn_conformance.diff.consequences import Felt, feel
from bn_conformance.diff.parties import Party
from bn_conformance.diff.recipe import Step, snippet, steps
from bn_conformance.diff.verifying import Verification, verify
from bn_conformance.hosting.host import Host
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.text import plain
from bn_reference.specification.convention import CHOICES

VERIFIED, FAILED = 0, 1
"""Exit codes."""


@dataclass(frozen=True)
class Choice:
    """A convention in which the sides differ: their values, and what each means."""

    field: str
    a: str
    b: str
    meaning_a: str
    meaning_b: str


@dataclass(frozen=True)
class Direction:
    """The conversion from one side to the other."""

    source: str
    target: str
    steps: tuple[Step, ...]
    snippet: str
    verification: Verification


@dataclass(frozen=True)
class Diff:
    """The whole comparison.

    Attributes:
        a, b: names of the sides.
        choices: conventions that differ.
        effects: what each does to numbers, by closed formulas.
        felt: largest difference of outputs per case, largest first.
        failures: cases that could not be run.
        directions: the recipes from A to B and back.
    """

    a: str
    b: str
    choices: tuple[Choice, ...]
    effects: tuple[Effect, ...]
    felt: tuple[Felt, ...]
    failures: tuple[str, ...]
    directions: tuple[Direction, ...]

    @property
    def verified(self) -> bool:
        """Whether both recipes were run and hold."""
        return all(direction.verification.verified for direction in self.directions)

    @property
    def explained(self) -> bool:
        """Whether the conventions explain every difference of outputs within its bound."""
        return bool(self.felt) and all(one.ratio <= 1.0 for one in self.felt)

    @property
    def headline(self) -> str:
        """The comparison in a sentence."""
        count = len(self.choices)
        differ = f"{count} convention{'s' * (count != 1)} differ{'s' * (count == 1)}" if count else "same conventions"
        if self.verified:
            return f"{differ}; converted and verified both ways"
        failed = [f"{one.source} to {one.target}" for one in self.directions if not one.verification.verified]
        return f"{differ}; conversion NOT verified: {', '.join(failed)}"

    @property
    def exit_code(self) -> int:
        """0 where both recipes are verified, else 1."""
        return VERIFIED if self.verified else FAILED

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain data; numbers that are not finite as text."""
        data: dict[str, Any] = _plain_numbers({"kind": "diff", **asdict(self)})
        for place, direction in enumerate(self.directions):
            data["directions"][place]["verification"]["verified"] = direction.verification.verified
        return data | {"verified": self.verified, "explained": self.explained}


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(entry) for entry in value]
    return str(value) if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


def compare(a: Party, b: Party, open_a: Callable[[], Host], open_b: Callable[[], Host]) -> Diff:
    """Compare two sides, run both, and execute the recipes between them."""
    one = a, Laboratory(open_a, a.capabilities, a.convention)
    two = b, Laboratory(open_b, b.capabilities, b.convention)
    choices = tuple(
        Choice(name, plain(own), plain(other), _meaning(name, own), _meaning(name, other))
        for name, (own, other) in a.convention.differences(b.convention).items()
    )
    felt, failures = feel(one, two)
    return Diff(
        a=a.name,
        b=b.name,
        choices=choices,
        effects=tuple(convention_effects(a.convention.to_json(), b.convention.to_json())),
        felt=tuple(felt),
        failures=tuple(failures),
        directions=(_direction(one, two), _direction(two, one)),
    )


def _meaning(field: str, value: Any) -> str:
    choice = CHOICES.get(field, {}).get(value)
    return choice.meaning if choice else ""


def _direction(source: tuple[Party, Laboratory], target: tuple[Party, Laboratory]) -> Direction:
    return Direction(
        source[0].name,
        target[0].name,
        tuple(steps(source[0], target[0])),
        snippet(source[0], target[0]),
        verify(source, target),
    )
