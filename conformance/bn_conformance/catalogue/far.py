"""Far places: what other families ask at a few usual places is asked where layers are wide, old, mixed or bare.

Code may be wrong at an odd question (a dy of another shape, the same array again, NaN in a channel, a batch of nothing)
under a condition alone: for wide channels, in float64, without beta, with a momentum beyond a half, at the eleventh
call. A search chose the places: together they meet as many conditions of the grammar of conditional mutants, and pairs
of a path and a size, as so many small places can. `python -m tests.measure.conditions_met` prints how many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bn_conformance.adapter import CUMULATIVE, LayerConfig
from bn_conformance.cases.model import Batch, Case, Step
from bn_conformance.catalogue import (
    dtype,
    edge,
    err,
    identity,
    many_calls,
    narrow,
    num,
    seams,
    sequences,
    sizes,
    values,
)
from bn_conformance.catalogue.build import fields
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.odd_calls import ODD_CALLS
from bn_conformance.catalogue.odd_data import ODD_DATA
from bn_conformance.catalogue.places import (
    BF16,
    BF16_WIDE,
    F16,
    F16_WIDE,
    F64,
    NC,
    NCDHW,
    NCHW,
    NCL,
    NDHWC,
    NHCW,
    NHWC,
    NLC,
    WIDE,
    Place,
)
from bn_conformance.catalogue.tour import MASK, TOURS, Steps, Stop, Tour

FAMILY = Family(order=250, sweep=True)

FAR = "far"
"""What the id and the axes of each of these cases have."""

VALUES = frozenset({"eps", "momentum"})
"""Settings that may be literals in the code of an implementation."""

SMALL_EPS = 2.0**-24
PLAIN: Mapping[str, Any] = {"gamma": False, "beta": False}
NO_GAMMA: Mapping[str, Any] = {"gamma": False}
NO_BETA: Mapping[str, Any] = {"beta": False}

STOPS: Mapping[str, Stop] = {
    "pairs": Stop(
        NCL.resized(32, 2, 1).of(F64),
        {**NO_BETA, "eps": SMALL_EPS, "momentum": 0.75},
        ("strided", "strided"),
        offset=1e6,
        before=10,
    ),
    "rows": Stop(NHCW.resized(3, 2, 2, 32).of(F16_WIDE), {**NO_GAMMA, "eps": 1.0}, ("offset", "offset"), offset=4.0),
    "volume": Stop(
        NCDHW.resized(2, 8, 5, 3, 1).of(BF16_WIDE), {**PLAIN, "eps": SMALL_EPS}, ("fortran", "fortran"), offset=4.0
    ),
    "phrase": Stop(
        NLC.resized(1, 4, 32).of(BF16_WIDE),
        {**NO_BETA, "eps": 1.0, "momentum": 0.75},
        ("strided", "strided"),
        offset=4.0,
        before=10,
    ),
    "signal": Stop(NCL.resized(2, 1, 256), {"momentum": 0.75, "eps": 1.0}, ("offset", "offset"), offset=4.0),
    "pixels": Stop(NHCW.resized(16, 16, 1, 1).of(F16_WIDE), {"eps": 1.0}, ("strided", "strided"), before=10),
    "tokens": Stop(NLC.resized(4, 1, 256).of(F64), {"eps": 1.0}, ("fortran", "transposed"), offset=1500.0),
    "film": Stop(NDHWC.resized(2, 8, 16, 8, 2), {**NO_BETA, "eps": SMALL_EPS}, ("offset", "offset"), offset=40.0),
    "table": Stop(NC.resized(5, 64).of(F64), {**PLAIN, "eps": 0.001}, ("offset", "offset"), offset=1500.0),
    "stripes": Stop(
        NHCW.resized(8, 1, 2, 32).of(F64), {"eps": SMALL_EPS, "momentum": 0.75}, ("fortran", "fortran"), offset=1e6
    ),
    "old-table": Stop(NC.resized(32, 2), {**PLAIN}, ("fortran", "fortran"), offset=4.0, before=100),
    "wide-table": Stop(
        NC.resized(4, 264), {**NO_GAMMA, "eps": SMALL_EPS, "momentum": 0.75}, ("strided", "strided"), offset=4.0
    ),
    "line": Stop(
        NHWC.resized(32, 1, 32, 2).of(BF16_WIDE), {**PLAIN, "eps": SMALL_EPS}, ("fortran", "fortran"), offset=4.0
    ),
    "image": Stop(NHCW.resized(1, 1, 640, 4), {"momentum": 0.75}, ("fortran", "fortran"), offset=4.0),
    "cube": Stop(
        NCDHW.resized(3, 2, 3, 3, 2).of(F64), {"eps": SMALL_EPS, "momentum": 0.75}, ("strided", "strided"), before=10
    ),
    "tabular": Stop(NC.resized(16, 130), {"eps": 1.0, "momentum": 0.75}, ("offset", "offset"), offset=40.0),
    "wide-phrase": Stop(NLC.resized(2, 2, 1032).of(BF16), {"momentum": 0.75}, ("strided", "strided"), offset=4.0),
    "wider-table": Stop(NC.resized(4, 1032), {**NO_BETA, "eps": SMALL_EPS}, ("fortran", "offset"), offset=4.0),
    "half-image": Stop(NCHW.resized(8, 24, 2, 4).of(F16), {**NO_BETA, "momentum": 0.75}, ("fortran", "fortran")),
    "half-table": Stop(NC.resized(16, 24).of(F16), NO_GAMMA, ("strided", "strided")),
    "half-film": Stop(NDHWC.resized(3, 2, 4, 4, 6).of(F16), {**NO_GAMMA, "eps": SMALL_EPS}, ("strided", "strided")),
}
"""Where questions are asked, by name."""

OF_VALUES: tuple[str, ...] = ("parameters", "coincidences", "extremes", "unlike", "repeats")
"""Tours of values, which show what 16 bits do to them."""

OF_SIZES: tuple[str, ...] = (*TOURS, *ODD_DATA, "masks", "weights")
"""Tours of what code does by a path of its own for some sizes."""

SOME_ASKED: Mapping[str, Stop] = {
    "deep": Stop(NCHW.resized(2, 1024, 1, 2).of(F64), {"momentum": 0.1}, offset=4.0, tours=OF_SIZES),
    "clips": Stop(
        NCDHW.resized(32, 2, 1, 2, 32).of(F64),
        {"eps": 1.0},
        ("offset", "offset"),
        offset=40.0,
        tours=OF_SIZES,
    ),
    "fans": Stop(NHCW.resized(2, 2, 260, 2), {"momentum": 0.75}, ("fortran", "fortran"), tours=OF_SIZES),
    "frames": Stop(NHCW.resized(33, 2, 3, 2), {"momentum": 0.75}, offset=4.0, tours=OF_SIZES),
    "reel": Stop(
        NDHWC.resized(3, 2, 4, 2, 5), {"eps": 2.0**-4}, offset=1500.0, tours=("inference", "state", "unlike", "weights")
    ),
    "half-rows": Stop(NC.resized(16, 17).of(F16), {"momentum": 0.75}, tours=OF_VALUES),
    "mixed-rows": Stop(NC.resized(66, 24).of(F16_WIDE), {}, ("fortran", "fortran"), before=3, tours=OF_VALUES),
    "mixed-signal": Stop(NCL.resized(4, 40, 8).of(F16_WIDE), {"eps": 1.0}, ("strided", "strided"), tours=OF_VALUES),
    "mixed-words": Stop(
        NLC.resized(2, 8, 136).of(BF16_WIDE), {"momentum": 0.75}, ("offset", "offset"), tours=OF_VALUES
    ),
    "brain-words": Stop(NLC.resized(2, 8, 136).of(BF16), tours=OF_VALUES),
    "mixed-clips": Stop(NCDHW.resized(8, 4, 1, 2, 16).of(F16_WIDE), {}, ("fortran", "fortran"), tours=OF_VALUES),
    "apart": Stop(
        NC.resized(66, 24),
        {},
        ("strided", "strided"),
        offset=1500.0,
        tours=("inference", "masks", "hidden", *OF_VALUES),
    ),
}
"""Where the tours that are named are made alone, and the questions of 16-bit formats asked, which few stops have."""

LONG: Mapping[str, Stop] = {
    "sentence": Stop(NLC.resized(2, 4111, 2), {**NO_BETA, "eps": SMALL_EPS, "momentum": 0.75}, ("strided", "strided")),
    "picture": Stop(NCHW.resized(1, 2, 101, 83), {**NO_GAMMA, "eps": 1.0}, ("offset", "offset"), before=2),
    "relief": Stop(NHCW.resized(16, 23, 2, 24).of(F64), {**PLAIN, "momentum": 0.75}, ("fortran", "fortran")),
    "solid": Stop(NDHWC.resized(3, 15, 16, 15, 1), {"eps": SMALL_EPS}, ("transposed", "transposed"), before=10),
    "plane": Stop(NCHW.resized(2, 2, 181, 182).of(BF16_WIDE), {}, ("fortran", "fortran")),
    "wall": Stop(NHWC.resized(1, 257, 256, 2), {}),
    "column": Stop(NC.resized(8200, 3).of(BF16_WIDE), {**NO_BETA, "eps": 1.0, "momentum": 0.75}),
}
"""Where sums of more than 8,192 values are asked for, which code splits into blocks."""

ONE_NUMBER: Mapping[str, Stop] = {
    "wall": LONG["wall"],
    "tower": Stop(NC.resized(65_539, 1).of(F64), {}),
}
"""Where sums of one number are asked for, of so many values that they are wrong where they are taken one by one."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "cumulative": {"momentum": CUMULATIVE},
    "still": {"momentum": 0.0},
    "quick": {"momentum": 0.999},
    "forgetful": {"momentum": 1.0},
    "own": {"eps": None, "momentum": None},
    "large-eps": {"eps": 100.0},
}
"""Other settings, with which the tour of weights is made, too."""


