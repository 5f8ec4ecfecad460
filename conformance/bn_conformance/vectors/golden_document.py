"""The document of a case under a convention: its data and its goldens, as `vectors.schema.json` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.model import Batch, Case, has_data
from bn_conformance.cases.steps import type_of
from bn_conformance.judging.goldens import Goldens
from bn_conformance.vectors.hexfloat import bound_texts, parts, rounded_down, texts, to_hex
from bn_conformance.vectors.named_conventions import convention_named
from bn_conformance.vectors.selection import owed
from bn_conformance.vectors.trajectory import TrajectoryStep, walk
from bn_reference.arithmetic.channels import channels_back
from bn_reference.arithmetic.quad import Quad, round_to
from bn_reference.definition.running import eps_of
from bn_reference.definition.state import LayerFormats, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.clauses import clauses
from bn_reference.specification.grades import STABLE, TIGHT, Grade

VECTOR_FORMAT = 1
"""Version of the documents' format."""

Document = dict[str, Any]


def document(case: Case, convention_name: str, goldens: Goldens) -> Document:
    """Make the document of a case.

    Args:
        case: the case; `selection.lacking` must find nothing lacking in it.
        convention_name: see `bn_conformance.vectors.named_conventions`.
        goldens: a cache of goldens.

    Raises:
        UnknownConvention: there is no convention of this name.
    """
    convention = convention_named(convention_name)
    with np.errstate(all="ignore"):  # NaN and infinities are data here
        return {
            "format": VECTOR_FORMAT,
            "case": case.id,
            "title": case.title,
            "clauses": [
                {"id": id_, "requirement": clauses()[id_].requirement, "text": clauses()[id_].text}
                for id_ in case.clauses
            ],
            "convention": {"name": convention_name, "fields": _plain(convention.to_json())},
            "layer": _layer(case, convention),
            "judges": sorted(case.judges),
            "expects": case.expects,
            "flags": [
                name
                for name in ("exact", "exact_statistics", "tight", "finite_statistics", "nonfinite_alike", "repeat")
                if getattr(case, name)
            ],
            "parameters": _parameters(case, goldens),
            "steps": _refused_steps(case, goldens) if case.expects == "refusal" else _steps(case, convention, goldens),
        }


def _plain(fields: Mapping[str, Any]) -> Document:
    """Write floats as hexadecimal floats; integers, booleans, texts and null stay as they are."""
    return {name: to_hex(value) if isinstance(value, float) else value for name, value in fields.items()}


def _layer(case: Case, convention: Convention) -> Document:
    """The configuration of the case, and the eps and the format of the statistics that follow under the convention."""
    eps = float(round_to(np.asarray(eps_of(case.config, convention)).reshape(1), np.float64)[0])
    formats = LayerFormats.of(case.config, convention)
    return _plain(case.config.to_json()) | {"eps_used": to_hex(eps), "statistics_dtype": formats.statistics.name}


def _parameters(case: Case, goldens: Goldens) -> Document:
    data = goldens.data(case)
    return {"gamma": _tensor(data.gamma), "beta": _tensor(data.beta)}


def _tensor(array: Array | None) -> Document | None:
    if array is None:
        return None
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": texts(array)}


def _refused_steps(case: Case, goldens: Goldens) -> list[Document]:
    """The steps of a case that must be refused: their input only, since there is no output."""
    batches = iter(goldens.data(case).batches)
    steps = []
    for step in case.steps:
        if has_data(step):
            data = next(batches)
            steps.append({"do": _mode(step), "x": _tensor(data.x), "dy": _tensor(data.dy)})
        else:
            steps.append({"do": type_of(step).slug})
    return steps


def _steps(case: Case, convention: Convention, goldens: Goldens) -> list[Document]:
    steps, position = [], 0
    for walked in walk(case, convention, goldens):
        if has_data(walked.step):
            steps.append(_batch(case, convention, walked, position))
            position += 1
        else:
            vectors = {name: _tensor(vector) for name, vector in (walked.vectors or {}).items()}
            steps.append({"do": type_of(walked.step).slug, **vectors})
    return steps


def _mode(step: Batch) -> str:
    return "train" if step.training else "evaluate"


def _batch(case: Case, convention: Convention, walked: TrajectoryStep, position: int) -> Document:
    step, data, config = walked.step, walked.data, case.config
    assert has_data(step)
    assert data is not None
    statistics_dtype = LayerFormats.of(config, convention).statistics.name
    expected, owed_names = {}, owed(case, step)
    for name, golden in (walked.expected or {}).items():
        if name in owed_names:
            vector = name in ("dgamma", "dbeta")
            dtype = config.parameter_dtype if vector else config.dtype
            expected[name] = _golden(golden, dtype, None if vector else (step.shape, config.channel_axis))
    weights = walked.weights
    return {
        "do": _mode(step),
        "step": position,
        "frozen": walked.frozen,
        "view": step.view,
        "owed": list(owed_names),
        "x": _tensor(data.x),
        "dy": _tensor(data.dy),
        "before": _state(walked.before, statistics_dtype),
        "weights": None if weights is None else {"old": _weight(weights.old), "new": _weight(weights.new)},
        "expected": expected,
        "after": _after(case, walked, statistics_dtype),
    }


def _weight(weight: Any) -> str:
    return to_hex(float(round_to(np.asarray(weight).reshape(1), np.float64)[0]))


def _state(state: Statistics, dtype: str) -> Document:
    return {"running_mean": _numbers(state.mean, dtype), "running_var": _numbers(state.variance, dtype)}


def _after(case: Case, walked: TrajectoryStep, dtype: str) -> Document:
    """The state after a step, with bounds where the step moved it and the case judges it, otherwise without."""
    if walked.statistics is None or "running_var" not in case.judges or case.finite_statistics:
        return _state(walked.after, dtype)
    return {name: _golden(golden, dtype, None) for name, golden in walked.statistics.items()}


def _numbers(values: Quad, dtype: str, place: tuple[tuple[int, ...], int] | None = None) -> Document:
    """Write each golden number as two hexadecimal floats; `low` is null where all are exact in binary64."""
    high, low = parts(values)
    shape = values.shape if place is None else place[0]
    if place is not None:
        high, low = (channels_back(part, *place) for part in (high, low))
    return {"dtype": dtype, "shape": list(shape), "values": texts(high), "low": texts(low) if low.any() else None}


def _golden(expected: Expected, dtype: str, place: tuple[tuple[int, ...], int] | None) -> Document:
    return _numbers(expected.values, dtype, place) | {
        grade.level: _bounds(expected, grade, place) for grade in (TIGHT, STABLE)
    }


def _bounds(expected: Expected, grade: Grade, place: tuple[tuple[int, ...], int] | None) -> list[str | None]:
    """The allowed error of each number, rounded down; None where the bound is vacuous, that is judges nothing."""
    bound = expected.bound(grade)
    meaningful = bound.meaningful if bound.allowed.ndim == 1 else bound.meaningful[:, None]
    allowed = np.broadcast_to(bound.allowed, expected.values.shape)
    judged = meaningful & np.isfinite(allowed)
    down = np.where(judged, rounded_down(allowed), np.nan)
    return bound_texts(down if place is None else channels_back(down, *place))
