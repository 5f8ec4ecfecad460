"""FWD: the training forward. Only y is judged."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import OUTPUTS, Case, Parameters
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    FORMATS,
    IMAGES,
    NC,
    NCHW,
    PARAMETERS,
    WIDE,
    Formats,
    Layout,
    make,
    normal,
    places,
    train,
)

AFFINE = {"gamma-only": (True, False), "beta-only": (False, True), "no-affine": (False, False)}


def _fill(value: float) -> Recipe:
    return Recipe(kind="fill", offset=value)


VALUES: dict[str, tuple[str, Parameters | None, Recipe | None]] = {
    "default-parameters": ("gamma and beta as the layer was built with", None, None),
    "gamma-zero": ("gamma is zero, so y is beta", Parameters(gamma=_fill(0.0), beta=PARAMETERS.beta), None),
    "gamma-negative": (
        "gamma is negative in every channel",
        Parameters(gamma=Recipe(kind="positive", seed=5, scale=-1.0), beta=PARAMETERS.beta),
        None,
    ),
    "gamma-equals-beta": ("gamma and beta hold equal numbers", Parameters(gamma=_fill(0.75), beta=_fill(0.75)), None),
    "parameters-equal-statistics": (
        "gamma equals the variance and beta the mean of the batch, which some optimisers merge",
        Parameters(gamma=_fill(4.0), beta=Recipe(kind="constant", offset=-1.0)),
        Recipe(kind="plus-minus", scale=2.0),
    ),
    "gamma-one": (
        "gamma alone is as the layer was built with",
        Parameters(gamma=_fill(1.0), beta=PARAMETERS.beta),
        None,
    ),
    "beta-zero": (
        "beta alone is as the layer was built with",
        Parameters(gamma=PARAMETERS.gamma, beta=_fill(0.0)),
        None,
    ),
    "parameters-ones": ("gamma and beta are both one", Parameters(gamma=_fill(1.0), beta=_fill(1.0)), None),
}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats):
            yield _case(layout, formats, "random", "random data and parameters", ("FWD-1",))
    for formats in WIDE:
        for layout in (NC, *IMAGES):
            if layout is NC and formats != WIDE[0]:
                continue
            yield from _eps(layout, formats)
            for slug, (title, parameters, x) in VALUES.items():
                yield _case(layout, formats, slug, title, ("FWD-3",), x=x, parameters=parameters)
    for layout in (NC, *IMAGES):
        for slug, (gamma, beta) in AFFINE.items():
            title = f"a layer built with gamma={gamma}, beta={beta}"
            yield _case(layout, WIDE[0], slug, title, ("FWD-4",), config={"gamma": gamma, "beta": beta})
    yield _case(
        NCHW, WIDE[1], "no-affine", "neither gamma nor beta", ("FWD-4",), config={"gamma": False, "beta": False}
    )


def _eps(layout: Layout, formats: Formats) -> Iterator[Case]:
    for eps, scale in ((2.0**-10, 2.0**-5), (0.25, 0.5), (4.0, 1.0), (1e-3, 0.03), (1e-5, 0.003)):
        x = normal("eps", scale=scale)
        title = f"eps = {eps:g} beside a variance of the same size"
        yield _case(layout, formats, f"eps-{eps:g}", title, ("FWD-2",), x=x, config={"eps": eps}, axes={"eps": eps})
    x = normal("default eps", scale=0.01)
    yield _case(layout, formats, "eps-default", "the implementation's own eps", ("FWD-5",), x=x, config={"eps": None})


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    x: Recipe | None = None,
    parameters: Parameters | None = PARAMETERS,
    config: dict[str, object] | None = None,
    axes: dict[str, object] | None = None,
) -> Case:
    step = train(layout, x or normal("x", offset=0.5))
    return make(
        "FWD", layout, formats, variant, title, clauses, (step,), config, axes, parameters=parameters, judges=OUTPUTS
    )
