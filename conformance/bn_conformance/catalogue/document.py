"""Cases as JSON: a regression is a file of its own, its case spelled out with every recipe.

A file is checked against its published schema and rebuilt field by field; nothing in it is evaluated. The id of a case
is made from its content, so that a file that was edited by hand is another case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from math import isfinite, isnan, prod
from pathlib import Path
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.masks import KINDS as MASK_KINDS
from bn_conformance.cases.masks import Mask
from bn_conformance.cases.model import Batch, Case, Parameters, Second
from bn_conformance.cases.recipes import KINDS, Recipe
from bn_conformance.cases.steps import BETWEEN, STANDING, STEP_TYPES, type_of
from bn_conformance.cases.views import VIEWS
from bn_conformance.laws.statements import LAWS
from bn_reference.specification.clauses import clauses, families

FORMAT = 1
"""Version of the format; a reader refuses any other."""

LARGEST_FILE = 1 << 20
"""Bytes of a file that is read at all."""

MOST_VALUES = 1 << 24
"""Values that the tensors of one step may have."""

_STEPS = {STEP_TYPES[step].slug: step for step in STANDING}
_WITHIN = {STEP_TYPES[step].slug: step for step in BETWEEN}
"""What may happen between the forward and the backward of a batch."""
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_LEFT_OUT = frozenset({"id", "axes"})
_PARTS: dict[str, type[Any]] = {
    "x": Recipe,
    "dy": Recipe,
    "interrupt": Recipe,
    "mean": Recipe,
    "variance": Recipe,
    "gamma": Recipe,
    "beta": Recipe,
    "v_dx": Recipe,
    "v_dgamma": Recipe,
    "v_dbeta": Recipe,
    "mask": Mask,
    "second": Second,
    "also": Batch,
    "parameters": Parameters,
}
"""What a field of a step or a case is built from, where that is a dataclass and no vector's name means a flag."""