def cases() -> Iterator[Case]:
    """Every question at every far place, some at more of them, and long sums at the long ones."""
    for slug, stop in STOPS.items():
        for name, tour in {**TOURS, **ODD_DATA, **ODD_CALLS}.items():
            if not _is_impossible(name, stop.place):
                yield _toured(slug, stop, name, tour)
        for name, settings in SETTINGS.items():
            other = replace(stop, config={**stop.config, **settings})
            yield _toured(slug, other, f"weights-{name}", ODD_CALLS["weights"], settings)
            if name == "cumulative":
                yield _toured(slug, other, f"empty-{name}", ODD_CALLS["empty"], settings)
                yield _toured(slug, other, f"masked-{name}", TOURS["masked"], settings)
        for case in _single_questions(stop.place):
            if not _is_of_nothing(case, stop):
                yield _asked_at(case, slug, stop)
        bare = replace(stop, place=replace(stop.place, shape=stop.place.with_channels(0)), before=0)
        yield _asked_at(edge.without_channels(bare.place), slug, bare)
    for slug, stop in SOME_ASKED.items():
        for name in stop.tours:
            yield _toured(slug, stop, name, {**TOURS, **ODD_DATA, **ODD_CALLS}[name])
        for case in _of_formats(stop.place):
            yield _asked_at(case, slug, stop)
    for slug, stop in ONE_NUMBER.items():
        for case in num.one_number(stop.place):
            yield _asked_at(case, slug, stop)
    for slug, stop in LONG.items():
        yield _asked_at(seams.at(stop.place), slug, stop)
        yield _asked_at(sizes.of_length(stop.place), slug, stop)


