"""LAW: what follows from the definition alone, judged on the implementation's own numbers.

Laws that change their data need coarse ones, so that what they do is exact in every format.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case, Parameters, SetStatistics, Step
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    BF16,
    DY,
    F16,
    F32,
    F64,
    IMAGES,
    MEAN,
    NC,
    NCHW,
    PARAMETERS,
    VARIANCE,
    Formats,
    Layout,
    X,
    evaluate,
    make,
    train,
)
from bn_conformance.laws.statements import LAWS, Law

COARSE_X = Recipe(kind="integers", seed=seed_of("x"), scale=0.25)
COARSE_DY = Recipe(kind="integers", seed=seed_of("dy"), scale=0.25)
COARSE_PARAMETERS = Parameters(
    gamma=Recipe(kind="integers", seed=65, scale=0.25, offset=1.25),
    beta=Recipe(kind="integers", seed=53, scale=0.25, offset=-0.5),
)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for law in LAWS.values():
        for formats in (F32, F64, F16, BF16):
            for layout in (NC, *IMAGES) if formats == F32 else (NCHW,):
                if law.name == "layouts" and layout not in (NCHW,):
                    continue
                for mode in law.modes:
                    yield _case(law, layout, formats, mode)


def _case(law: Law, layout: Layout, formats: Formats, mode: str) -> Case:
    x, dy, parameters = (COARSE_X, COARSE_DY, COARSE_PARAMETERS) if law.coarse else (X, DY, PARAMETERS)
    steps: tuple[Step, ...] = (train(layout, x, dy),)
    if mode == "inference":
        steps = (SetStatistics(MEAN, VARIANCE), evaluate(layout, x, None if law.name == "affine" else dy))
    variant = law.name if len(law.modes) == 1 else f"{law.name}-in-{mode}"
    return make(
        "LAW", layout, formats, variant, law.title, (law.clause,), steps,
        parameters=parameters, judges=frozenset(), laws=(law.name,),
    )  # fmt: skip
