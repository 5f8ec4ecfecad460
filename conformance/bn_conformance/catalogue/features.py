"""What a layer can do, a row a feature: `crossing` tries each row in many places and formats.

Frameworks have separate code for each rank, place of the channels and format, so that a feature which is right in one
may be missing in another. A feature is tested here by one case, which judges everything that it touches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import (
    GRADIENTS,
    OUTPUTS,
    SECOND_ORDER,
    STATISTICS,
    Case,
    Freeze,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import seed_of
from bn_conformance.catalogue.build import (
    DY,
    KNOWN,
    MEAN,
    PARAMETERS,
    VARIANCE,
    evaluate,
    fields,
    normal,
    positive,
    special,
    train,
    train_often,
)
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.fwd import AFFINE
from bn_conformance.catalogue.mask import RANDOM
from bn_conformance.catalogue.places import Place
from bn_conformance.catalogue.second import ALL

FEATURES = Family(order=200, sweep=True)
"""Every case is a sweep: implementations that compile are spared its shapes."""
case = FEATURES.case

EPS = 0.25


def everywhere(place: Place) -> Iterator[Case]:
    """What every rank and every pair of formats must do."""
    yield from _parameters(place)
    yield from _state(place)
    yield from _calls(place)
    yield from _edges(place)


def in_every_rank(place: Place) -> Iterator[Case]:
    """What every rank must do beside that: formats have offsets of their own, in `num`."""
    title, step = "data of mean 1000 and deviation near 1", train(place, normal("x", offset=1000.0), DY)
    yield case(place, "offset-1000", title, "NUM-1", step)


def in_every_format(place: Place) -> Iterator[Case]:
    """What every pair of formats must do beside that."""
    for momentum in (0.0, 1.0):
        title, config = f"three steps with weight {momentum:g} of the new statistic", {"momentum": momentum}
        variant, steps = f"crossed-momentum-{momentum:g}", train_often(place, 3)
        yield case(place, variant, title, "STAT-7", *steps, config=config, judges=STATISTICS)
    title = "an infinity among the values of one channel, then inference"
    steps = train(place, special("x", inf), DY), evaluate(place)
    yield case(place, "crossed-inf", title, "EDGE-4", *steps, nonfinite_alike=True)
    title = "parameters and running statistics are set from vectors that are strided or backwards"
    yield case(place, "crossed-vectors", title, "LAYOUT-3", *_vectors(place), judges=OUTPUTS)


def _parameters(place: Place) -> Iterator[Case]:
    """Which parameters there are, beside variances of the size of eps: a missing eps shows in 16 bits too."""
    small = SetStatistics(MEAN, positive(seed_of("small variance"), scale=EPS))
    steps = train(place, normal("eps", scale=EPS**0.5), DY), small, evaluate(place, normal("other"), DY)
    for slug in ("no-affine", "gamma-only", "beta-only"):
        gamma, beta = AFFINE[slug]
        title = f"a layer built with gamma={gamma}, beta={beta}, in training and in inference"
        config = {"gamma": gamma, "beta": beta, "eps": EPS}
        yield case(place, f"crossed-{slug}", title, "FWD-4 GRAD-1 GRAD-4 EVAL-1", *steps, config=config)


def _state(place: Place) -> Iterator[Case]:
    """Freezing, saving, averages and defaults."""
    once, twice, four_times = (train_often(place, count) for count in (1, 2, 4))
    title = "a layer that is frozen: gradients in training and inference after it"
    frozen = train(place, normal("frozen", offset=1.0), DY)
    yield case(place, "crossed-frozen", title, "STATE-3 GRAD-4", *once, KNOWN, Freeze(), frozen, evaluate(place))
    title = "loaded into a layer that has trained, while the saved one trains on"
    reload, look = Reload(train(place, normal("also", offset=-2.0, scale=3.0))), evaluate(place)
    later, judges = train_often(place, 1, "later"), OUTPUTS | STATISTICS
    yield case(place, "crossed-saved", title, "STATE-2", *twice, reload, look, *later, look, judges=judges)
    title, more = "four steps of a cumulative average, then inference", fields(config={"momentum": CUMULATIVE})
    yield case(place, "crossed-cumulative", title, "STAT-8", *four_times, look, judges=judges, **more)
    title, more = "the implementation's own eps beside a small variance", fields(config={"eps": None})
    step = train(place, normal("default eps", scale=0.01), normal("dy", scale=2.0**-6))
    yield case(place, "crossed-default-eps", title, "FWD-5", step, judges=OUTPUTS | GRADIENTS, **more)
    title, more = "two steps with the implementation's own momentum", fields(config={"momentum": None})
    yield case(place, "crossed-default-momentum", title, "STAT-6", *twice, judges=STATISTICS, **more)


def _calls(place: Place) -> Iterator[Case]:
    """Masks and gradients of gradients."""
    title = "a random mask in training, and one in inference that changes nothing"
    clauses = "MASK-1 MASK-2 MASK-3 MASK-7 MASK-8"
    steps = train(place, dy=DY, mask=RANDOM), evaluate(place, normal("other"), DY, mask=RANDOM)
    yield case(place, "crossed-mask", title, clauses, *steps)
    title, step = "gradients of gradients in training", train(place, dy=DY, second=ALL)
    yield case(place, "crossed-training", title, "SECOND-1 SECOND-2 SECOND-3", step, judges=SECOND_ORDER)
    title, step = "gradients of gradients in inference", evaluate(place, dy=DY, second=ALL)
    yield case(place, "crossed-inference", title, "SECOND-4", KNOWN, step, judges=SECOND_ORDER)


def _edges(place: Place) -> Iterator[Case]:
    """NaN, odd memory, one value a channel and none."""
    title, steps = "NaN among the values of one channel, then inference", (train(place, special("x", nan), DY),)
    yield case(place, "crossed-nan", title, "EDGE-4", *steps, evaluate(place), nonfinite_alike=True)
    title = "x and dy whose memory is each permuted, strided or backwards"
    yield case(place, "crossed-views", title, "LAYOUT-3", *_views(place))
    refusable = fields(expects="numbers-or-refusal")
    title = "one value a channel in training"
    one_value = place.resized(*(size if axis == place.axis else 1 for axis, size in enumerate(place.shape)))
    yield case(
        one_value, "crossed-one-value", title, "EDGE-1", train(one_value, dy=DY), finite_statistics=True, **refusable
    )
    # What an empty batch left behind shows in the inference of one entry.
    title, empty = "an empty batch in training, then one entry in inference", place.resized(0, *place.shape[1:])
    entry = evaluate(replace(place, shape=(1, *place.shape[1:])))
    yield case(empty, "empty-batch", title, "EDGE-2", KNOWN, train(empty), entry, **refusable)


def _views(place: Place) -> tuple[Step, ...]:
    """x and dy each in memory of its own, as a permuted tensor lies where no copy was made of it."""
    return (
        train(place, dy=DY, view="fortran", dy_view="contiguous"),
        train(place, dy=DY, view="contiguous", dy_view="transposed"),
        train(place, dy=DY, view="strided", dy_view="negative"),
        evaluate(place, normal("other"), DY, view="transposed"),
    )


def _vectors(place: Place) -> tuple[Step, ...]:
    return (
        SetStatistics(MEAN, VARIANCE, "strided"),
        evaluate(place),
        SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma, view="negative"),
        SetStatistics(PARAMETERS.beta, VARIANCE, "negative"),
        evaluate(place),
    )
