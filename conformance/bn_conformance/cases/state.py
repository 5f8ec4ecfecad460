"""STATE: sequences of training and inference, save and load, freezing, and the textbook's experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.case import OUTPUTS, STATISTICS, Case, Freeze, Parameters, Reload, SetStatistics, Step
from bn_conformance.cases.build import (
    DY,
    F32,
    F64,
    FORMATS,
    IMAGES,
    MEAN,
    NC,
    NCHW,
    VARIANCE,
    Formats,
    Layout,
    evaluate,
    make,
    normal,
    places,
    resized,
    train,
)
from bn_conformance.recipes import Recipe

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
    for layout in (NC, *IMAGES):
        for count in (2, 10):
            title = f"inference after {count} training steps"
            steps = (*_train(layout, count), evaluate(layout))
            yield _case(layout, F32, f"after-{count}", title, steps, "STATE-1")
        title = "inference after two training steps with the implementation's own settings"
        steps = (*_train(layout, 2), evaluate(layout))
        config = {"eps": None, "momentum": None}
        yield _case(layout, F32, "defaults", title, steps, "STATE-1", config, parameters=None)
        steps = (SetStatistics(MEAN, VARIANCE), train(layout, normal("x", offset=2.0)), evaluate(layout))
        yield _case(layout, F32, "from-set-statistics", "training from set statistics", steps, "STATE-1")
    for layout, formats in ((NC, F32), (NCHW, F64)):
        steps = (*_train(layout, 100, judge=False), evaluate(layout))
        yield _case(layout, formats, "after-100", "inference after 100 training steps", steps, "STATE-1")
    yield _sizes()
    yield _textbook()


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


def _sizes() -> Case:
    layouts = [resized(NC, (count, 5)) for count in (8, 3, 2, 17)]
    steps = (*(train(layout, normal(layout.slug), DY) for layout in layouts), evaluate(NC))
    return _case(NC, F32, "changing-batches", "batches of different sizes", steps, "STATE-5", sweep=True)


def _textbook() -> Case:
    steps = (
        *(train(TEXTBOOK, Recipe(kind="network", seed=100 + index), judge=False) for index in range(50)),
        evaluate(TEXTBOOK, Recipe(kind="network", seed=999)),
    )
    ones = Parameters(gamma=Recipe(kind="fill", offset=1.0), beta=Recipe(kind="fill", offset=0.0))
    title = "a two-layer ReLU network: 50 training batches, then test-time outputs of mean near 0 and deviation near 1"
    config = {"momentum": 0.125, "eps": 1e-5}
    return _case(TEXTBOOK, F32, "two-layer-network", title, steps, "STATE-4", config, parameters=ones, band=True)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    steps: tuple[Step, ...],
    clause: str,
    config: dict[str, Any] | None = None,
    **more: Any,
) -> Case:
    return make("STATE", layout, formats, variant, title, (clause,), steps, config, judges=JUDGED, **more)
