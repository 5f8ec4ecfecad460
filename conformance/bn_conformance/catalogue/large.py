"""Large cases: about ten million values. They run only where they are named, and are judged by blocks.

What shows here and nowhere else: one running float32 sum over millions of values (a mean of 100 deviations is enough,
since with a sum so large every value is rounded the same way), and counters of float32, which stop at 2**24. The bounds
grow with the root of n, so that at n = 2.5 million they are loose; what must be told apart is told apart at small n.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import OUTPUTS, STATISTICS, Case
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import NC, NCHW

FAMILY = Family("NUM", order=1000)
case = FAMILY.case

IMAGES = NCHW.resized(64, 4, 200, 200)
"""10.24 million values, n = 2.56 million."""

COUNTED = NC.resized(9 << 21, 1)
"""18.9 million values of one channel; n is 2**24 and an eighth of it more."""

MOVING_DY = DataRecipe(kind="beside", seed=seed_of("x"), offset=18.0)
"""Each channel has a mean of its own, from 0 to 54: at 54 one running sum of dy goes wrong.

dy goes along with x in part, too: at this n the bound of a dgamma that is small beside its terms means nothing.
"""


def cases() -> Iterator[Case]:
    """Every large case."""
    title = f"a training step of {IMAGES.count} values a channel, of means near 66 in x and up to 54 in dy"
    step, axes = train(IMAGES, normal("x", offset=66.0), MOVING_DY), {"offset": 66.0}
    yield case(IMAGES, "large-offset-66", title, "NUM-8", step, axes=axes)
    title = f"{COUNTED.count} values of one channel, more than a float32 can count one by one"
    step, axes = train(COUNTED, normal("x", offset=4.0)), {"offset": 4.0}
    yield case(COUNTED, "large-count", title, "NUM-8", step, axes=axes, judges=OUTPUTS | STATISTICS)
