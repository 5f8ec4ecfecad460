"""An explanation as plain data, with the schema that it keeps to."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from math import isfinite, isnan
from typing import Any

from bn_conformance.explain.conditions import ChannelCondition
from bn_conformance.explain.explanation import ExplainedStep
from bn_conformance.explain.judging_arrays import JudgedArray, WorstElement
from bn_conformance.explain.tables import headline

FORMAT = 1
"""Version of the document."""


@cache
def explanation_schema() -> dict[str, Any]:
    """The published JSON Schema of an explanation."""
    text = files("bn_conformance.explain").joinpath("explanation.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def explanation_document(told: ExplainedStep) -> dict[str, Any]:
    """The explanation as plain data (JSON types); numbers that JSON has not are texts: NaN, inf, -inf."""
    cause = told.cause
    return {
        "format": FORMAT,
        "source": told.source,
        "within": told.within,
        "exit_code": told.exit_code,
        "headline": headline(told),
        "shape": list(told.shape),
        "taken": [{"name": one.name, "role": one.role or None, "said": one.said} for one in told.taken],
        "remarks": list(told.remarks),
        "settings": [
            {"name": one.name, "value": _plain(one.value), "how": one.how, "note": one.note} for one in told.settings
        ],
        "convention": told.reading.convention.to_json(),
        "arrays": [_array(one) for one in told.arrays],
        "cause": None
        if cause is None
        else {
            "found": [
                {
                    "arrays": list(part.arrays),
                    "deviations": [
                        {"name": one.name, "sentence": one.sentence, "effect": one.effect} for one in part.deviations
                    ],
                }
                for part in cause.found
            ],
            "channels": list(cause.channels),
            "stopped": cause.stopped,
        },
        "error_of_x": told.error,
        "conditions": [_condition(one) for one in told.conditions],
    }


def _array(one: JudgedArray) -> dict[str, Any]:
    return {
        "role": one.role,
        "level": one.level,
        "verdict": one.verdict.value,
        "counts": one.counts,
        "judged": one.judged,
        "total": one.total,
        "ratio": _plain(one.ratio),
        "channels": list(one.channels),
        "worst": [_element(element) for element in one.worst],
    }


def _element(one: WorstElement) -> dict[str, Any]:
    numbers = {name: _plain(getattr(one, name)) for name in ("expected", "got", "error", "allowed", "ratio")}
    return {"index": list(one.index), **numbers}


def _condition(one: ChannelCondition) -> dict[str, Any]:
    names = ("mean", "deviation", "share", "typical", "largest", "most")
    other = one.other
    return {
        "channel": one.channel,
        **{name: _plain(getattr(one, name)) for name in names},
        "beyond": one.beyond,
        "other": None if other is None else {name: _plain(value) for name, value in vars(other).items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "inf" if value > 0 else "-inf"
    return value
