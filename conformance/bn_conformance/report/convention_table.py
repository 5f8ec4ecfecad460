"""The table of declared conventions, beside a baseline, and what each difference does to numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bn_conformance.conventions.effects import Effect, convention_effects
from bn_conformance.report.summary import Summary
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.records import Environment
from bn_conformance.text import one_line, plain
from bn_reference.specification.convention import CHOICES

COMMON = "torch.nn"
"""The implementation whose convention is the baseline where no other is chosen: most readers know it."""


@dataclass(frozen=True)
class Cell:
    """One declared choice: its value, what it means, and whether it is nonstandard or differs from the baseline."""

    value: str
    meaning: str
    nonstandard: bool
    differs: bool


@dataclass(frozen=True)
class SharedDifference:
    """Implementations that differ from the baseline in the same choices, and the effects of these."""

    implementations: tuple[str, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class ConventionTable:
    """The conventions of a run.

    Attributes:
        baseline: the implementation that the others are set beside; None where none declares a convention.
        choices: fields of the convention.
        rows: per implementation that declares a convention, its cells, one a choice.
        nonstandard: per nonstandard choice, what it means and who declares it.
        differences: groups of implementations that differ from the baseline.
        same: other implementations that declare just what the baseline does.
    """

    baseline: str | None
    choices: tuple[str, ...]
    rows: Mapping[str, tuple[Cell, ...]]
    nonstandard: Mapping[tuple[str, str], tuple[str, ...]]
    differences: tuple[SharedDifference, ...]
    same: tuple[str, ...]

    @property
    def pair(self) -> tuple[str, ...]:
        """The baseline, and the first of those that share the most frequent other convention, where there are any."""
        if self.baseline is None:
            return ()
        other = max(self.differences, key=lambda each: len(each.implementations), default=None)
        return (self.baseline, *(other.implementations[:1] if other else self.same[:1]))


def convention_table(summary: Summary, baseline: str | None = None) -> ConventionTable:
    """The conventions of a run beside those of `baseline`, by default the common one (`common_convention`).

    Raises:
        ResultsError: there is no implementation of that name that declares a convention.
    """
    environments = [
        implementation.environment
        for implementation in summary.implementations
        if implementation.environment.convention
    ]
    declared = {environment.implementation: environment.convention for environment in environments}
    if baseline is not None and baseline not in declared:
        known = ", ".join(declared) or "none"
        raise ResultsError(
            f"baseline is {one_line(baseline)!r}; the results have conventions of: {one_line(known, 1000)}"
        )
    baseline = baseline or common_convention(environments)
    reference = declared[baseline] if baseline is not None else {}
    choices = tuple(dict.fromkeys(name for convention in declared.values() for name in convention))
    rows, who, groups = {}, dict[tuple[str, str], list[str]](), dict[tuple[Any, ...], list[str]]()
    for environment in environments:
        convention = environment.convention
        rows[environment.implementation] = tuple(
            _cell(choice, convention, environment.nonstandard, reference) for choice in choices
        )
        for choice, meaning in environment.nonstandard.items():
            who.setdefault((choice, meaning), []).append(environment.implementation)
        differing = tuple((name, plain(value)) for name, value in convention.items() if reference.get(name) != value)
        groups.setdefault(differing, []).append(environment.implementation)
    return ConventionTable(
        baseline=baseline,
        choices=choices,
        rows=rows,
        nonstandard={key: tuple(names) for key, names in who.items()},
        differences=tuple(
            SharedDifference(tuple(names), tuple(convention_effects(reference, declared[names[0]])))
            for differing, names in groups.items()
            if differing
        ),
        same=tuple(name for name in groups.get((), []) if name != baseline),
    )


def common_convention(environments: Iterable[Environment]) -> str | None:
    """Who declares the convention that most readers know: torch.nn; without it, the first of those that most share.

    Those that could not be judged come last. None where nobody declares a convention.
    """
    declared = [one for one in environments if one.convention]
    judged = [one for one in declared if one.status == "ok"] or declared
    if not judged:
        return None
    names = [one.implementation for one in judged]
    share = Counter(repr(sorted(one.convention.items())) for one in judged)
    common = max(judged, key=lambda one: share[repr(sorted(one.convention.items()))])
    return COMMON if COMMON in names else common.implementation


def _cell(
    choice: str, convention: Mapping[str, Any], nonstandard: Mapping[str, str], reference: Mapping[str, Any]
) -> Cell:
    if choice not in convention:
        return Cell("not said", "", False, choice in reference)
    value = convention[choice]
    try:
        known = CHOICES.get(choice, {}).get(value)
    except TypeError:  # a value that no convention can have, such as a list
        known = None
    meaning = nonstandard.get(choice) or (known.meaning if known else "")
    return Cell(plain(value), meaning, choice in nonstandard, reference.get(choice) != value)