def _is_impossible(name: str, place: Place) -> bool:
    """Whether a tour needs more channels, axes or pixels than a place has, or channels on another axis."""
    needs = dict.fromkeys(("unlike", "not-finite", "counted"), place.channels > 1)
    needs |= {"no-pixels": place.rank > 2, "other-rank": place.axis == 1, "one-entry": place.count > place.shape[0]}
    return not needs.get(name, True)


def _toured(slug: str, stop: Stop, name: str, tour: Tour, needed: Collection[str] = ()) -> Case:
    """The case of a tour, which needs the values of some of the settings of its stop."""
    make = Steps(stop, MASK if name.startswith("masked") else None)
    steps = (*Steps(stop).before(), *tour.steps(make))
    more = {"config": stop.config, "axes": {FAR: slug}, "any_value": VALUES - {*needed}, **tour.more}
    return FAMILY.case(stop.place, f"{FAR}-{slug}-{name}", tour.title, tour.clause, *steps, **more)


def _single_questions(place: Place) -> Iterator[Case]:
    """Questions that want a case of their own: refusals, and what the whole of a case is about."""
    if place.channels > 1:
        yield from err.of_arrays(place)
        yield from err.of_vectors(place)
    yield from err.of_states(place)
    if place.shape[0] > 1:
        yield from err.of_dy_in_inference(place)
    yield identity.same_arrays(place)
    yield identity.among_others(place, "middle", (4, 4))
    yield many_calls.through_sizes(place)
    if place.formats in WIDE:
        yield from many_calls.late(place, sweep=True)
    yield from _of_formats(place)


