"""What a layer can do, each as a function of a place and formats: the rows of the table that `crossing` makes cases of.

Frameworks have separate code for each rank, place of the channels and format, so that a feature which is right in one
may be missing in another. A feature is tested here by one case, which judges everything that it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, nan
from typing import Any

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import (
    EVERYTHING,
    GRADIENTS,
    OUTPUTS,
    SECOND_ORDER,
    STATISTICS,
    Case,
    Freeze,
    Quantities,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    DY,
    MEAN,
    PARAMETERS,
    VARIANCE,
    Formats,
    Layout,
    X,
    evaluate,
    known_statistics,
    make,
    normal,
    resized,
    train,
)
from bn_conformance.catalogue.mask import RANDOM
from bn_conformance.catalogue.second import ALL

EPS = 0.25


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature, and the case that tests it.

    Attributes:
        slug: the variant that ids spell.
        title: as of a case.
        clauses: as of a case, the deciding one first; its family is the case's.
        steps: what happens, in a place.
        config: of the layer, beside the place and the formats.
        judges: as of a case.
        more: further fields of the case.
        place: the place with the sizes that the feature needs.
    """

    slug: str
    title: str
    clauses: tuple[str, ...]
    steps: Callable[[Layout], tuple[Step, ...]]
    config: Mapping[str, Any] = field(default_factory=dict)
    judges: Quantities = EVERYTHING
    more: Mapping[str, Any] = field(default_factory=dict)
    place: Callable[[Layout], Layout] = lambda layout: layout


def case_of(feature: Feature, layout: Layout, formats: Formats) -> Case:
    """The case of a feature in a place and formats. It is a sweep: what compiles is spared its shapes."""
    more: dict[str, Any] = {"judges": feature.judges, "sweep": True, **feature.more}
    place = feature.place(layout)
    return make(
        feature.clauses[0].partition("-")[0], place, formats, feature.slug, feature.title, feature.clauses,
        feature.steps(place), dict(feature.config), **more,
    )  # fmt: skip


def _batches(layout: Layout, count: int, role: str = "batch") -> tuple[Step, ...]:
    return tuple(
        train(layout, normal(f"{role} {index}", offset=0.5 * index, scale=1.0 + 0.5 * index)) for index in range(count)
    )


def _both_modes(layout: Layout) -> tuple[Step, ...]:
    """Beside variances of the size of eps, so that it shows in 16 bits too where eps is missing."""
    small = Recipe(kind="positive", seed=seed_of("small variance"), scale=EPS)
    return (
        train(layout, normal("eps", scale=EPS**0.5), DY),
        SetStatistics(MEAN, small),
        evaluate(layout, normal("other"), DY),
    )


def _frozen(layout: Layout) -> tuple[Step, ...]:
    return (
        *_batches(layout, 1),
        known_statistics(),
        Freeze(),
        train(layout, normal("frozen", offset=1.0), DY),
        evaluate(layout),
    )


def _saved(layout: Layout) -> tuple[Step, ...]:
    also = train(layout, normal("also", offset=-2.0, scale=3.0))
    return *_batches(layout, 2), Reload(also), evaluate(layout), *_batches(layout, 1, "later"), evaluate(layout)


def _views(layout: Layout) -> tuple[Step, ...]:
    """x and dy each in memory of its own, as a permuted tensor lies where no copy was made of it."""
    return (
        train(layout, dy=DY, view="fortran", dy_view="contiguous"),
        train(layout, dy=DY, view="contiguous", dy_view="transposed"),
        train(layout, dy=DY, view="strided", dy_view="negative"),
        evaluate(layout, normal("other"), DY, view="transposed"),
    )


def _vectors(layout: Layout) -> tuple[Step, ...]:
    return (
        SetStatistics(MEAN, VARIANCE, "strided"),
        evaluate(layout),
        SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma, view="negative"),
        SetStatistics(PARAMETERS.beta, VARIANCE, "negative"),
        evaluate(layout),
    )


def _of_one_value(layout: Layout) -> Layout:
    return resized(layout, tuple(size if axis == layout.axis else 1 for axis, size in enumerate(layout.shape)))


def _of_nothing(layout: Layout) -> Layout:
    return resized(layout, (0, *layout.shape[1:]))


def _one_value(layout: Layout) -> tuple[Step, ...]:
    return (train(layout, dy=DY),)


def _empty(layout: Layout) -> tuple[Step, ...]:
    """Nothing, then one entry: what nothing left behind shows in its inference."""
    return known_statistics(), train(layout), evaluate(replace(layout, shape=(1, *layout.shape[1:])))


def _special(value: float) -> Callable[[Layout], tuple[Step, ...]]:
    x = Recipe(kind="special", seed=seed_of("x"), channel=1, special=value)
    return lambda layout: (train(layout, x, DY), evaluate(layout))


REFUSABLE: Mapping[str, Any] = {"expects": "numbers-or-refusal"}

