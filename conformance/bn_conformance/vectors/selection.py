"""Selects cases for vectors: those that a document can hold, and the core set, which is chosen by rule."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.model import (
    ALL_QUANTITIES,
    Batch,
    Case,
    Freeze,
    ParameterRecipes,
    Reload,
    SetParameters,
    SetStatistics,
)
from bn_conformance.catalogue.far import FAR
from bn_conformance.vectors.named_conventions import DEFAULT, NAMED
from bn_reference.specification.clauses import families

CORE_VALUES = 2000
"""A case with more values in its tensors is not in the core set."""

CONVENTION_CLAUSES = ("STAT-1", "STAT-2", "STAT-6")
"""Clauses that the core set shows under every named convention."""

CORE_DTYPE = ("float32", "float32")
"""The format in which the core set shows every clause."""

MEMORY_CLAUSES = frozenset({"PURE-1", "PURE-2", "PURE-4", "LAYOUT-3"})
"""Clauses about memory and repetition: vectors hold the numbers of their cases, which is not all they ask for."""

_FIELDS: dict[type[Any], str] = {
    Case: "id family title clauses config steps parameters judges expects repeat sweep axes"
    " exact exact_statistics tight finite_statistics nonfinite_alike",
    LayerConfig: "num_channels rank channel_axis dtype parameter_dtype eps momentum gamma beta",
    Batch: "training shape x dy view dy_view judge dtype dy_shape",
    SetStatistics: "mean variance view",
    SetParameters: "gamma beta view",
    ParameterRecipes: "gamma beta view",
    Reload: "",
    Freeze: "",
}
"""The fields of each part of a case that a document can hold. A case with another step or field is left out."""


def lacking(case: Case) -> str:
    """Empty where a document can hold the whole case, else what it cannot hold, for example `Batch.interrupt`."""
    if case.large:
        return "tensors of a million values"
    for part in (case, case.config, *case.steps, *filter(None, [case.parameters])):
        if type(part) not in _FIELDS:
            return f"the step {type(part).__name__}"
        for field in fields(part):
            if field.name not in _FIELDS[type(part)].split() and getattr(part, field.name) != _default(field):
                return f"{type(part).__name__}.{field.name}"
    unknown = case.judges - ALL_QUANTITIES
    return f"the quantity {min(unknown)}" if unknown else ""


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def split(cases: Iterable[Case]) -> tuple[list[Case], Counter[str]]:
    """The cases that documents can hold, and for the others how many need what documents cannot hold."""
    documented, left_out = [], Counter[str]()
    for case in cases:
        need = lacking(case)
        if need:
            left_out[need] += 1
        else:
            documented.append(case)
    return documented, left_out


def owed(case: Case, batch: Batch) -> tuple[str, ...]:
    """The quantities that results of a step with data must give.

    These are the outputs and gradients that the case judges, and the running statistics after the step. After a step in
    inference the statistics are owed only if the case judges the running variance.
    """
    config = case.config
    exists = {"y": True, "dx": batch.dy is not None}
    exists |= {"dgamma": exists["dx"] and config.gamma, "dbeta": exists["dx"] and config.beta}
    quantities = [name for name, given in exists.items() if batch.judge and given and name in case.judges]
    if "running_var" in case.judges or ("running_mean" in case.judges and batch.training):
        quantities += ["running_mean", "running_var"]
    return tuple(quantities)


def size_of(case: Case) -> int:
    """Values in the tensors of a case."""
    return sum(math.prod(batch.shape) * (1 if batch.dy is None else 2) for batch in case.batches)


def core(cases: Iterable[Case]) -> Iterator[tuple[Case, str]]:
    """The core set: pairs of a case and the name of the convention of its goldens, in order of family and id.

    Of what documents can say, with at most `CORE_VALUES` values and at no far place, it takes the smallest case (among
    equals the first in the order of the suite)

    - of every clause, in float32, under torch's convention;
    - of every family in every other pair of formats, under torch's convention (cases about memory aside);
    - of every clause in `CONVENTION_CLAUSES`, in float32, under every other named convention.
    """
    small = [case for case in split(cases)[0] if size_of(case) <= CORE_VALUES and FAR not in case.axes]
    small.sort(key=size_of)
    chosen: dict[tuple[Any, ...], tuple[Case, str]] = {}
    for case in small:
        formats = (case.config.dtype, case.config.parameter_dtype)
        if formats != CORE_DTYPE and case.clauses[0] not in MEMORY_CLAUSES:
            chosen.setdefault(("family", case.family, formats), (case, DEFAULT))
    for clause, case in _smallest_of_clauses(small).items():
        chosen["clause", clause] = case, DEFAULT
        if clause in CONVENTION_CLAUSES:
            chosen |= {("clause", clause, name): (case, name) for name in NAMED if name != DEFAULT}
    order = list(families())
    pairs = {(case.id, name): (case, name) for case, name in chosen.values()}
    yield from sorted(pairs.values(), key=lambda pair: (order.index(pair[0].family), pair[0].id, pair[1]))


def _smallest_of_clauses(small: list[Case]) -> dict[str, Case]:
    """Per clause the smallest float32 case that it decides, or else that tests it at all."""
    plain = [case for case in small if (case.config.dtype, case.config.parameter_dtype) == CORE_DTYPE]
    smallest: dict[str, Case] = {}
    for case in plain:
        smallest.setdefault(case.clauses[0], case)
    for case in plain:
        for clause in case.clauses:
            smallest.setdefault(clause, case)
    return smallest
