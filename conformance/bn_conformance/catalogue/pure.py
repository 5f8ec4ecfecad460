"""PURE: equal runs give equal bits, layers leave each other and what they were given alone, with any number of threads.

That inputs stay as they are, and arrays that were handed out, is checked in every other case too.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case, Reload, SetParameters, SetStatistics, Step
from bn_conformance.catalogue.build import (
    DY,
    F32,
    FORMATS,
    IMAGES,
    MEAN,
    NC,
    NCHW,
    NHWC,
    PARAMETERS,
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

SEVERAL_BLOCKS = (
    resized(NC, (1025, 3), "nc-1025x3"),
    resized(NCHW, (8, 7, 33, 33), "nchw-8x7x33x33"),
    resized(NHWC, (8, 33, 33, 7), "nhwc-8x33x33x7"),
)
"""Sizes that a kernel splits into blocks for its threads; 2 and 3 divide neither their n nor their channels."""

ROUNDS = 6
"""How often two layers meet: a scratch buffer that they share is seen in the first rounds."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats):
            steps: tuple[Step, ...] = (train(layout, dy=DY), evaluate(layout, normal("other"), DY))
            title = "the same sequence twice on fresh layers gives the same bits"
            yield make("PURE", layout, formats, "same-bits", title, ("PURE-2", "PURE-1"), steps, repeat=True)
            if formats == F32:
                steps = (train(layout, dy=DY, view="fortran"), train(layout, normal("next"), DY, view="strided"))
                title = "inputs are not modified, whatever their memory"
                yield make("PURE", layout, formats, "inputs", title, ("PURE-1",), steps)
        for layout in places(formats, (NC, *IMAGES)):
            yield from _interrupted(layout, formats)
    for layout in (NC, *IMAGES):
        steps = (train(layout, dy=DY), train(layout, normal("next"), DY), evaluate(layout), evaluate(layout))
        title = "what went in and came out stays as it is through later steps"
        yield make("PURE", layout, F32, "later", title, ("PURE-4",), steps)
        yield _overwritten(layout)
        steps = (train(layout, dy=DY, interrupt=normal("other", offset=3.0)),)
        title = "two layers train at the same time in two threads"
        yield make("PURE", layout, F32, "concurrent", title, ("PURE-6",), steps, concurrent=ROUNDS)
    for threads in (2, 3):
        yield _threads(NCHW, threads)
    for threads in (1, 2, 3):
        for layout in SEVERAL_BLOCKS:
            yield _threads(layout, threads, sweep=True)


def _interrupted(layout: Layout, formats: Formats) -> Iterator[Case]:
    steps: tuple[Step, ...] = (train(layout, dy=DY, interrupt=normal("other", offset=3.0, scale=4.0)),)
    title = "another layer trains between the forward and the backward"
    yield make("PURE", layout, formats, "interrupted", title, ("PURE-3", "PURE-4"), steps)
    if formats not in WIDE:
        return
    other = [normal(f"other {index}", offset=1.0 - index, scale=2.0) for index in range(4)]
    steps = (
        train(layout, normal("first"), DY, interrupt=other[0]),
        train(layout, normal("second", offset=1.0), DY, interrupt=other[1]),
        evaluate(layout, normal("third"), interrupt=other[2]),
        train(layout, normal("fourth"), DY, interrupt=other[3]),
        evaluate(layout, normal("third")),
    )
    title = "two layers in turn, step by step"
    yield make("PURE", layout, formats, "interleaved", title, ("PURE-3", "PURE-4"), steps)
    steps = (SetStatistics(MEAN, VARIANCE), evaluate(layout, dy=DY, interrupt=other[0]))
    title = "another layer trains between the forward and the backward of inference"
    yield make("PURE", layout, formats, "interrupted-inference", title, ("PURE-3",), steps)


def _overwritten(layout: Layout) -> Case:
    steps: tuple[Step, ...] = (
        SetStatistics(MEAN, VARIANCE),
        evaluate(layout, dy=DY),
        train(layout, normal("next"), DY),
        Reload(),
        evaluate(layout, dy=DY),
        SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma),
        train(layout, normal("other"), DY),
    )
    title = "the caller writes over its arrays as soon as they are its own again"
    return make("PURE", layout, F32, "overwritten", title, ("PURE-7",), steps, overwrites=True)


def _threads(layout: Layout, threads: int, sweep: bool = False) -> Case:
    steps = (train(layout, dy=DY), evaluate(layout, normal("other"), DY))
    title = f"computed with {threads} thread{'s' * (threads > 1)}, twice"
    return make(
        "PURE", layout, F32, f"threads-{threads}", title, ("PURE-5",), steps,
        axes={"threads": threads}, repeat=True, threads=threads, sweep=sweep,
    )  # fmt: skip
