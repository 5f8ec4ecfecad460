"""FWD: the training forward. Only y is judged."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import OUTPUTS, Case, ParameterRecipes
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.build import PARAMETERS, X, fill, normal, positive, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import EVERYWHERE, F64, FEW, IMAGES, NCHW, Place, in_formats

FAMILY = Family("FWD", order=10, judges=OUTPUTS)
case = FAMILY.case

AFFINE = {"gamma-only": (True, False), "beta-only": (False, True), "no-affine": (False, False)}
"""Which of gamma and beta a layer is built with."""

_GAMMA, _BETA = PARAMETERS.gamma, PARAMETERS.beta
_TWO, _VARIANCE_OF_TWO = DataRecipe(kind="plus-minus", scale=2.0), fill(4.0)
_MEAN_OF_TWO = DataRecipe(kind="constant", offset=-1.0)

VALUES: dict[str, tuple[str, ParameterRecipes | None, DataRecipe]] = {
    "default-parameters": ("gamma and beta as the layer was built with", None, X),
    "gamma-zero": ("gamma is zero, so y is beta", ParameterRecipes(gamma=fill(0.0), beta=_BETA), X),
    "gamma-negative": (
        "gamma is negative in every channel",
        ParameterRecipes(gamma=positive(5, scale=-1.0), beta=_BETA),
        X,
    ),
    "gamma-equals-beta": ("gamma and beta hold equal numbers", ParameterRecipes(gamma=fill(0.75), beta=fill(0.75)), X),
    "parameters-equal-statistics": (
        "gamma equals the variance and beta the mean of the batch, which some optimisers merge",
        ParameterRecipes(gamma=_VARIANCE_OF_TWO, beta=_MEAN_OF_TWO),
        _TWO,
    ),
    "gamma-one": ("gamma alone is as the layer was built with", ParameterRecipes(gamma=fill(1.0), beta=_BETA), X),
    "beta-zero": ("beta alone is as the layer was built with", ParameterRecipes(gamma=_GAMMA, beta=fill(0.0)), X),
    "parameters-ones": ("gamma and beta are both one", ParameterRecipes(gamma=fill(1.0), beta=fill(1.0)), X),
}
"""Special values of the parameters: title, parameters and x, by variant."""

EPS = ((2.0**-10, 2.0**-5), (0.25, 0.5), (4.0, 1.0), (1e-3, 0.03), (1e-5, 0.003))
"""eps, each with a scale of x whose square is of the same size."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in EVERYWHERE:
        yield case(place, "random", "random data and parameters", "FWD-1", train(place))
    for place in (*FEW, *in_formats(F64, IMAGES)):
        yield from _eps(place)
        for variant, (title, parameters, x) in VALUES.items():
            yield case(place, variant, title, "FWD-3", train(place, x), parameters=parameters)
    for place in FEW:
        for variant, (gamma, beta) in AFFINE.items():
            title, config = f"a layer built with gamma={gamma}, beta={beta}", {"gamma": gamma, "beta": beta}
            yield case(place, variant, title, "FWD-4", train(place), config=config)
    place, config = NCHW.of(F64), {"gamma": False, "beta": False}
    yield case(place, "no-affine", "neither gamma nor beta", "FWD-4", train(place), config=config)


def _eps(place: Place) -> Iterator[Case]:
    for eps, scale in EPS:
        title, step = f"eps = {eps:g} beside a variance of the same size", train(place, normal("eps", scale=scale))
        yield case(place, f"eps-{eps:g}", title, "FWD-2", step, config={"eps": eps}, axes={"eps": eps})
    step = train(place, normal("default eps", scale=0.01))
    yield case(place, "eps-default", "the implementation's own eps", "FWD-5", step, config={"eps": None})
