"""SAVED: the statistics that a forward saves for its backward, and the backward from exact ones.

The gradients from the forward's own statistics are judged beside what it saves, and those from exact ones in cases of
their own. So a wrong forward is told from a wrong backward: from exact statistics its gradients are right. Parameters
of 16 bits hold no exact statistics, so there what the forward saves is judged alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import GRADIENTS, SAVED, Case
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.build import DY, KNOWN, X, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, BF16_WIDE, F16, F16_WIDE, FEW_AND_F64, NC, NCHW, Place

FAMILY = Family("SAVED", order=65)
case = FAMILY.case

SHOWN = SAVED - {f"{name}_given" for name in GRADIENTS}

DATA: dict[str, tuple[str, DataRecipe, dict[str, Any]]] = {
    "random": ("random data", X, {}),
    "eps-large": ("a variance beside which eps is large", normal("eps", offset=0.25, scale=0.03125), {"eps": 0.25}),
    "offset-100": ("data with a mean of 100 deviations", normal("x", offset=100.0), {}),
}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in FEW_AND_F64:
        for variant, (title, x, config) in DATA.items():
            yield from _both(place, variant, title, x, config)
    for place in (NC, NCHW):
        for formats in (F16_WIDE, BF16_WIDE):
            yield from _both(place.of(formats), "random", "random data", X, {})
        for formats in (F16, BF16):
            narrow, title = place.of(formats), "saved statistics in 16 bits: random data"
            step = train(narrow, X, DY, saved="forward")
            yield case(narrow, "random", title, "SAVED-2 SAVED-1", step, judges=SHOWN)
        yield from _both(place, "no-affine", "a layer without gamma and beta", X, {"gamma": False, "beta": False})
        title, step = "known running statistics: what is saved is the batch's", train(place, X, DY, saved="forward")
        yield case(place, "known-statistics", title, "SAVED-1 SAVED-2", KNOWN, step, judges=SHOWN | GRADIENTS)


def _both(place: Place, variant: str, title: str, x: DataRecipe, config: dict[str, Any]) -> Iterator[Case]:
    """What the forward saves with the gradients from it, and the gradients from exact statistics."""
    shown, taken = (train(place, x, DY, saved=which) for which in ("forward", "backward"))
    yield case(
        place, variant, f"saved statistics: {title}", "SAVED-2 SAVED-1", shown, config=config, judges=SHOWN | GRADIENTS
    )
    title, clauses = f"gradients from exact statistics: {title}", "SAVED-3"
    yield case(place, f"exact-{variant}", title, clauses, taken, config=config, judges=SAVED - SHOWN)