class RegressionError(Exception):
    """A regression file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Regression:
    """A case with where it was read from."""

    case: Case
    path: str


def to_json(case: Case) -> dict[str, Any]:
    """A case as plain data; the id and the axes, which follow from the rest, are left out."""
    return {
        part.name: case.config.to_json() if part.name == "config" else _plain(getattr(case, part.name))
        for part in fields(case)
        if part.name not in _LEFT_OUT and getattr(case, part.name) is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Recipe):
        shown = ("kind", "seed", "offset", "scale", *(("channel", "special") if value.kind == "special" else ()))
        return {name: _plain(getattr(value, name)) for name in shown}
    if hasattr(value, "__dataclass_fields__"):
        kind = {"step": STEP_TYPES[type(value)].slug} if type(value) in STEP_TYPES else {}
        parts = {part.name: getattr(value, part.name) for part in fields(value)}
        return kind | {name: _plain(part) for name, part in parts.items() if part is not None}
    return value


def from_json(data: Mapping[str, Any]) -> Case:
    """The case that `to_json` gave, with its id and axes.

    Raises:
        RegressionError: it breaks the schema, or says something that is no case.
    """
    found = violation({"format": FORMAT, "case": dict(data)})
    if found:
        raise RegressionError(found)
    try:
        case = _case(dict(data))
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise RegressionError(f"case: {' '.join(str(error).split())[:300]}") from None
    return named(case)


def _case(data: dict[str, Any]) -> Case:
    data["config"] = LayerConfig.from_json(data["config"])
    data["steps"] = tuple(_built(_STEPS[step["step"]], step) for step in data["steps"])
    if "parameters" in data:
        data["parameters"] = _built(Parameters, data["parameters"])
    data["judges"] = frozenset(data["judges"])
    for name in ("clauses", "laws"):
        data[name] = tuple(data.get(name, ()))
    case = Case(id="", **data)
    _check(case)
    return case


def _built(cls: type[Any], data: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name == "step":
            continue
        if isinstance(value, dict):
            values[name] = _built(_PARTS[name], value)
        elif name == "between":
            values[name] = tuple(_built(_WITHIN[entry["step"]], entry) for entry in value)
        elif isinstance(value, list):
            values[name] = tuple(value)
        else:
            values[name] = _NON_FINITE.get(value, value) if cls in (Recipe, Mask) else value
    return cls(**values)


def _check(case: Case) -> None:
    """What a schema cannot say.

    Raises:
        ValueError: the message names what is wrong and what is allowed.
    """
    config = case.config
    if not case.batches:
        raise ValueError("steps has no batch; give at least one")
    for place, step in enumerate(case.steps):
        for batch in type_of(step).batches(step):
            _check_batch(batch, config, f"step {place}")
    unknown = [clause for clause in case.clauses if clause not in clauses()]
    if unknown:
        raise ValueError(f"there is no clause {unknown[0]!r}; bnconform list --clauses shows them")
    if case.family not in families():
        raise ValueError(f"family is {case.family!r}; allowed are {', '.join(families())}")
    for law in case.laws:
        if law not in LAWS:
            raise ValueError(f"there is no law {law!r}; allowed are {', '.join(LAWS)}")
    for recipe in _recipes(case):
        if recipe.kind not in KINDS:
            raise ValueError(f"kind is {recipe.kind!r}; allowed are {', '.join(KINDS)}")
    if case.overwrites and any(batch.between for batch in case.batches):
        raise ValueError("overwrites goes with no steps in between; give one of them")


def _check_batch(batch: Batch, config: LayerConfig, where: str) -> None:
    if len(batch.shape) != config.rank or batch.shape[config.channel_axis] != config.num_channels:
        channels = f"{config.num_channels} channels on axis {config.channel_axis}"
        raise ValueError(f"shape of {where} is {list(batch.shape)}; a layer of rank {config.rank} and {channels}")
    if prod(batch.shape) > MOST_VALUES:
        raise ValueError(f"shape of {where} is {list(batch.shape)}; allowed are {MOST_VALUES} values")
    for view in (batch.view, batch.dy_view):
        if view is not None and view not in VIEWS:
            raise ValueError(f"view of {where} is {view!r}; allowed are {', '.join(VIEWS)}")
    if any(type_of(change).batches(change) for change in batch.between):
        raise ValueError(f"{where} reloads with another forward in between; allowed is a reload alone")
    if batch.mask is not None and batch.mask.kind not in MASK_KINDS:
        raise ValueError(f"mask of {where} is {batch.mask.kind!r}; allowed are {', '.join(MASK_KINDS)}")


def _recipes(value: Any) -> Iterable[Recipe]:
    if isinstance(value, Recipe):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _recipes(entry)
    elif hasattr(value, "__dataclass_fields__"):
        for part in fields(value):
            yield from _recipes(getattr(value, part.name))


def named(case: Case) -> Case:
    """The case with the id and the axes that follow from its content: `regression/LAYOUT-SHAPE/FORMATS/DIGEST`."""
    config, shape = case.config, case.batches[-1].shape
    others = iter("ndhw" if config.rank == 5 else "nhw" if config.rank == 4 else "nl")
    letters = "".join("c" if axis == config.channel_axis else next(others) for axis in range(config.rank))
    formats = config.dtype
    if config.parameter_dtype != config.dtype:
        formats += f"-p-{config.parameter_dtype}"
    told = {name: value for name, value in to_json(case).items() if name != "title"}
    text = json.dumps(told, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    slug = f"{letters}-{'x'.join(map(str, shape))}"
    count = prod(shape) // max(config.num_channels, 1)
    axes = {"layout": letters, "shape": list(shape), "dtype": formats, "n": count}
    return replace(case, id=f"regression/{slug}/{formats}/{digest}", axes=axes)


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of a regression file."""
    text = files("bn_conformance").joinpath("catalogue", "regression.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def violation(document: Any) -> str | None:
    """The first way in which a document breaks the schema, with the path to it; None where it keeps to it."""
    if not isinstance(document, dict):
        return "it is no object"
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema()).iter_errors(document))
    return None if error is None else f"{error.json_path}: {' '.join(error.message.split())[:300]}"


def write(path: Path, case: Case, found: Mapping[str, Any]) -> None:
    """Write a regression file.

    Args:
        path: where; folders are made.
        case: the case.
        found: what was found with it: plain data, for people.

    Raises:
        OSError: it cannot be written.
    """
    document = {"format": FORMAT, "found": dict(found), "case": to_json(case)}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def read(path: str | Path) -> Case:
    """Read a regression file.

    Raises:
        RegressionError: it cannot be read, is no regression, or says something that is no case.
    """
    try:
        if Path(path).stat().st_size > LARGEST_FILE:
            raise RegressionError(f"{path}: is larger than {LARGEST_FILE} bytes; no regression is")
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RegressionError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise RegressionError(f"{path}: is not JSON ({' '.join(str(error).split())[:200]})") from None
    found = violation(document)
    try:
        if found:
            raise RegressionError(found)
        return from_json(document["case"])
    except RegressionError as error:
        raise RegressionError(f"{path}: is no regression of bnconform ({error})") from None


def read_all(paths: Iterable[str]) -> tuple[Regression, ...]:
    """The regressions of files and of folders (every `.json` in them), one for each case.

    Raises:
        RegressionError: one of them cannot be used, or a folder holds none.
    """
    found: dict[str, Regression] = {}
    for name in paths:
        path = Path(name)
        members = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not members:
            raise RegressionError(f"{name}: holds no regression (*.json); bnconform fuzz writes them")
        for member in members:
            case = read(member)
            found.setdefault(case.id, Regression(case, str(member)))
    return tuple(found.values())
