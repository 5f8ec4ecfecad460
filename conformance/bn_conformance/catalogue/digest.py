"""The digest of a case: of the text of its document in JSON, with sorted names, less its title.

Every run makes it of every case. So the text is written at once, in a third of the time that the document and
`json.dumps` take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields
from json.encoder import encode_basestring_ascii
from math import isfinite, isnan
from operator import attrgetter
from types import NoneType
from typing import Any

from bn_conformance.adapter import LayerConfig
from bn_conformance.cases.model import Case, ParameterRecipes
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.steps import STEP_TYPES

_LEFT_OUT = {Case: {"id", "axes", "title"}}
"""Fields that a digest does not cover: two follow from the others, and the title is for people."""

_DIGEST = "digest of the case"


def digest_of(case: Case) -> str:
    """A digest of all that a case is but its title: two cases of one digest are observed and judged alike."""
    kept = vars(case)  # a case never changes, so its digest is kept in it
    if _DIGEST not in kept:
        kept[_DIGEST] = hashlib.sha256(_text(case).encode()).hexdigest()[:32]
    digest: str = kept[_DIGEST]
    return digest


def _text(value: Any) -> str:
    return _TEXTS[type(value)](value)


def _writer(cls: type[Any]) -> Callable[[Any], str]:
    """What writes the fields of a dataclass that are not None, in the order of their names; of a step its kind, too."""
    step = {"step": f'"step": "{STEP_TYPES[cls].slug}"'} if cls in STEP_TYPES else {}
    names = sorted({part.name for part in fields(cls)} - _LEFT_OUT.get(cls, set()))
    own = [(name, f'"{name}": ', attrgetter(name)) for name in sorted([*names, *step])]

    def write(value: Any) -> str:
        parts = []
        for name, start, get in own:
            if name in step:
                parts.append(step[name])
            elif (part := get(value)) is not None:
                parts.append(start + _TEXTS[type(part)](part))
        return f"{{{', '.join(parts)}}}"

    return write


_last: tuple[ParameterRecipes | None, str] = (None, "")
"""The parameters that were written last, with their text: nearly all cases have the same ones."""


def _text_of_parameters(parameters: ParameterRecipes) -> str:
    global _last
    if _last[0] is not parameters:
        _last = parameters, _write_parameters(parameters)
    return _last[1]


_write_parameters = _writer(ParameterRecipes)


def _text_of_number(value: float) -> str:
    if isfinite(value):
        return repr(value)
    return '"NaN"' if isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def _text_of_recipe(recipe: DataRecipe) -> str:
    """The text of a recipe: of one value in one channel where its kind has one."""
    start = special = ""
    if recipe.kind in ("special", "unlike"):
        start, special = f'"channel": {_text(recipe.channel)}, ', f', "special": {_text(recipe.special)}'
    offset, scale, seed = _text(recipe.offset), _text(recipe.scale), _text(recipe.seed)
    return f'{{{start}"kind": "{recipe.kind}", "offset": {offset}, "scale": {scale}, "seed": {seed}{special}}}'


def _text_of_configuration(config: LayerConfig) -> str:
    parts = (f'"{name}": {_text(part)}' for name, part in sorted(config.to_json().items()))
    return f"{{{', '.join(parts)}}}"


def _text_of_several(values: tuple[Any, ...]) -> str:
    return f"[{', '.join(map(_text, values))}]"


class _Texts(dict[type[Any], Callable[[Any], str]]):
    """How a value of a type is written. Types that it does not have are dataclasses."""

    def __missing__(self, cls: type[Any]) -> Callable[[Any], str]:
        """Add a dataclass."""
        self[cls] = _writer(cls)
        return self[cls]


_TEXTS = _Texts(
    {
        str: encode_basestring_ascii,
        bool: lambda value: "true" if value else "false",
        int: repr,
        float: _text_of_number,
        NoneType: lambda _: "null",
        tuple: _text_of_several,
        frozenset: lambda values: _text_of_several(tuple(sorted(values))),
        DataRecipe: _text_of_recipe,
        ParameterRecipes: _text_of_parameters,
        LayerConfig: _text_of_configuration,
    }
)
