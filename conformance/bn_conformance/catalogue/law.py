"""LAW: what follows from the definition alone, judged on the implementation's own numbers.

Laws that change their data need coarse ones, so that what they do is exact in every format.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case, ParameterRecipes
from bn_conformance.cases.recipes import seed_of
from bn_conformance.catalogue.build import DY, KNOWN, PARAMETERS, X, evaluate, integers, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, F16, F64, FEW, NC, NCHW, Place
from bn_conformance.laws.statements import LAWS, Law

FAMILY = Family("LAW", order=190, judges=frozenset())

PLACES = (*FEW, NCHW.of(F64), NCHW.of(F16), NCHW.of(BF16))

COARSE_X = integers(seed_of("x"), scale=0.25)
COARSE_DY = integers(seed_of("dy"), scale=0.25)
COARSE_PARAMETERS = ParameterRecipes(
    gamma=integers(65, scale=0.25, offset=1.25),
    beta=integers(53, scale=0.25, offset=-0.5),
)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for law in LAWS.values():
        for place in PLACES:
            if law.name == "layouts" and place.slug != NCHW.slug:
                continue  # this law has a layer of each layout: the other places would try the same
            if law.name == "first-entry-alone" and place is not NC:
                continue  # a shape more: `bnconform probe` tries batches of many sizes
            for mode in law.modes:
                yield _case(law, place, mode)


def _case(law: Law, place: Place, mode: str) -> Case:
    x, dy, parameters = (COARSE_X, COARSE_DY, COARSE_PARAMETERS) if law.coarse else (X, DY, PARAMETERS)
    inference = KNOWN, evaluate(place, x, None if law.name in ("affine", "first-entry-alone") else dy)
    steps = inference if mode == "inference" else (train(place, x, dy),)
    variant = law.name if len(law.modes) == 1 else f"{law.name}-in-{mode}"
    return FAMILY.case(place, variant, law.title, law.clause, *steps, parameters=parameters, laws=(law.name,))
