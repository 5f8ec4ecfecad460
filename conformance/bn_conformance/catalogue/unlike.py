"""One channel unlike the others: what is decided for a whole layer by one channel, or for a channel by the others.

Code looks at all channels at once (is any variance 0? is the largest one small?) and takes another way for the layer.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import GRADIENTS, OUTPUTS, Case, ParameterRecipes, SetStatistics
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, PARAMETERS, evaluate, normal, single, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F64, NC, NCHW, NHWC

FAMILY = Family("NUM", order=225)
case = FAMILY.case

X = {
    "dead": (0.0, "one channel is 0 throughout, as behind a ReLU that died"),
    "constant": (7.0, "one channel is 7 throughout"),
}
"""What one channel holds."""

RESULTS = OUTPUTS | GRADIENTS

GAMMA_ZERO = ParameterRecipes(gamma=single(1, 0.0), beta=PARAMETERS.beta)


def cases() -> Iterator[Case]:
    """Every case of one channel unlike the others."""
    for place in (NC, NHWC, NCHW.of(F64)):
        for slug, (value, title) in X.items():
            x = DataRecipe(kind="unlike", seed=seed_of("x"), special=value)
            steps = train(place, x, DY), evaluate(place, x, DY)
            yield case(place, f"one-channel-{slug}", title, "NUM-3", *steps)
        title, both = "gamma is 0 in one channel alone", (train(place, dy=DY), KNOWN, evaluate(place, dy=DY))
        yield case(place, "one-gamma-0", title, "FWD-3", *both, parameters=GAMMA_ZERO, family="FWD", judges=RESULTS)
        title, known = "the running variance is 0 in one channel alone", SetStatistics(MEAN, single(1, 0.0))
        look = evaluate(place, normal("x", offset=0.25), DY)
        yield case(place, "one-variance-0", title, "EVAL-2", known, look, family="EVAL", judges=RESULTS)
