"""Odd data in a row: one layer is asked for special values, vectors and memory, which other families try one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, nan

from bn_conformance.cases.model import (
    OUTPUTS,
    Batch,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import (
    DY,
    KNOWN,
    MEAN,
    PARAMETERS,
    VARIANCE,
    fields,
    fill,
    normal,
    positive,
    single,
    special,
)
from bn_conformance.catalogue.eval import ALIKE
from bn_conformance.catalogue.fwd import VALUES
from bn_conformance.catalogue.grad import UPSTREAM
from bn_conformance.catalogue.layout import VIEW_PAIRS
from bn_conformance.catalogue.tour import Steps, Tour

DEFAULT = SetParameters(gamma=fill(1.0), beta=fill(0.0))
USUAL = SetParameters(gamma=PARAMETERS.gamma, beta=PARAMETERS.beta)

REFUSABLE = fields(expects="numbers-or-refusal")


def _seen(step: Batch, view: str, dy_view: str) -> Batch:
    """The step with x and dy in memory of these kinds."""
    return replace(step, view=view, dy_view=dy_view if step.dy else None)


def _parameters(make: Steps) -> Iterator[Step]:
    """gamma and beta with each special value, then a dy of each kind."""
    for role, (_, parameters, x) in VALUES.items():
        yield SetParameters(gamma=parameters.gamma, beta=parameters.beta) if parameters else DEFAULT
        yield make.train(role if x.kind == "normal" else x)
    yield USUAL
    for role, (_, dy) in UPSTREAM.items():
        yield make.train(role, _held(dy, make.stop.place.formats[0]))


def _held(dy: DataRecipe, dtype: str) -> DataRecipe:
    """A dy that is huge or tiny, and held by its format: float16 makes infinities and zeros of what others hold."""
    return replace(dy, scale=min(max(dy.scale, 2.0**-10), 2.0**6)) if dtype == "float16" else dy


def _coincidences(make: Steps) -> Iterator[Step]:
    """Vectors that are equal, or what a layer begins with; variances of 0, and small and large ones."""
    yield SetParameters(gamma=VARIANCE, beta=MEAN)
    yield KNOWN
    yield make.evaluate()
    yield SetStatistics(fill(0.0), fill(1.0))
    yield make.evaluate("look", DY)
    yield DEFAULT
    yield make.evaluate("look", DY)
    yield SetParameters(gamma=fill(1.5), beta=fill(-0.5))
    yield SetStatistics(fill(0.25), fill(0.75))
    yield make.evaluate(ALIKE, DY)
    yield USUAL
    yield make.evaluate(ALIKE, DY)
    yield SetStatistics(MEAN, fill(0.0))
    yield make.evaluate()
    small, large = (2.0**-8, 2.0**8) if make.narrow else (2.0**-40, 2.0**40)
    yield SetStatistics(MEAN, positive(seed_of("small variance"), small))
    yield make.evaluate("look", DY)
    yield make.train(normal("small", scale=small**0.5), dy=None)
    yield make.evaluate()
    yield SetStatistics(MEAN, positive(seed_of("large variance"), large))
    yield make.evaluate("look", DY)


def _unlike(make: Steps) -> Iterator[Step]:
    """Channel 1 is dead, constant, without gamma or without variance, and the others are usual."""
    for value in (0.0, 7.0):
        x = DataRecipe(kind="unlike", seed=seed_of("x"), special=value)
        yield make.train(x)
        yield make.evaluate(x, DY)
    yield SetParameters(gamma=single(1, 0.0), beta=PARAMETERS.beta)
    yield make.train("first")
    yield KNOWN
    yield make.evaluate("look", DY)
    yield USUAL
    yield SetStatistics(MEAN, single(1, 0.0))
    yield make.evaluate("look", DY)


def _memory(make: Steps) -> Iterator[Step]:
    """x, dy and vectors that lie in memory each in its own way."""
    for view, dy_view in VIEW_PAIRS:
        yield _seen(make.train(f"{view} {dy_view}"), view, dy_view)
    yield _seen(make.evaluate("transposed", DY), "transposed", "contiguous")
    yield _seen(make.evaluate("look", DY), "cut-middle", "scalar")
    if make.stop.place.rank > 2:
        yield _seen(make.train("expanded"), "crop", "expanded")
    for view in ("strided", "negative"):
        yield SetStatistics(MEAN, VARIANCE, view)
        yield make.evaluate("look", DY)
        yield SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma, view=view)
        yield make.evaluate("look", DY)
        yield make.train("other")
        yield USUAL


def _repeats(make: Steps) -> Iterator[Step]:
    """x and dy that repeat numbers in memory: one entry for the batch, one pixel for all, one number for everything."""
    place = make.stop.place
    yield _seen(make.train("first"), "broadcast", "contiguous")
    yield KNOWN
    yield _seen(make.evaluate("look", DY), "broadcast", "broadcast")
    yield _seen(make.evaluate("other", DY), "contiguous", "scalar")
    if place.rank > 2:
        yield _seen(make.train("second"), "contiguous", "broadcast")
        yield _seen(make.train("third"), "expanded" if place.shape[0] > 1 else "broadcast", "expanded")


def _not_finite(make: Steps) -> Iterator[Step]:
    """NaN and infinities in channel 1 of x, of dy, and of each vector."""
    for value in (nan, inf):
        yield make.train(special(f"first {value}", value))
        yield make.train("stays")
        yield make.evaluate()
        yield KNOWN
        yield make.train("second", special("dy", value))
        yield make.evaluate(special("look", value), DY)
        yield SetParameters(gamma=single(1, value), beta=PARAMETERS.beta)
        yield make.train("third")
        yield make.evaluate("other", DY)
        yield SetParameters(gamma=PARAMETERS.gamma, beta=single(1, value))
        yield make.train("fourth")
        yield make.evaluate("other", DY)
        yield USUAL
        yield SetStatistics(single(1, value), VARIANCE)
        yield make.evaluate("look", DY)
        yield SetStatistics(MEAN, single(1, value))
        yield make.evaluate("look", DY)
        yield make.train("moves")
        yield SetParameters(gamma=fill(0.0), beta=MEAN)
        yield KNOWN
        yield make.train(special("times 0", value))
        yield KNOWN
        yield make.evaluate(special("times 0", value))
        yield USUAL


def _negative(make: Steps) -> Iterator[Step]:
    """Running variances below -eps, and between it and 0."""
    for value in (-2.0, -0.5 * float(make.stop.config.get("eps", 2.0**-10))):
        yield SetStatistics(MEAN, single(1, value))
        yield make.evaluate()
        yield make.evaluate("other")


ODD_DATA: Mapping[str, Tour] = {
    "parameters": Tour("special values of gamma and beta, then of dy, in a row", "FWD-3", _parameters),
    "coincidences": Tour("equal vectors, fresh ones and extreme variances in inference", "EVAL-1", _coincidences),
    "unlike": Tour("one channel unlike the others, in each way", "NUM-3", _unlike),
    "memory": Tour("x, dy and vectors each in memory of its own, in a row", "LAYOUT-3", _memory),
    "repeats": Tour("x and dy that repeat numbers in memory, in a row", "LAYOUT-3", _repeats),
    "not-finite": Tour(
        "NaN and infinities in one channel of x, dy and vectors", "EDGE-4", _not_finite, fields(nonfinite_alike=True)
    ),
    "negative": Tour(
        "running variances below 0", "EVAL-4", _negative, fields(nonfinite_alike=True, judges=OUTPUTS, **REFUSABLE)
    ),
}
"""Every tour of odd data by name."""
