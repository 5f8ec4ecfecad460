"""Tours: one layer is asked one unusual thing after the other, where code has a path of its own.

Other families ask unusual things (constant channels, dy of zeros, gamma of 0, equal vectors, channels that change
places) at one or two places each. Code that is wrong there may be so for wide layers, in 16 bits, at one pixel, without
gamma, or after a hundred steps alone. So all these things are asked in a row at each of a few places, of which each has
as much as possible of what code asks before it takes a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import (
    SECOND_ORDER,
    Batch,
    Case,
    Freeze,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.between import EARLIER, EARLIER_TWICE
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, centred, evaluate, fill, normal, positive, single, train
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

FAMILY = Family(order=240, sweep=True)

MASK, OTHER_MASK = (MaskRecipe(seed=seed_of(role)) for role in ("mask", "other mask"))


@dataclass(frozen=True)
class Stop:
    """Where tours are made.

    Attributes:
        place: shape, layout and formats.
        config: settings of the layer.
        views: how x and dy lie in memory.
        offset: mean of x in deviations, about.
        before: training steps that are not judged, before the others.
        tours: which are made, beside that in training.
    """

    place: Place
    config: Mapping[str, Any] = field(default_factory=dict)
    views: tuple[str, str] = ("contiguous", "contiguous")
    offset: float = 0.5
    before: int = 0
    tours: tuple[str, ...] = ("inference", "state", "masked", "second")


STOPS: Mapping[str, Stop] = {
    "vectors": Stop(NHWC.resized(16, 2, 2, 64), {"eps": 2.0**-24}, ("offset", "offset"), offset=40.0),
    "odd": Stop(NCL.resized(33, 3, 33), {"momentum": 0.75}, ("strided", "negative"), offset=40.0),
    "long": Stop(NC.resized(4097, 2), {"gamma": False, "beta": False}, ("fortran", "fortran"), offset=4.0),
    "pixel": Stop(NCHW.resized(8, 128, 1, 1).of(F16_WIDE), {"beta": False}, offset=4.0),
    "image": Stop(NHCW.resized(1, 2, 512, 8), {"eps": 1.0}, ("fortran", "transposed")),
    "one-channel": Stop(NCDHW.resized(2, 1, 4, 8, 32), {"gamma": False, "beta": False}, offset=40.0),
    "sequence": Stop(NLC.resized(3, 16, 32).of(BF16)),
    "double": Stop(NHWC.resized(16, 8, 8, 4).of(F64), {"momentum": 2.0**-7}, ("fortran", "offset"), offset=1500.0),
    "old": Stop(NCHW, {"momentum": 0.5}, before=100),
    "wide": Stop(NDHWC.resized(2, 1, 2, 2, 256).of(BF16_WIDE), {"momentum": CUMULATIVE}),
    "half": Stop(NCL.resized(16, 24, 16).of(F16), {"eps": 2.0**-8}, ("offset", "strided")),
    "half-wide": Stop(NCHW.resized(3, 130, 2, 2).of(F16), {"momentum": 0.75}, ("strided", "strided")),
    "double-between": Stop(
        NHCW.resized(8, 1, 514, 1).of(F64), {"momentum": 0.1, "eps": 0.001}, ("fortran", "transposed"), offset=4.0
    ),
    "mixed-between": Stop(NHCW.resized(8, 33, 4, 4).of(F16_WIDE), {"gamma": False, "momentum": 0.75}),
    "first-image": Stop(NCHW.resized(8, 3, 8, 8).of(BF16), {"eps": 2.0**-24}, ("offset", "offset")),
    "sentence": Stop(
        NCL.resized(2, 3, 1040), {"beta": False, "momentum": CUMULATIVE}, ("fortran", "fortran"), offset=36.0
    ),
    "wide-image": Stop(NHWC.resized(2, 2, 40, 3), {"gamma": False, "beta": False, "momentum": CUMULATIVE, "eps": 1.0}),
    "longer": Stop(NC.resized(4099, 2), {"beta": False}, ("strided", "fortran"), offset=20.0),
    "square": Stop(NCHW.resized(3, 3, 3, 3), {"eps": 2.0**-24}, ("fortran", "offset")),
    "square-half": Stop(NHWC.resized(4, 4, 4, 4).of(BF16_WIDE), {"eps": 0.5}),
    "long-half": Stop(NC.resized(2051, 2).of(F16_WIDE), {"gamma": False, "beta": False}),
    "between": Stop(NHCW.resized(4, 5, 3, 16).of(BF16), {"gamma": False, "beta": False}, ("strided", "offset")),
    "row": Stop(NHCW.resized(4, 5, 3, 40), {"beta": False, "momentum": 0.0}, offset=40.0),
    "volume": Stop(NCDHW.resized(3, 4, 4, 8, 8), {"eps": 2.0**-24}, ("transposed", "fortran")),
    "repeated": Stop(NLC.resized(4, 8, 12), {"gamma": False, "momentum": 0.75}, ("broadcast", "broadcast"), before=10),
}
"""Each with much of what code asks before it takes a path: rank, layout, formats, sizes, memory, settings, age."""


def cases() -> Iterator[Case]:
    """Every tour."""
    for slug, stop in STOPS.items():
        yield from tours_at(FAMILY, slug, stop, ("training", *stop.tours))


def tours_at(family: Family, slug: str, stop: Stop, names: Iterable[str]) -> Iterator[Case]:
    """The tours of these names at a stop, as cases of a family; the slug tells the stop."""
    for name in names:
        tour = TOURS[name]
        variant = f"tour-{slug}" if name == "training" else f"tour-{slug}-{name}"
        makes = Steps(stop, MASK if name == "masked" else None)
        steps = (*makes.before(), *tour.steps(makes))
        yield family.case(stop.place, variant, tour.title, tour.clause, *steps, config=stop.config, **tour.more)


@dataclass(frozen=True)
class Steps:
    """Makes the steps of a tour at one stop."""

    stop: Stop
    mask: MaskRecipe | None = None

    @property
    def narrow(self) -> bool:
        """Whether the parameters are of 16 bits, so that neither they nor the statistics may be large."""
        return self.stop.place.formats in (F16, BF16)

    def before(self) -> Iterator[Batch]:
        """The steps before the others: five, again and again."""
        return islice(cycle(self.train(f"before {n}", dy=None, judge=False) for n in range(5)), self.stop.before)

    def train(self, x: DataRecipe | str, dy: DataRecipe | None = DY, **more: Any) -> Batch:
        """Train, on the usual data where only their role is given."""
        return train(self.stop.place, self._data(x), dy, **{**self._usual(dy), **more})

    def evaluate(self, x: DataRecipe | str = "look", dy: DataRecipe | None = None, **more: Any) -> Batch:
        """Infer, in the same way."""
        return evaluate(self.stop.place, self._data(x), dy, **{**self._usual(dy), **more})

    def _data(self, x: DataRecipe | str) -> DataRecipe:
        return normal(x, offset=self.stop.offset) if isinstance(x, str) else x

    def _usual(self, dy: DataRecipe | None) -> dict[str, Any]:
        view, dy_view = self.stop.views
        return {"view": view, "dy_view": dy_view if dy else None, "mask": self.mask}


def _training(make: Steps) -> Iterator[Step]:
    """Data, dy and parameters of every unusual kind."""
    small, large = (2.0**-10, 2.0**6) if make.stop.place.formats[0] == "float16" else (2.0**-50, 2.0**20)
    yield make.train("first")
    yield make.train(DataRecipe(kind="constant", offset=1.0, scale=0.5))
    yield make.train("second", fill(0.0))
    yield make.train("third", fill(1.0))
    yield make.train("fourth", normal("dy", scale=small))
    yield make.evaluate()
    yield SetParameters(gamma=single(0, 0.0), beta=single(0, 0.0))
    yield make.train("fifth")
    yield make.evaluate()
    alike = centred(seed_of("alike"), offset=-0.5)
    yield SetParameters(gamma=alike, beta=alike)
    yield make.train(normal("large", scale=large))
    yield make.train(normal("small", scale=small))
    yield make.train("sixth", fill(0.5))


def _inference(make: Steps) -> Iterator[Step]:
    """Statistics that are the parameters, constant x, dy of zeros and of one value, gamma of 0, a large variance."""
    shared = positive(seed_of("shared"))
    yield SetParameters(gamma=shared, beta=MEAN)
    yield SetStatistics(MEAN, shared)
    yield make.evaluate("look", DY)
    yield make.evaluate("other", fill(0.0))
    yield make.evaluate(DataRecipe(kind="constant", offset=1.0, scale=0.5), fill(1.0))
    yield SetParameters(gamma=single(0, 0.0), beta=single(0, 0.0))
    yield make.evaluate("look", DY)
    yield SetStatistics(MEAN, positive(seed_of("huge"), scale=2.0**8 if make.narrow else 2.0**40))
    yield make.evaluate("look", DY)


def _state(make: Steps) -> Iterator[Step]:
    """What is kept changes in one vector, one channel, and in nothing but the order; layers are loaded and frozen."""
    last = make.stop.place.channels - 1
    yield KNOWN
    yield make.evaluate()
    yield Reload(make.evaluate("also"))
    yield make.evaluate()
    yield SetParameters(gamma=single(0, 2.0), beta=single(0, 2.0))
    yield make.evaluate()
    yield SetParameters(gamma=single(last, 2.0), beta=single(last, 2.0))
    yield make.evaluate()
    yield SetParameters(gamma=single(last // 2, 4.0), beta=single(last, 2.0))
    yield make.evaluate()
    yield SetStatistics(single(0, 2.0), single(0, 2.0))
    yield make.evaluate()
    yield SetStatistics(single(0, 2.0), single(last, 2.0))
    yield make.evaluate()
    yield SetStatistics(single(last // 2, 4.0), single(last, 2.0))
    yield make.evaluate()
    yield make.train("first", between=(EARLIER,))
    yield make.train("second", interrupt=normal("interrupt"))
    yield Reload(make.train("also", dy=None))
    yield make.evaluate()
    yield make.train("third")
    yield Freeze()
    yield make.train("frozen")
    yield Reload()
    yield make.evaluate()
    yield make.train("fourth", dy=None)
    yield Freeze()
    yield make.train("fifth")
    yield make.evaluate()


def _masked(make: Steps) -> Iterator[Step]:
    """Masks, of other data each time, with a dy of one sign, two backwards, and masks in inference and when frozen."""
    yield make.train("first")
    yield make.train("second", fill(1.0), mask=OTHER_MASK)
    kind = "samples" if make.stop.place.shape[0] > 1 else "two"
    yield make.train("third", between=(EARLIER,), mask=MaskRecipe(kind=kind))
    yield make.evaluate("look", DY)
    yield replace(make.train("fourth"), mask=None)
    yield OTHER
    yield make.train("fifth", mask=OTHER_MASK)
    yield Freeze()
    yield make.train("frozen")
    yield make.train("frozen too")


def _second(make: Steps) -> Iterator[Step]:
    """The second order on usual and constant channels, twice, in inference, and before a first order."""
    yield make.train("first", second=ALL)
    yield make.train(DataRecipe(kind="constant", offset=1.0, scale=0.5), second=ALL)
    yield make.train("second", fill(0.0), second=ALL)
    yield make.train("third", second=ALL, between=(EARLIER_TWICE,))
    yield KNOWN
    yield make.evaluate("look", DY, second=ALL)


def _extremes(make: Steps) -> Iterator[Step]:
    """Numbers near the ends of the formats, parameters as they are built, other views in each step, and freezing."""
    half = make.stop.place.formats[0] == "float16"
    yield make.train("first", normal("dy", scale=2.0**-10 if half else 1e-30))
    yield make.train(normal("tiny", scale=2.0**-8 if half else 1e-12))
    yield SetParameters(gamma=centred(seed_of("alike"), offset=0.25), beta=fill(0.0))
    yield make.train("second")
    yield make.evaluate("look", DY)
    yield SetParameters(gamma=fill(1.0), beta=fill(1.0))
    yield replace(make.train("third"), dy_view="expanded")
    yield replace(make.train("fourth"), view="negative", dy_view="negative")
    yield replace(make.train("fifth"), view="channels-last", dy_view="channels-last")
    yield make.train(DataRecipe(kind="unlike", seed=seed_of("unlike"), special=0.0))
    yield make.evaluate("other", DY)
    yield Freeze()
    yield make.train("frozen")
    yield make.evaluate()


@dataclass(frozen=True)
class Tour:
    """A tour.

    Attributes:
        title: in words.
        clause: that it tests.
        steps: makes them at a stop.
        more: other fields of its cases.
    """

    title: str
    clause: str
    steps: Callable[[Steps], Iterator[Step]]
    more: Mapping[str, Any] = field(default_factory=dict)


TOURS: Mapping[str, Tour] = {
    "training": Tour("unusual data, dy and parameters in a row", "LAYOUT-4", _training, {"overwrites": True}),
    "inference": Tour(
        "unusual data, dy, parameters and statistics in inference", "EVAL-1", _inference, {"overwrites": True}
    ),
    "state": Tour("one vector, one channel or the order of channels changes; loaded, and frozen", "STATE-6", _state),
    "masked": Tour("masks in a row, of data with another mean each", "MASK-1", _masked),
    "second": Tour("second orders in a row", "SECOND-1", _second, {"judges": SECOND_ORDER}),
    "extremes": Tour("tiny numbers, plain parameters, a dead channel, other views and freezing", "GRAD-5", _extremes),
}
"""Every tour by name."""
