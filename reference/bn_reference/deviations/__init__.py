"""Deviations: named ways to be wrong, each a small change of the plain layer (`bn_reference.layer.layer`).

A deviation has two uses. The suite judges each one as an implementation, to prove that some case catches it. And the
diagnosis of a failing implementation looks for the deviation that gives the same numbers. Each module of this package
holds one class of mistakes; `catalogue()` gives all deviations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import Any

from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.convention import Convention

MODULES: tuple[str, ...] = (
    "normaliser",
    "forward",
    "affine",
    "differentiated",
    "statistics",
    "averages",
    "timing",
    "inference",
    "folded_scales",
    "folding",
    "gradients",
    "gradient_modes",
    "home_made",
    "parameter_gradients",
    "masks",
    "masked_gradients",
    "masked_sums",
    "second_order",
    "accumulation",
    "counting",
    "reciprocal_roots",
    "numerics",
    "large_means",
    "formats",
    "narrow_arithmetic",
    "layout",
    "tails",
    "seams",
    "memory",
    "edges",
    "bad_input",
    "state",
    "masked_calls",
    "between_calls",
    "sequences",
    "purity",
    "other_calls",
    "identity",
    "many_calls",
    "debiasing",
    "conventions",
    "crossings",
    "crossed_formats",
    "sizes",
    "broken_vectors",
    "unusual_values",
    "other_vectors",
    "saved_statistics",
    "shards",
    "shard_gradients",
    "masked_shards",
    "compiled",
)
"""The modules of the catalogue, in the order in which a report lists them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Deviation:
    """One way to be wrong.

    Attributes:
        name: its unique name.
        group: the module that holds it, which is its class of mistakes.
        sentence: what it computes instead of the right result, in a sentence.
        clause: the clause that it violates; empty where it changes a convention instead.
        convention: the convention fields that it changes; it is a fault only where something else is declared.
        requires: the convention fields that must be declared for it to change anything.
        effect: what a person notices in practice.
        link: where it happened in real software, or empty.
        layer: the change: a subclass of `PlainLayer` that calls `super()`, so that changes can be combined.
        level: the degraded level that its results have in most cases; empty for every other deviation.
        numeric: whether it changes numbers of a few steps of a new layer (not memory, errors, formats or old layers).
    """

    name: str
    group: str
    sentence: str
    clause: str
    convention: Mapping[str, Any] = field(default_factory=dict)
    requires: Mapping[str, Any] = field(default_factory=dict)
    effect: str
    link: str = ""
    layer: type[PlainLayer] = PlainLayer
    level: str = ""
    numeric: bool = True

    def under(self, convention: Convention) -> Convention | None:
        """Give the convention of the changed layer, or None where the deviation changes nothing under this one."""
        if any(getattr(convention, name) != value for name, value in self.requires.items()):
            return None
        if not self.convention:
            return convention
        changed = replace(convention, **self.convention)
        return None if changed == convention else changed


_REGISTERED: dict[str, Deviation] = {}


def deviation(
    name: str,
    *,
    clause: str = "",
    effect: str,
    link: str = "",
    convention: Mapping[str, Any] | None = None,
    requires: Mapping[str, Any] | None = None,
    level: str = "",
    numeric: bool = True,
) -> Callable[[type[PlainLayer]], type[PlainLayer]]:
    """Register a subclass of `PlainLayer` in the catalogue; the first line of its docstring is the sentence.

    Raises:
        ValueError: the name is taken, there is no sentence, or neither a clause nor a convention is named.
    """

    def register(layer: type[PlainLayer]) -> type[PlainLayer]:
        sentence = (layer.__doc__ or (name if sys.flags.optimize > 1 else "")).strip().split("\n")[0]
        if name in _REGISTERED:
            raise ValueError(f"name is {name!r}; allowed is one that no other deviation has")
        if not sentence or not (clause or convention):
            raise ValueError(f"deviation {name!r} lacks a docstring, or a clause or convention")
        _REGISTERED[name] = Deviation(
            name=name,
            group=layer.__module__.rpartition(".")[2],
            sentence=sentence,
            clause=clause,
            convention=dict(convention or {}),
            requires=dict(requires or {}),
            effect=effect,
            link=link,
            layer=layer,
            level=level,
            numeric=numeric,
        )
        return layer

    return register


@cache
def catalogue() -> Mapping[str, Deviation]:
    """Give every deviation by name, in the order of the modules."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
    return dict(sorted(_REGISTERED.items(), key=lambda entry: MODULES.index(entry[1].group)))


def combined(deviations: Iterable[Deviation], base: type[PlainLayer] = PlainLayer) -> type[PlainLayer]:
    """Make a class of layer with several deviations at once, the first outermost."""
    changes = dict.fromkeys(entry.layer for entry in deviations if entry.layer is not PlainLayer)
    return type("Deviant", (*changes, base), {})
