"""STATE: sequences of training and inference, save and load, freezing, and the textbook's experiment."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import (
    ALL_QUANTITIES,
    OUTPUTS,
    STATISTICS,
    Batch,
    Case,
    Freeze,
    ParameterRecipes,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.build import DY, KNOWN, centred, evaluate, fields, fill, normal, positive, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F64, FEW, FORMAT_PAIRS, NC, NCDHW, NCHW, NCL, WIDE, Place, in_formats

FAMILY = Family("STATE", order=140, judges=OUTPUTS | STATISTICS)
case = FAMILY.case

OTHER = SetParameters(gamma=positive(71, offset=1.0), beta=centred(72))
"""Parameters that are none of those a case begins with."""
MOVED = SetStatistics(centred(73, offset=-1.0), positive(74, scale=4.0))
"""Running statistics that are not `KNOWN`."""

TEXTBOOK = Place("nc-256x8", (256, 8), 1)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in (place for formats in FORMAT_PAIRS for place in in_formats(formats, FEW)):
        once, twice, later = _train(place, 1), _train(place, 2), _train(place, 2, "later")
        look = evaluate(place)
        yield case(place, "untrained", "inference before any training", "STATE-1", look)
        yield case(place, "alternating", "training and inference in turn", "STATE-1", *_in_turn(place))
        title = "saved and loaded between training steps"
        yield case(place, "save-and-load", title, "STATE-2", *twice, Reload(), look, *later, look)
        title, frozen = "frozen after a training step", _train(place, 2, "frozen")
        yield case(place, "freeze", title, "STATE-3", *once, Freeze(), *frozen, look)
        yield from _set_between(place)
    for place in FEW:
        yield from _trained(place)
        yield from _saved(place)
        for variant, momentum in (("0", 0.0), ("1", 1.0), ("cumulative", CUMULATIVE)):
            steps = *_train(place, 3), evaluate(place), *_train(place, 2, "later"), evaluate(place)
            title, config = f"training and inference with momentum {variant}", {"momentum": momentum}
            yield case(place, f"momentum-{variant}", title, "STATE-1", *steps, config=config)
    for place in (NC, NCHW.of(F64)):
        title, many = "inference after 100 training steps", _train(place, 100, judge=False)
        yield case(place, "after-100", title, "STATE-1", *many, evaluate(place))
    sizes = [NC.resized(count, 5) for count in (8, 3, 2, 17)]
    steps = *(train(size, normal(size.slug), DY) for size in sizes), evaluate(NC)
    yield case(NC, "changing-batches", "batches of different sizes", "STATE-5", *steps, sweep=True)
    for ranks in ((NC, NCL.resized(4, 5, 6)), (NCHW, NCDHW)):
        first, other = ranks
        step = Batch(training=True, shape=other.shape, x=normal("other rank"), dy=DY)
        title = f"a batch of rank {other.rank} between batches of rank {first.rank}, on one layer"
        more = fields(judges=ALL_QUANTITIES, expects="numbers-or-refusal", sweep=True)
        steps = train(first, dy=DY), step, evaluate(first), train(first, normal("next"), DY)
        yield case(first, "changing-ranks", title, "STATE-7", *steps, **more)
    yield from _drifting()
    yield _textbook("two-layer-network")
    yield _textbook("two-layer-network-backward", DY, sweep=True)


def _train(place: Place, count: int, role: str = "batch", judge: bool = True) -> tuple[Batch, ...]:
    return tuple(
        train(place, normal(f"{role} {index}", 0.25 * (index % 7), 1.0 + 0.125 * (index % 5)), judge=judge)
        for index in range(count)
    )


def _in_turn(place: Place) -> tuple[Batch, ...]:
    return (
        train(place, normal("first")),
        evaluate(place, normal("second")),
        train(place, normal("third", offset=1.0), DY),
        evaluate(place, normal("fourth")),
        evaluate(place, normal("second")),
    )


def _set_between(place: Place) -> Iterator[Case]:
    """Parameters and statistics that change between the calls: nothing derived from older ones may be used."""
    wide = place.formats in WIDE
    for suffix, dy in (("", None), ("-gradient", DY)) if wide else (("", None),):
        look, one, later = evaluate(place, dy=dy), _train(place, 1), _train(place, 1, "later")
        for variant, title, steps in (
            ("set-parameters", "parameters are set between two inferences", (KNOWN, look, OTHER, look)),
            ("set-statistics", "running statistics are set between two inferences", (KNOWN, look, MOVED, look)),
            ("train-evaluate", "training and inference in turn, inference on the same x", (*one, look, *later, look)),
        ):
            yield case(place, f"{variant}{suffix}", title, "STATE-6", *steps, judges=ALL_QUANTITIES)
    if wide:
        title = "parameters are set between two training steps"
        first, last = train(place, dy=DY), train(place, normal("next"), DY)
        yield case(place, "set-parameters-training", title, "STATE-6", first, OTHER, last, judges=ALL_QUANTITIES)


def _trained(place: Place) -> Iterator[Case]:
    look = evaluate(place)
    for count in (1, 2, 10):
        title = f"inference after {count} training step{'s' * (count > 1)}"
        yield case(place, f"after-{count}", title, "STATE-1", *_train(place, count), look)
    title, own = (
        "inference after two training steps with the implementation's own settings",
        {"eps": None, "momentum": None},
    )
    steps = *_train(place, 2), look
    yield case(place, "defaults", title, "STATE-1", *steps, config=own, parameters=None)
    title, step = "training from set statistics", train(place, normal("x", offset=2.0))
    yield case(place, "from-set-statistics", title, "STATE-1", KNOWN, step, look)


def _saved(place: Place) -> Iterator[Case]:
    also, used = train(place, normal("also", offset=-2.0, scale=3.0)), evaluate(place, normal("also"))
    look = evaluate(place)
    later = (look, *_train(place, 2, "later"), look)
    title = "loaded into a layer that has trained already, while the saved one trains on"
    yield case(place, "load-into-trained", title, "STATE-2", *_train(place, 2), Reload(also), *later)
    title = "loaded into a layer that was in use already"
    yield case(place, "load-into-used", title, "STATE-2", KNOWN, look, Reload(used), look)
    title = "the number of steps that a cumulative average is over is saved and loaded"
    config = {"momentum": CUMULATIVE}
    for variant, reload in (("save-cumulative", Reload()), ("load-cumulative-into-trained", Reload(also))):
        yield case(place, variant, title, "STATE-2", *_train(place, 3), reload, *later, config=config)
    title = "a frozen layer is saved, loaded, and frozen again"
    before, frozen, after = _train(place, 1), _train(place, 1, "frozen"), _train(place, 1, "later")
    steps: list[Step] = [*before, Freeze(), *frozen, Reload(), look, Freeze(), *after, look]
    yield case(place, "save-frozen", title, "STATE-2", *steps)


def _drifting() -> Iterator[Case]:
    """300 steps whose mean goes from 0 to 30 and whose scale from 1 to 3, as activations do while a network learns."""
    steps = [train(NC, normal(f"drift {n}", offset=n / 10, scale=1.0 + n / 150), judge=False) for n in range(300)]
    last = evaluate(NC, normal("drift", offset=30.0, scale=3.0))
    title = "inference after 300 training steps on data that drift"
    for variant, momentum in (("drift", 0.25), ("drift-cumulative", CUMULATIVE)):
        yield case(NC, variant, title, "STATE-1", *steps, last, config={"momentum": momentum})


def _textbook(variant: str, dy: DataRecipe | None = None, sweep: bool = False) -> Case:
    """The network; with a dy for the implementations whose statistics move in backward, and for all that can do it."""
    data = [DataRecipe(kind="network", seed=100 + index) for index in range(50)]
    steps = (
        *(train(TEXTBOOK, x, dy, judge=False) for x in data),
        evaluate(TEXTBOOK, DataRecipe(kind="network", seed=999)),
    )
    title = "a two-layer ReLU network: 50 training batches, then test-time outputs of mean near 0 and deviation near 1"
    config, ones = {"momentum": 0.125, "eps": 1e-5}, ParameterRecipes(gamma=fill(1.0), beta=fill(0.0))
    return case(TEXTBOOK, variant, title, "STATE-4", *steps, config=config, parameters=ones, band=True, sweep=sweep)
