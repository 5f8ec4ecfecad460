"""The table of declared conventions, beside a baseline, and what each difference does to numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bn_conformance.conventions.effects import Effect, convention_effects
from bn_conformance.report.summary import Summary
from bn_conformance.results.json_line import ResultsError
from bn_conformance.text import one_line, plain
from bn_reference.specification.convention import CHOICES


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


def convention_table(summary: Summary, baseline: str | None = None) -> ConventionTable:
    """The conventions of a run beside those of `baseline`, by default the first implementation that could be judged.

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
    judged = [environment.implementation for environment in environments if environment.status == "ok"]
    baseline = baseline or next(iter([*judged, *declared]), None)
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
