"""A case as JSON and back: what a regression file holds of it.

A document is checked against its published schema and rebuilt field by field; nothing in it is evaluated. The id of a
case is made from its content, so that a document that was edited by hand is another case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache, singledispatch
from importlib.resources import files
from math import isfinite, isnan, prod
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.masks import MASK_KINDS as MASK_KINDS
from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import Batch, Case, ParameterRecipes, Second
from bn_conformance.cases.recipes import DATA_KINDS, DataRecipe
from bn_conformance.cases.steps import BETWEEN, STANDING, STEP_TYPES, type_of
from bn_conformance.cases.views import VIEWS
from bn_conformance.catalogue.digest import digest_of
from bn_conformance.catalogue.places import formats_slug
from bn_conformance.laws.statements import LAWS
from bn_conformance.text import counted
from bn_reference.specification.clauses import clauses, families

REGRESSION_FORMAT = 1
"""Version of the format; a reader refuses any other."""

MOST_VALUES = 1 << 24
"""Values that the tensors of one step may have."""

PLAIN = frozenset({str, int, bool, type(None)})
"""Types that are plain data as they are."""


def case_to_json(case: Case) -> dict[str, Any]:
    """A case as plain data; the id and the axes, which follow from the rest, are left out."""
    written: dict[str, Any] = _written(replace(case, id="", axes={}))
    del written["id"], written["axes"]
    return written


@singledispatch
def _written(value: Any) -> Any:
    """A value as plain data; types that need more than that have a function of their own below."""
    kind: type[Any] = type(value)
    if not is_dataclass(kind):
        return value
    step = {"step": STEP_TYPES[kind].slug} if kind in STEP_TYPES else {}
    parts = ((name, getattr(value, name)) for name in _names(kind))
    return step | {name: _part(part) for name, part in parts if part is not None}


def _part(value: Any) -> Any:
    """What is within a value, as plain data: most of it is that already, and is not looked up by its type."""
    kind = type(value)
    return value if kind in PLAIN or (kind is float and isfinite(value)) else _written(value)


@cache
def _names(cls: type[Any]) -> tuple[str, ...]:
    """The names of a dataclass's fields."""
    return tuple(part.name for part in fields(cls))


@_written.register
def _(value: float) -> float | str:
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


@_written.register
def _(value: frozenset) -> list[str]:  # type: ignore[type-arg]  # registration by annotation takes plain classes
    return sorted(value)


@_written.register
def _(value: tuple) -> list[Any]:  # type: ignore[type-arg]
    return [_part(entry) for entry in value]


@_written.register
def _(value: LayerConfig) -> dict[str, Any]:
    return value.to_json()


@_written.register
def _(value: DataRecipe) -> dict[str, Any]:
    names = (
        "kind",
        "seed",
        "offset",
        "scale",
        *(("channel", "special") if value.kind in ("special", "unlike") else ()),
    )
    return {name: _part(getattr(value, name)) for name in names}


def from_json(data: Mapping[str, Any]) -> Case:
    """The case that `to_json` gave, with its id and axes.

    Raises:
        ValueError: it breaks the schema, or says something that is no case.
    """
    if broken := document_violation({"format": REGRESSION_FORMAT, "case": dict(data)}):
        raise ValueError(broken)
    try:
        case = _read(Case, {"id": "", **data})
        _check(case)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"case: {' '.join(str(error).split())[:300]}") from None
    return named_by_content(case)


def _read(cls: type[Any], data: Mapping[str, Any]) -> Any:
    """An instance of a dataclass, each field read by its line of `READERS`, or as it stands."""
    return cls(**{name: READERS.get(name, _as_it_stands)(value) for name, value in data.items() if name != "step"})


def _as_it_stands(value: Any) -> Any:
    return value


def _one(cls: type[Any]) -> Callable[[Any], Any]:
    return lambda data: _read(cls, data)


def _vector(data: Any) -> Any:
    """A recipe; of a layer's configuration, whether it has the vector."""
    return _read(DataRecipe, data) if isinstance(data, dict) else data


def _steps(types: Iterable[type[Any]]) -> Callable[[Any], Any]:
    by_slug = {STEP_TYPES[step].slug: step for step in types}
    return lambda data: tuple(_read(by_slug[entry["step"]], entry) for entry in data)