LAYERS = tuple(
    Feature(
        slug=f"crossed-{slug}",
        title=f"a layer built with gamma={gamma}, beta={beta}, in training and in inference",
        clauses=("FWD-4", "GRAD-1", "GRAD-4", "EVAL-1"),
        steps=_both_modes,
        config={"gamma": gamma, "beta": beta, "eps": EPS},
    )
    for slug, (gamma, beta) in {
        "no-affine": (False, False),
        "gamma-only": (True, False),
        "beta-only": (False, True),
    }.items()
)
"""Which parameters there are."""

NUMBERS = (
    Feature(
        slug="crossed-frozen",
        title="a layer that is frozen: gradients in training and inference after it",
        clauses=("STATE-3", "GRAD-4"),
        steps=_frozen,
    ),
    Feature(
        slug="crossed-saved",
        title="loaded into a layer that has trained, while the saved one trains on",
        clauses=("STATE-2",),
        steps=_saved,
        judges=OUTPUTS | STATISTICS,
    ),
    Feature(
        slug="crossed-cumulative",
        title="four steps of a cumulative average, then inference",
        clauses=("STAT-8",),
        steps=lambda layout: (*_batches(layout, 4), evaluate(layout)),
        config={"momentum": CUMULATIVE},
        judges=OUTPUTS | STATISTICS,
    ),
    Feature(
        slug="crossed-default-eps",
        title="the implementation's own eps beside a small variance",
        clauses=("FWD-5",),
        steps=lambda layout: (train(layout, normal("default eps", scale=0.01), normal("dy", scale=2.0**-6)),),
        config={"eps": None},
        judges=OUTPUTS | GRADIENTS,
    ),
    Feature(
        slug="crossed-default-momentum",
        title="two steps with the implementation's own momentum",
        clauses=("STAT-6",),
        steps=lambda layout: _batches(layout, 2),
        config={"momentum": None},
        judges=STATISTICS,
    ),
    Feature(
        slug="crossed-mask",
        title="a random mask in training, and one in inference that changes nothing",
        clauses=("MASK-1", "MASK-2", "MASK-3", "MASK-7", "MASK-8"),
        steps=lambda layout: (train(layout, dy=DY, mask=RANDOM), evaluate(layout, normal("other"), DY, mask=RANDOM)),
    ),
    Feature(
        slug="crossed-training",
        title="gradients of gradients in training",
        clauses=("SECOND-1", "SECOND-2", "SECOND-3"),
        steps=lambda layout: (train(layout, X, DY, second=ALL),),
        judges=SECOND_ORDER,
    ),
    Feature(
        slug="crossed-inference",
        title="gradients of gradients in inference",
        clauses=("SECOND-4",),
        steps=lambda layout: (known_statistics(), evaluate(layout, X, DY, second=ALL)),
        judges=SECOND_ORDER,
    ),
    Feature(
        slug="crossed-nan",
        title="NaN among the values of one channel, then inference",
        clauses=("EDGE-4",),
        steps=_special(nan),
        more={"nonfinite_alike": True},
    ),
    Feature(
        slug="crossed-views",
        title="x and dy whose memory is each permuted, strided or backwards",
        clauses=("LAYOUT-3",),
        steps=_views,
    ),
    Feature(
        slug="crossed-one-value",
        title="one value a channel in training",
        clauses=("EDGE-1",),
        steps=_one_value,
        more={**REFUSABLE, "finite_statistics": True},
        place=_of_one_value,
    ),
    Feature(
        slug="empty-batch",
        title="an empty batch in training, then one entry in inference",
        clauses=("EDGE-2",),
        steps=_empty,
        more=REFUSABLE,
        place=_of_nothing,
    ),
)
"""What every rank and every pair of formats must do."""

OF_RANKS = (
    Feature(
        slug="offset-1000",
        title="data of mean 1000 and deviation near 1",
        clauses=("NUM-1",),
        steps=lambda layout: (train(layout, normal("x", offset=1000.0), DY),),
    ),
)
"""What every rank must do beside that: formats have offsets of their own, in `num`."""

OF_FORMATS = (
    *(
        Feature(
            slug=f"crossed-momentum-{momentum:g}",
            title=f"three steps with weight {momentum:g} of the new statistic",
            clauses=("STAT-7",),
            steps=lambda layout: _batches(layout, 3),
            config={"momentum": momentum},
            judges=STATISTICS,
        )
        for momentum in (0.0, 1.0)
    ),
    Feature(
        slug="crossed-inf",
        title="an infinity among the values of one channel, then inference",
        clauses=("EDGE-4",),
        steps=_special(inf),
        more={"nonfinite_alike": True},
    ),
    Feature(
        slug="crossed-vectors",
        title="parameters and running statistics are set from vectors that are strided or backwards",
        clauses=("LAYOUT-3",),
        steps=_vectors,
        judges=OUTPUTS,
    ),
)
"""What every pair of formats must do beside that."""
