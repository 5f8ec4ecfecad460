"""STATE: sequences of training and inference, save and load, freezing, and the textbook's experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import (
    EVERYTHING,
    OUTPUTS,
    STATISTICS,
    Case,
    Freeze,
    Parameters,
    Quantities,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    DY,
    F32,
    F64,
    FORMATS,
    IMAGES,
    MEAN,
    NC,
    NCHW,
    VARIANCE,
    WIDE,
    Formats,
    Layout,
    evaluate,
    make,
    normal,
    places,
    resized,
    train,
)

JUDGED = OUTPUTS | STATISTICS
TEXTBOOK = Layout("nc-256x8", (256, 8), 1)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats, (NC, *IMAGES)):
            yield _case(layout, formats, "untrained", "inference before any training", (evaluate(layout),), "STATE-1")
            yield _alternating(layout, formats)
            steps = (*_train(layout, 2), Reload(), evaluate(layout), *_train(layout, 2, "later"), evaluate(layout))
            yield _case(layout, formats, "save-and-load", "saved and loaded between training steps", steps, "STATE-2")
            steps = (*_train(layout, 1), Freeze(), *_train(layout, 2, "frozen"), evaluate(layout))
            yield _case(layout, formats, "freeze", "frozen after a training step", steps, "STATE-3")
            yield from _set_between(layout, formats)
    for layout in (NC, *IMAGES):
        for count in (1, 2, 10):
            title = f"inference after {count} training step{'s' * (count > 1)}"
            steps = (*_train(layout, count), evaluate(layout))
            yield _case(layout, F32, f"after-{count}", title, steps, "STATE-1")
        title = "inference after two training steps with the implementation's own settings"
        steps = (*_train(layout, 2), evaluate(layout))
        config = {"eps": None, "momentum": None}
        yield _case(layout, F32, "defaults", title, steps, "STATE-1", config, parameters=None)
        steps = (SetStatistics(MEAN, VARIANCE), train(layout, normal("x", offset=2.0)), evaluate(layout))
        yield _case(layout, F32, "from-set-statistics", "training from set statistics", steps, "STATE-1")
        yield from _saved(layout)
        for slug, momentum in (("0", 0.0), ("1", 1.0), ("cumulative", CUMULATIVE)):
            steps = (*_train(layout, 3), evaluate(layout), *_train(layout, 2, "later"), evaluate(layout))
            title = f"training and inference with momentum {slug}"
            yield _case(layout, F32, f"momentum-{slug}", title, steps, "STATE-1", {"momentum": momentum})
    for layout, formats in ((NC, F32), (NCHW, F64)):
        steps = (*_train(layout, 100, judge=False), evaluate(layout))
        yield _case(layout, formats, "after-100", "inference after 100 training steps", steps, "STATE-1")
    yield _sizes()
    yield from _drifting()
    yield _textbook()
    yield _textbook(DY)


def _train(layout: Layout, count: int, role: str = "batch", **more: Any) -> tuple[Step, ...]:
    return tuple(
        train(layout, normal(f"{role} {index}", offset=0.25 * (index % 7), scale=1.0 + 0.125 * (index % 5)), **more)
        for index in range(count)
    )


def _alternating(layout: Layout, formats: Formats) -> Case:
    steps = (
        train(layout, normal("first")),
        evaluate(layout, normal("second")),
        train(layout, normal("third", offset=1.0), DY),
        evaluate(layout, normal("fourth")),
        evaluate(layout, normal("second")),
    )
    return _case(layout, formats, "alternating", "training and inference in turn", steps, "STATE-1")


def _set_between(layout: Layout, formats: Formats) -> Iterator[Case]:
    """Parameters and statistics that change between the calls: nothing derived from older ones may be used."""
    other = SetParameters(gamma=Recipe(kind="positive", seed=71, offset=1.0), beta=Recipe(kind="centred", seed=72))
    moved = SetStatistics(Recipe(kind="centred", seed=73, offset=-1.0), Recipe(kind="positive", seed=74, scale=4.0))
    known = SetStatistics(MEAN, VARIANCE)
    for slug, dy in (("", None), ("-gradient", DY)) if formats in WIDE else (("", None),):
        steps: tuple[Step, ...] = (known, evaluate(layout, dy=dy), other, evaluate(layout, dy=dy))
        title = "parameters are set between two inferences"
        yield _case(layout, formats, f"set-parameters{slug}", title, steps, "STATE-6", judges=EVERYTHING)
        steps = (known, evaluate(layout, dy=dy), moved, evaluate(layout, dy=dy))
        title = "running statistics are set between two inferences"
        yield _case(layout, formats, f"set-statistics{slug}", title, steps, "STATE-6", judges=EVERYTHING)
        steps = (*_train(layout, 1), evaluate(layout, dy=dy), *_train(layout, 1, "later"), evaluate(layout, dy=dy))
        title = "training and inference in turn, inference on the same x"
        yield _case(layout, formats, f"train-evaluate{slug}", title, steps, "STATE-6", judges=EVERYTHING)
    if formats not in WIDE:
        return
    steps = (train(layout, dy=DY), other, train(layout, normal("next"), DY))
    title = "parameters are set between two training steps"
    yield _case(layout, formats, "set-parameters-training", title, steps, "STATE-6", judges=EVERYTHING)


def _saved(layout: Layout) -> Iterator[Case]:
    also = train(layout, normal("also", offset=-2.0, scale=3.0))
    later = (evaluate(layout), *_train(layout, 2, "later"), evaluate(layout))
    steps: tuple[Step, ...] = (*_train(layout, 2), Reload(also), *later)
    title = "loaded into a layer that has trained already, while the saved one trains on"
    yield _case(layout, F32, "load-into-trained", title, steps, "STATE-2")
    used = evaluate(layout, normal("also"))
    steps = (SetStatistics(MEAN, VARIANCE), evaluate(layout), Reload(used), evaluate(layout))
    title = "loaded into a layer that was in use already"
    yield _case(layout, F32, "load-into-used", title, steps, "STATE-2")
    cumulative = {"momentum": CUMULATIVE}
    for slug, between in (("save-cumulative", Reload()), ("load-cumulative-into-trained", Reload(also))):
        title = "the number of steps that a cumulative average is over is saved and loaded"
        yield _case(layout, F32, slug, title, (*_train(layout, 3), between, *later), "STATE-2", cumulative)
    steps = (*_train(layout, 1), Freeze(), *_train(layout, 1, "frozen"), Reload(), evaluate(layout))
    title = "a frozen layer is saved, loaded, and frozen again"
    steps = (*steps, Freeze(), *_train(layout, 1, "later"), evaluate(layout))
    yield _case(layout, F32, "save-frozen", title, steps, "STATE-2")


def _drifting() -> Iterator[Case]:
    """300 steps whose mean goes from 0 to 30 and whose scale from 1 to 3, as activations do while a network learns."""
    steps = [
        train(NC, normal(f"drift {index}", offset=index / 10, scale=1.0 + index / 150), judge=False)
        for index in range(300)
    ]
    for slug, momentum in (("", 0.25), ("-cumulative", CUMULATIVE)):
        title = "inference after 300 training steps on data that drift"
        yield _case(
            NC, F32, f"drift{slug}", title, (*steps, evaluate(NC, normal("drift", offset=30.0, scale=3.0))),
            "STATE-1", {"momentum": momentum},
        )  # fmt: skip


def _sizes() -> Case:
    layouts = [resized(NC, (count, 5)) for count in (8, 3, 2, 17)]
    steps = (*(train(layout, normal(layout.slug), DY) for layout in layouts), evaluate(NC))
    return _case(NC, F32, "changing-batches", "batches of different sizes", steps, "STATE-5", sweep=True)


def _textbook(dy: Recipe | None = None) -> Case:
    """The network; with a dy for the implementations whose statistics move in backward, and for all that can do it."""
    steps = (
        *(train(TEXTBOOK, Recipe(kind="network", seed=100 + index), dy, judge=False) for index in range(50)),
        evaluate(TEXTBOOK, Recipe(kind="network", seed=999)),
    )
    ones = Parameters(gamma=Recipe(kind="fill", offset=1.0), beta=Recipe(kind="fill", offset=0.0))
    title = "a two-layer ReLU network: 50 training batches, then test-time outputs of mean near 0 and deviation near 1"
    config = {"momentum": 0.125, "eps": 1e-5}
    slug = "two-layer-network" + "-backward" * (dy is not None)
    return _case(TEXTBOOK, F32, slug, title, steps, "STATE-4", config, parameters=ones, band=True, sweep=dy is not None)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    steps: tuple[Step, ...],
    clause: str,
    config: dict[str, Any] | None = None,
    judges: Quantities = JUDGED,
    **more: Any,
) -> Case:
    return make("STATE", layout, formats, variant, title, (clause,), steps, config, judges=judges, **more)
