"""A side of a comparison: an implementation, or a convention alone, which the reference's plain layer then follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import Any

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.mutation.mutant import ALL_CAPABILITIES
from bn_conformance.probe.measuring import Measured, measured_of
from bn_conformance.reading import UnusableText, json_of, text_of
from bn_conformance.targets.naming import code_and_choices, is_target, module_and_class, wrapper_and_code
from bn_conformance.user_error import UserError
from bn_reference.definition.running import eps_of, weights_of
from bn_reference.specification.config import LayerConfig

LARGEST_FILE = 1 << 20
"""Bytes of a file with a convention that is read at all."""

WITHOUT_EPS, WITHOUT_MOMENTUM = 1e-3, 0.01
"""eps, and the weight of the new statistic, that a side without defaults is given."""


class SideError(UserError):
    """What was given for a side cannot be compared; the message says what to do."""


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        name: as it is called in the report.
        convention: declared, or given.
        capabilities: what its layers can do.
        implementation: None where the side is a convention alone.
        measured: what was measured of it, a line each; nothing where its convention is declared and tested elsewhere.
    """

    name: str
    convention: Convention
    capabilities: Capabilities
    implementation: Implementation | None = None
    measured: tuple[str, ...] = ()

    @property
    def eps(self) -> float:
        """Its default eps, as it keeps it, or the one it is given."""
        config = LayerConfig(num_channels=1, eps=None if self.convention.default_eps else WITHOUT_EPS)
        return float(eps_of(config, self.convention))

    @property
    def weight(self) -> float:
        """The weight of the new statistic by default, or the one it is given."""
        plain = Convention(
            momentum_weighs=self.convention.momentum_weighs, default_momentum=self.convention.default_momentum
        )
        momentum = WITHOUT_MOMENTUM if plain.default_momentum is None else None
        return float(weights_of(LayerConfig(num_channels=1, momentum=momentum), plain, 0).new)

    def own_settings(self) -> dict[str, Any]:
        """eps and momentum of a layer with this side's defaults: left out where there are any."""
        return {
            "eps": WITHOUT_EPS if self.convention.default_eps is None else None,
            "momentum": WITHOUT_MOMENTUM if self.convention.default_momentum is None else None,
        }

    def momentum(self, weight: float) -> float:
        """What to pass here as momentum so that the new statistic has a weight."""
        return weight if self.convention.momentum_weighs == "new" else 1.0 - weight


def told_apart(a: Side, b: Side) -> tuple[Side, Side]:
    """Two sides of different names: adapters of one name have the file in brackets, or what the file calls them.

    Of the files' paths, the folders that both have at the front are left out.
    """
    if a.name != b.name or a.implementation is None or b.implementation is None:
        return a, b
    (file_a, own_a), (file_b, own_b) = (_place(side.implementation) for side in (a, b) if side.implementation)
    if file_a == file_b:
        shown = (own_a, own_b) if own_a != own_b else ("", "")
    else:
        parts = PurePath(file_a).parts, PurePath(file_b).parts
        front = next(place for place, pair in enumerate(zip_longest(*parts)) if pair[0] != pair[1])
        shown = ("/".join(parts[0][front:]), "/".join(parts[1][front:]))
    named = (
        replace(side, name=f"{side.name} ({text})") if text else side for side, text in zip((a, b), shown, strict=True)
    )
    return next(named), next(named)


def _place(implementation: Implementation) -> tuple[str, str]:
    """The file or module of an implementation, and what that calls it."""
    target = implementation.target
    wrapped = wrapper_and_code(target)
    return module_and_class(code_and_choices(wrapped[1] if wrapped else target)[0])


def measured_side(implementation: Implementation, timeout: float) -> Side:
    """The side of somebody's own code, under the convention that its behaviour shows.

    Nobody has tested what such code declares, or it declares nothing. Where its behaviour contradicts the declaration
    and one other value explains it, that value counts.

    Args:
        implementation: that can run here.
        timeout: the seconds that a call may take.
    """
    return measured_as(implementation, measured_of(implementation, timeout))


def measured_as(implementation: Implementation, measured: Measured) -> Side:
    """The side of somebody's own code, as it was measured."""
    convention, lines = implementation.convention, measured.lines()
    try:
        convention = replace(convention, **measured.contradicted)
    except ValueError as error:  # each value fits alone, and nobody may declare them together
        lines.append(f"compared as declared, since what was measured is not declarable together: {error}")
    told = tuple(lines) or ("nothing could be measured; compared as declared",)
    return Side(implementation.name, convention, implementation.capabilities, implementation, told)


def is_convention(text: str) -> bool:
    """Whether a side is given as a convention: a JSON file or `name=value,...`."""
    return text.endswith(".json") or ("=" in text and not is_target(text))


def convention_side(text: str) -> Side:
    """The side of a convention given as a JSON file or as `name=value,...` over the default, torch's.

    Raises:
        SideError: the file cannot be read, or something in it is not declarable.
    """
    values = _from_file(Path(text)) if text.endswith(".json") and "=" not in text else _from_text(text)
    known = [entry.name for entry in fields(Convention)]
    for name in values:
        if name not in known:
            raise SideError(
                f"{text[:80]}: there is no convention field {str(name)[:60]!r}; there are {', '.join(known)}"
            )
    try:
        convention = Convention(**values)
    except (TypeError, ValueError) as error:
        raise SideError(f"{text[:80]}: {error}") from None
    return Side(f"convention {Path(text).name if text.endswith('.json') else text}", convention, ALL_CAPABILITIES)


def _from_file(path: Path) -> Mapping[str, Any]:
    try:
        values = json_of(text_of(path, LARGEST_FILE))
    except UnusableText as error:
        raise SideError(f"{path}: {error}; give a convention as JSON") from None
    if not isinstance(values, dict):
        raise SideError(f"{path}: is not a JSON object; give one with the fields of a convention")
    return {name: _number(name, value) for name, value in values.items()}


def _from_text(text: str) -> Mapping[str, Any]:
    values = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise SideError(f"{part[:60]!r} is no NAME=VALUE; write name=value,name=value")
        values[name] = _number(name, _literal(value))
    return values


def _literal(text: str) -> Any:
    try:
        value = json.loads({"True": "true", "False": "false", "None": "null", "none": "null"}.get(text, text))
    except (ValueError, RecursionError):
        return text
    return value


def _number(name: str, value: Any) -> Any:
    """Integers as the fields have them; `debiasing=none` is a value, not the absence of one."""
    if name == "debiasing" and value is None:
        return "none"
    return float(value) if type(value) is int and name.startswith(("default", "initial")) else value
