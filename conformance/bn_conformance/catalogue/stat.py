"""STAT: running statistics. Only they are judged, and where debiasing is looked at what inference makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import OUTPUTS, STATISTICS, Case, Quantities, Reload, SetStatistics, Step
from bn_conformance.catalogue.build import (
    F32,
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
    train,
)

MOMENTA = (0.25, 0.5, 0.1, 0.01, 0.001)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats):
            steps = (train(layout, normal("x", offset=0.5)),)
            yield _case(
                layout,
                formats,
                "first-step",
                "statistics before and after one step",
                ("STAT-2", "STAT-1", "STAT-3"),
                steps,
            )
    for formats in WIDE:
        for layout in (NC, *IMAGES) if formats == F32 else (NCHW,):
            yield from _momenta(layout, formats)
            yield from _sequences(layout, formats)
            yield from _from_the_start(layout, formats)


def _batches(layout: Layout, count: int) -> tuple[Step, ...]:
    return tuple(
        train(layout, normal(f"batch {index}", offset=0.5 * index, scale=1.0 + 0.5 * index)) for index in range(count)
    )


def _momenta(layout: Layout, formats: Formats) -> Iterator[Case]:
    for momentum in MOMENTA:
        title = f"two steps with weight {momentum:g} of the new statistic, from set statistics"
        steps = (SetStatistics(MEAN, VARIANCE), *_batches(layout, 2))
        yield _case(
            layout, formats, f"momentum-{momentum:g}", title, ("STAT-1", "STAT-2"), steps,
            {"momentum": momentum}, {"momentum": momentum},
        )  # fmt: skip
    for momentum in (0.0, 1.0):
        title = f"three steps with weight {momentum:g} of the new statistic"
        yield _case(
            layout, formats, f"momentum-{momentum:g}", title, ("STAT-7",), _batches(layout, 3),
            {"momentum": momentum}, {"momentum": momentum},
        )  # fmt: skip
    title = "two steps with the implementation's own momentum"
    yield _case(layout, formats, "momentum-default", title, ("STAT-6",), _batches(layout, 2), {"momentum": None})
    title = "four steps of a cumulative average"
    yield _case(layout, formats, "cumulative", title, ("STAT-8",), _batches(layout, 4), {"momentum": "cumulative"})


def _sequences(layout: Layout, formats: Formats) -> Iterator[Case]:
    steps: tuple[Step, ...] = (train(layout), evaluate(layout), evaluate(layout, normal("other x")))
    yield _case(layout, formats, "still-in-inference", "statistics do not move in inference", ("STAT-5",), steps)
    steps = tuple(train(layout, normal(f"moves {index}"), normal("dy")) for index in range(3))
    title = "statistics move once a step, in its forward or when the convention says"
    yield _case(layout, formats, "moves-once", title, ("STAT-4",), steps)
    for shift in (10.0, 1000.0):
        steps = (train(layout, normal("x", offset=shift)),)
        title = f"one step on data of mean {shift:g}"
        yield _case(layout, formats, f"offset-{shift:g}", title, ("STAT-2", "NUM-1"), steps, axes={"offset": shift})


def _from_the_start(layout: Layout, formats: Formats) -> Iterator[Case]:
    """Sequences in which it shows what weight the initial values and the first batches have."""
    judges = STATISTICS | OUTPUTS
    clauses = ("STAT-9", "STAT-1", "STAT-2")
    look = evaluate(layout, normal("looked at"))
    for momentum in (0.25, 0.01):
        for count in (1, 2, 5):
            title = f"{count} step{'s' * (count > 1)} from the start with weight {momentum:g}, and inference after them"
            yield _case(
                layout, formats, f"start-{momentum:g}-{count}", title, clauses, (*_batches(layout, count), look),
                {"momentum": momentum}, {"momentum": momentum}, judges=judges,
            )  # fmt: skip
    steps: tuple[Step, ...] = tuple(
        step for batch in _batches(layout, 3) for step in (batch, look, evaluate(layout, normal("once more")))
    )
    title = "inference between the first steps changes no weight"
    yield _case(layout, formats, "start-looked-at", title, clauses, steps, judges=judges)
    also = train(layout, normal("also", offset=-2.0, scale=3.0))
    for slug, between in (("saved", Reload()), ("loaded-into-trained", Reload(also))):
        title = "how many steps an average is over is saved and loaded with it"
        steps = (*_batches(layout, 2), between, look, *_batches(layout, 2), look)
        yield _case(layout, formats, f"start-{slug}", title, (*clauses, "STATE-2"), steps, judges=judges)
    title = "statistics that are set before the first step"
    steps = (SetStatistics(MEAN, VARIANCE), look, *_batches(layout, 2), look)
    yield _case(layout, formats, "start-set", title, clauses, steps, judges=judges)
    title = "statistics that are set after two steps go on from there"
    steps = (*_batches(layout, 2), SetStatistics(MEAN, VARIANCE), look, *_batches(layout, 2), look)
    yield _case(layout, formats, "start-set-later", title, clauses, steps, judges=judges)
    title = "a cumulative average has nothing to remove"
    steps = (*_batches(layout, 3), look)
    yield _case(
        layout, formats, "start-cumulative", title, ("STAT-9", "STAT-8"), steps, {"momentum": CUMULATIVE},
        judges=judges,
    )  # fmt: skip


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    config: dict[str, Any] | None = None,
    axes: dict[str, Any] | None = None,
    judges: Quantities = STATISTICS,
) -> Case:
    return make("STAT", layout, formats, variant, title, clauses, steps, config, axes, judges=judges)
