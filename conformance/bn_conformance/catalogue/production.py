"""Production: what a layer does in a program, at the sizes, in the memory, at the age and on the data of programs.

Libraries choose their code by size: channels in multiples of a vector, one pixel, long channels, large batches. So one
sequence that does all that a layer can do is tried at each class of sizes, in every layout and format. `SIZES` has a
row for each class, `MEMORY` and `AGES` one for each way in which programs hand arrays over and keep layers alive. Four
cases make a sequence, since not every implementation can save, take masks or give a second order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import SECOND_ORDER, Batch, Case, Freeze, Reload, SetStatistics, Step
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.between import EARLIER
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, evaluate, normal, positive, train
from bn_conformance.catalogue.family import Family
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
    Place,
)
from bn_conformance.catalogue.second import ALL
from bn_conformance.catalogue.state import OTHER

FAMILY = Family(order=230, sweep=True)

SIZES: Mapping[str, tuple[Place, ...]] = {
    "channels in whole vectors": (
        NC.resized(16, 256),
        NC.resized(32, 32),
        NCHW.resized(16, 32, 4, 4),
        NHWC.resized(2, 4, 4, 64),
        NHWC.resized(16, 2, 2, 128),
        NLC.resized(4, 16, 32),
        NDHWC.resized(2, 2, 4, 4, 16),
    ),
    "wide layers, odd and even": (
        NC.resized(4, 2048),
        NC.resized(6, 515),
        NCHW.resized(3, 514, 2, 2),
        NHWC.resized(2, 2, 2, 1024),
        NCL.resized(2, 260, 4),
        NCDHW.resized(2, 130, 1, 2, 2),
    ),
    "long channels": (
        NC.resized(512, 6),
        NC.resized(1024, 3),
        NC.resized(2048, 2),
        NCL.resized(16, 8, 32),
        NHWC.resized(2, 33, 32, 3),
        NCHW.resized(2, 3, 32, 40),
        NCDHW.resized(2, 3, 4, 8, 16),
    ),
    "one image": (
        NCHW.resized(1, 8, 7, 7),
        NHWC.resized(1, 7, 7, 32),
        NCL.resized(1, 4, 64),
        NHCW.resized(1, 4, 64, 4),
        NCDHW.resized(1, 32, 2, 2, 4),
    ),
    "one pixel": (
        NCHW.resized(8, 64, 1, 1),
        NHWC.resized(32, 1, 1, 24),
        NHWC.resized(4, 3, 1, 16),
        NCL.resized(33, 2, 1),
        NDHWC.resized(16, 1, 1, 1, 8),
    ),
    "one channel": (
        NC.resized(64, 1),
        NCL.resized(3, 1, 16),
        NCHW.resized(2, 1, 9, 32),
        NHWC.resized(3, 8, 5, 1),
        NCDHW.resized(2, 1, 3, 4, 5),
    ),
}
"""Each class of sizes with its places in float32: which of them a library has code of its own for."""

FOR_ALL = frozenset(
    {
        NHWC.resized(2, 4, 4, 64),
        NC.resized(6, 515),
        NHWC.resized(2, 33, 32, 3),
        NHWC.resized(1, 7, 7, 32),
        NCHW.resized(8, 64, 1, 1),
        NCL.resized(3, 1, 16),
    }
)
"""Of each class the place whose training is no sweep: implementations that compile run it, too."""

OTHER_FORMATS = (F64, F16, BF16, F16_WIDE, BF16_WIDE)

IN_OTHER_FORMATS = (
    (NHWC.resized(1, 7, 7, 64), "masked"),
    (NCHW.resized(16, 32, 4, 4), "second"),
    (NC.resized(1024, 4), "inference"),
)
"""In the other formats, a place for several classes of sizes, each with one sequence beside training."""

USUAL = (NC, NCHW, NHWC, NCDHW, NCL, NHCW, NCHW.of(F64), NHWC.of(F16_WIDE), NHWC.of(BF16), NCHW.of(BF16_WIDE))
"""Every rank, layout and format once."""


EPS = 2.0**-24
"""Small beside the variances of these channels, as eps is in programs."""

SMALL = SetStatistics(MEAN, positive(seed_of("small variance"), scale=2.0**-40))
"""Running variances far below any eps of a program: nothing but eps may keep them from 0."""


@dataclass(frozen=True)
class Setting:
    """What is particular in a sequence beside its size.

    Attributes:
        title: it in words.
        clause: what the cases test.
        alike: whether the channels of x are alike; else every third is small and every third large.
        views: how x and dy lie in memory.
        before: training steps that are not judged, before the others.
        resized: whether batches have different sizes.
        config: settings of the layer.
        places: where it is tried.
    """

    title: str
    clause: str
    alike: bool = False
    views: tuple[str, str] = ("contiguous", "contiguous")
    before: int = 0
    resized: bool = False
    config: Mapping[str, Any] = field(default_factory=lambda: {"eps": EPS})
    places: tuple[Place, ...] = USUAL

    def x(self, role: str, place: Place) -> DataRecipe:
        """Data of one step. Running variances of 16 bits do not hold those of large channels."""
        if self.alike or place.formats in (F16, BF16):
            return normal(role, offset=0.5)
        return DataRecipe(kind="mixed-scales", seed=seed_of(role))


def _built(title: str, clause: str, **config: Any) -> Setting:
    """A layer that is built in a certain way, in two layouts."""
    return Setting(title, clause, config={"eps": EPS, **config}, places=(NHWC, NC))


SETTINGS: Mapping[str, Setting] = {
    "usual": Setting("a layer as programs have it", "NUM-2"),
    "part": Setting("x and dy are parts of larger arrays", "LAYOUT-3", views=("offset", "offset")),
    "permuted": Setting("x and dy whose memory is permuted", "LAYOUT-3", views=("fortran", "transposed")),
    "strided": Setting("x and dy are strided", "LAYOUT-3", views=("strided", "negative")),
    "old": Setting("after a hundred steps", "STATE-1", before=100, places=(NC, NCHW, NHWC, NHWC.of(F16_WIDE))),
    "resized": Setting("each batch has another size", "STATE-5", resized=True),
    "no-affine": _built("without gamma and beta", "FWD-4", gamma=False, beta=False),
    "beta-only": _built("with beta alone", "FWD-4", gamma=False),
    "gamma-only": _built("with gamma alone", "FWD-4", beta=False),
    "small-eps": _built("eps = 1e-12", "FWD-2", eps=1e-12),
    "large-eps": _built("eps = 1", "FWD-2", eps=1.0),
    "quick": _built("the new statistic weighs 3/4", "STATE-1", momentum=0.75),
}
"""What code has paths for beside sizes, tried at small sizes."""


def cases() -> Iterator[Case]:
    """Every case of production."""
    in_turn = ("masked", "second", "inference")
    for what, places in SIZES.items():
        setting = Setting(what, "LAYOUT-4", alike=True, config={})
        for index, place in enumerate(places):
            yield from _sequences(place, "production", setting, ("training",), sweep=place not in FOR_ALL)
            yield from _sequences(place, "production", setting, (in_turn[index % 3],))
    for formats, (place, sequence) in product(OTHER_FORMATS, IN_OTHER_FORMATS):
        setting = Setting("sizes of programs", "LAYOUT-4", alike=True, config={})
        yield from _sequences(place.of(formats), "production", setting, ("training", sequence))
    for slug, setting in SETTINGS.items():
        of_state = slug in ("usual", "old") or len(setting.places) == 2
        for index, place in enumerate(setting.places):
            others = in_turn if slug == "usual" else (in_turn[index % 3],)
            names = ("training", *others, *(("saved",) if of_state else ()))
            sweep = slug not in ("old", "quick") or place is not NC
            yield from _sequences(place, f"production-{slug}", setting, names[:1], sweep=sweep)
            yield from _sequences(place, f"production-{slug}", setting, names[1:])


def _sequences(place: Place, slug: str, setting: Setting, names: Iterable[str], sweep: bool = True) -> Iterator[Case]:
    """The sequences of these names, in one place."""
    for name in names:
        title, steps, more = SEQUENCES[name]
        variant = slug if name == "training" else f"{slug}-{name}"
        whole = f"{setting.title}: {title}"
        makes = _Steps(place, setting, MASK if name == "masked" else None)
        before = [train(place, setting.x(f"before {n % 5}", place), judge=False) for n in range(setting.before)]
        steps_of = *before, *steps(makes)
        yield FAMILY.case(place, variant, whole, setting.clause, *steps_of, config=setting.config, sweep=sweep, **more)


@dataclass(frozen=True)
class _Steps:
    """Makes the steps of the sequences of a place."""

    place: Place
    setting: Setting
    mask: MaskRecipe | None = None

    def train(self, role: str, longer: int = 0, **more: Any) -> Batch:
        """Train, on a batch that is longer by so much where batches have different sizes."""
        return self._step(train(self.place, self.setting.x(role, self.place), DY, **more), longer)

    def evaluate(self, role: str, longer: int = 0, dy: DataRecipe | None = None, **more: Any) -> Batch:
        """Infer, in the same way."""
        return self._step(evaluate(self.place, self.setting.x(role, self.place), dy, **more), longer)

    def _step(self, step: Batch, longer: int) -> Batch:
        view, dy_view = self.setting.views
        axes = (0, max(axis for axis in range(self.place.rank) if axis != self.place.axis))
        shape = tuple(
            size + longer if self.setting.resized and axis in axes else size for axis, size in enumerate(step.shape)
        )
        return replace(step, shape=shape, view=view, dy_view=dy_view if step.dy else None, mask=self.mask)


def _training(make: _Steps) -> Iterator[Step]:
    """Training with its gradients, and inference behind each thing that changes what inference gives."""
    yield make.train("first")
    yield make.evaluate("second", 1)
    yield OTHER
    yield make.evaluate("second")
    yield make.train("third", 2)
    yield KNOWN
    yield make.evaluate("second")
    yield make.train("fourth")
    yield make.evaluate("fifth", 1)


def _inference(make: _Steps) -> Iterator[Step]:
    """Gradients of inference behind each such thing; the caller writes over its arrays."""
    yield KNOWN
    yield make.evaluate("first", dy=DY)
    yield OTHER
    yield make.evaluate("first", 1, dy=DY)
    yield SMALL
    yield make.evaluate("second", dy=DY)


def _saved(make: _Steps) -> Iterator[Step]:
    """Loaded into another layer, used beside another one, asked twice for its gradients, frozen, and set."""
    yield make.train("first")
    yield make.train("second", interrupt=normal("interrupt"))
    yield Reload(replace(make.train("also"), dy=None, dy_view=None))
    yield make.evaluate("second", 1)
    yield make.train("third", between=(EARLIER,))
    yield Freeze()
    yield make.train("fourth", 2)
    yield KNOWN
    yield make.evaluate("fifth")


def _second(make: _Steps) -> Iterator[Step]:
    """The second order in training, in inference, and in training with other parameters."""
    yield make.train("first", second=ALL)
    yield KNOWN
    yield make.evaluate("second", 1, dy=DY, second=ALL)
    yield OTHER
    yield make.train("third", second=ALL)


MASK = MaskRecipe(seed=seed_of("mask"))

SEQUENCES: Mapping[str, tuple[str, Callable[[_Steps], Iterator[Step]], Mapping[str, Any]]] = {
    "training": ("training and inference", _training, {}),
    "inference": ("gradients of inference", _inference, {"overwrites": True}),
    "masked": ("training and inference with a mask", _training, {"overwrites": True}),
    "saved": ("saved, loaded and frozen", _saved, {}),
    "second": ("gradients of gradients", _second, {"judges": SECOND_ORDER}),
}
"""Of each sequence what it is in words, its steps, and other fields of its cases."""