def _of_formats(place: Place) -> Iterator[Case]:
    """Questions that only formats of 16 bits have."""
    if place.formats in (F16, F16_WIDE):
        yield from narrow.forward_overflows(place)
        yield from narrow.backward_overflows(place)
        yield from narrow.results_overflow(place)
        yield values.small_eps(place, 1e-8)
    if place.formats in (F16_WIDE, BF16_WIDE):
        yield from dtype.wide(place)
        yield sequences.saved_wide(place)
        yield values.small_eps(place, 1e-5)


def _is_of_nothing(case: Case, stop: Stop) -> bool:
    """Whether a case is about values of gamma or beta of a layer that has none."""
    variant = case.id.rpartition("/")[2]
    gamma, beta = (stop.config.get(name, True) for name in ("gamma", "beta"))
    has = {
        "gamma": gamma,
        "beta": beta,
        "results-overflow": gamma,
        "wide-parameters": gamma and beta,
        "save-wide-parameters": gamma and beta,
        "wide-statistics": gamma and beta,
    }
    return not has.get(variant.partition("-")[0] if case.family == "ERR" else variant, True)


def _asked_at(case: Case, slug: str, stop: Stop) -> Case:
    """A case of the stop's place with its settings (but for those that it is about), memory, and age if it has none."""
    place, _, variant = case.id.rpartition("/")
    usual = LayerConfig(num_channels=1)
    settings = {
        name: value for name, value in stop.config.items() if getattr(case.config, name) == getattr(usual, name)
    }
    before = Steps(stop).before() if all(batch.judge for batch in case.batches) else ()
    steps = (*before, *(_in_memory(step, stop) for step in case.steps))
    config = replace(case.config, **settings)
    axes = {**case.axes, FAR: slug}
    more = fields(config=config, steps=steps, axes=axes, any_value=VALUES.intersection(settings), sweep=True)
    return replace(case, id=f"{place}/{FAR}-{slug}-{variant}", **more)


def _in_memory(step: Step, stop: Stop) -> Step:
    """A step with usual data as these are at the stop."""
    if not isinstance(step, Batch) or step.view != "contiguous":
        return step
    view, dy_view = stop.views
    x = step.x
    if x.kind == "normal":
        x = replace(x, offset=x.offset + stop.offset * x.scale)
    return replace(step, x=x, view=view, dy_view=dy_view if step.dy else None)