def _number(value: Any) -> Any:
    """A number; JSON has none that is not finite, so those are written as words."""
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("x", "dy", "interrupt", "mean", "variance", "v_dx", "v_dgamma", "v_dbeta"), _one(DataRecipe)),
    **dict.fromkeys(("gamma", "beta"), _vector),
    **dict.fromkeys(("offset", "scale", "special", "hidden"), _number),
    **dict.fromkeys(("shape", "dy_shape", "lengths", "clauses", "laws", "shards", "companions"), tuple),
    "config": LayerConfig.from_json,
    "parameters": _one(ParameterRecipes),
    "steps": _steps(STANDING),
    "between": _steps(BETWEEN),
    "also": _one(Batch),
    "mask": _one(MaskRecipe),
    "second": _one(Second),
    **dict.fromkeys(("judges", "any_value"), frozenset),
}
"""How a field of a case, a step or a recipe is read, by its name; the others are read as they stand."""


def _check(case: Case) -> None:
    """What a schema cannot say.

    Raises:
        ValueError: the message names what is wrong and what is allowed.
    """
    if not case.batches:
        raise ValueError("steps has no batch; give at least one")
    for place, step in enumerate(case.steps):
        for batch in type_of(step).batches(step):
            _check_batch(batch, case.config, f"step {place}")
    unknown = [clause for clause in case.clauses if clause not in clauses()]
    if unknown:
        raise ValueError(f"there is no clause {unknown[0]!r}; bnconform list --clauses shows them")
    if case.family not in families():
        raise ValueError(f"family is {case.family!r}; allowed are {', '.join(families())}")
    for law in case.laws:
        if law not in LAWS:
            raise ValueError(f"there is no law {law!r}; allowed are {', '.join(LAWS)}")
    for recipe in _recipes(case):
        if recipe.kind not in DATA_KINDS:
            raise ValueError(f"kind is {recipe.kind!r}; allowed are {', '.join(DATA_KINDS)}")
    if case.overwrites and any(batch.between for batch in case.batches):
        raise ValueError("overwrites goes with no steps in between; give one of them")


def _check_batch(batch: Batch, config: LayerConfig, where: str) -> None:
    if len(batch.shape) != config.rank or batch.shape[config.channel_axis] != config.num_channels:
        channels = f"{counted(config.num_channels, 'channel')} on axis {config.channel_axis}"
        raise ValueError(f"shape of {where} is {list(batch.shape)}; a layer of rank {config.rank} and {channels}")
    if prod(batch.shape) > MOST_VALUES:
        raise ValueError(f"shape of {where} is {list(batch.shape)}; allowed are {MOST_VALUES} values")
    for view in (batch.view, batch.dy_view):
        if view is not None and view not in VIEWS:
            raise ValueError(f"view of {where} is {view!r}; allowed are {', '.join(VIEWS)}")
    if any(type_of(change).batches(change) for change in batch.between):
        raise ValueError(f"{where} reloads with another forward in between; allowed is a reload alone")
    if batch.shards and (sum(batch.shards) != batch.shape[0] or not batch.training or batch.second):
        allowed = "sizes that sum to that of axis 0, in training, without a second order"
        raise ValueError(f"shards of {where} are {list(batch.shards)}; allowed are {allowed}")
    if batch.mask is not None and batch.mask.kind not in MASK_KINDS:
        raise ValueError(f"mask of {where} is {batch.mask.kind!r}; allowed are {', '.join(MASK_KINDS)}")


def _recipes(value: Any) -> Iterable[DataRecipe]:
    """Every recipe within a case."""
    if isinstance(value, DataRecipe):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _recipes(entry)
    elif is_dataclass(value):
        for part in fields(value):
            yield from _recipes(getattr(value, part.name))


def named_by_content(case: Case) -> Case:
    """The case with the id and the axes that follow from its content: `regression/LAYOUT-SHAPE/FORMATS/DIGEST`."""
    config, shape = case.config, case.batches[-1].shape
    others = iter("ndhw" if config.rank == 5 else "nhw" if config.rank == 4 else "nl")
    letters = "".join("c" if axis == config.channel_axis else next(others) for axis in range(config.rank))
    formats = formats_slug((config.dtype, config.parameter_dtype))
    slug = f"{letters}-{'x'.join(map(str, shape))}"
    count = prod(shape) // max(config.num_channels, 1)
    axes = {"layout": letters, "shape": list(shape), "dtype": formats, "n": count}
    return replace(case, id=f"regression/{slug}/{formats}/{digest_of(case)[:10]}", axes=axes)


@cache
def regression_schema() -> dict[str, Any]:
    """The published JSON Schema of a regression file."""
    text = files("bn_conformance.catalogue").joinpath("regression.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def document_violation(document: Any) -> str | None:
    """The first way in which a document breaks the schema, with the path to it; None where it keeps to it."""
    if not isinstance(document, dict):
        return "it is no object"
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(regression_schema()).iter_errors(document))
    return None if error is None else f"{error.json_path}: {' '.join(error.message.split())[:300]}"
