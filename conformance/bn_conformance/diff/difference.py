"""How two sides differ: conventions, outputs, and the conversion both ways with the checks that it passed or failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bn_conformance.conventions.effects import Effect, convention_effects
from bn_conformance.diff.conversion import ConversionStep, conversion_steps, snippet
from bn_conformance.diff.output_differences import OutputDifference, output_differences
from bn_conformance.diff.sides import Side, told_apart
from bn_conformance.diff.verification import OUTPUTS_CHECK, Verification, verify
from bn_conformance.hosting.host import Host
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.text import counted, plain
from bn_reference.specification.convention import CHOICES

VERIFIED, FAILED = 0, 1
"""Exit codes."""


@dataclass(frozen=True)
class ConventionDifference:
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
    steps: tuple[ConversionStep, ...]
    snippet: str
    verification: Verification


@dataclass(frozen=True)
class Diff:
    """The whole comparison.

    Attributes:
        a, b: names of the sides.
        choices: conventions that differ.
        effects: what each does to numbers, by closed formulas.
        outputs: largest difference of outputs in each case, the largest first.
        failures: cases that could not be run.
        directions: the conversions from A to B and back.
        measured: what was measured of somebody's own code, a sentence for each side of that kind.
    """

    a: str
    b: str
    choices: tuple[ConventionDifference, ...]
    effects: tuple[Effect, ...]
    outputs: tuple[OutputDifference, ...]
    failures: tuple[str, ...]
    directions: tuple[Direction, ...]
    measured: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether both conversions were run and hold."""
        return all(direction.verification.verified for direction in self.directions)

    @property
    def explained(self) -> bool:
        """Whether the conventions explain every difference of outputs within its bound."""
        return bool(self.outputs) and all(entry.ratio <= 1.0 for entry in self.outputs)

    @property
    def converts(self) -> bool:
        """Whether inference after the conversion is the same within rounding, both ways."""
        checks = [
            [check for check in direction.verification.checks if check.what == OUTPUTS_CHECK]
            for direction in self.directions
        ]
        return all(found and all(check.holds for check in found) for found in checks)

    @property
    def headline(self) -> str:
        """The comparison in a sentence."""
        count = len(self.choices)
        differ = (
            f"{counted(count, 'convention')} differ{'s' * (count == 1)}" if count else "The conventions are the same"
        )
        if self.verified:
            return f"{differ}; the conversion was run and verified in both directions"
        failed = [
            f"from {direction.source} to {direction.target}"
            for direction in self.directions
            if not direction.verification.verified
        ]
        return f"{differ}; the conversion is NOT verified {' and '.join(failed)}"

    @property
    def exit_code(self) -> int:
        """0 where both conversions are verified, else 1."""
        return VERIFIED if self.verified else FAILED

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain data; numbers that are not finite as text."""
        data: dict[str, Any] = _plain_numbers({"kind": "diff", **asdict(self)})
        data["felt"] = data.pop("outputs")
        for place, direction in enumerate(self.directions):
            data["directions"][place]["verification"]["verified"] = direction.verification.verified
        return data | {"verified": self.verified, "explained": self.explained}


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(entry) for entry in value]
    return str(value) if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


def diff_sides(a: Side, b: Side, open_a: Callable[[], Host], open_b: Callable[[], Host]) -> Diff:
    """Compare two sides, run both, and execute the conversion between them in both directions."""
    a, b = told_apart(a, b)
    side_a = a, Laboratory(open_a, a.capabilities, a.convention)
    side_b = b, Laboratory(open_b, b.capabilities, b.convention)
    choices = tuple(
        ConventionDifference(name, plain(value_a), plain(value_b), _meaning(name, value_a), _meaning(name, value_b))
        for name, (value_a, value_b) in a.convention.differences(b.convention).items()
    )
    outputs, failures = output_differences(side_a, side_b)
    return Diff(
        a=a.name,
        b=b.name,
        choices=choices,
        effects=tuple(convention_effects(a.convention.to_json(), b.convention.to_json())),
        outputs=tuple(outputs),
        failures=tuple(failures),
        directions=(_direction(side_a, side_b), _direction(side_b, side_a)),
        measured=tuple(f"{side.name}: {'; '.join(side.measured)}" for side in (a, b) if side.measured),
    )


def _meaning(field: str, value: Any) -> str:
    choice = CHOICES.get(field, {}).get(value)
    return choice.meaning if choice else ""


def _direction(source: tuple[Side, Laboratory], target: tuple[Side, Laboratory]) -> Direction:
    return Direction(
        source[0].name,
        target[0].name,
        tuple(conversion_steps(source[0], target[0])),
        snippet(source[0], target[0]),
        verify(source, target),
    )
