"""PURE: equal runs give equal bits, layers leave each other and what they were given alone, with any number of threads.

That inputs stay as they are, and arrays that were handed out, is checked in every other case too.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import OUTPUTS, Case, Reload, SetParameters
from bn_conformance.catalogue.build import DY, KNOWN, PARAMETERS, evaluate, fields, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F32, FEW, FORMAT_PAIRS, NC, NCHW, NHWC, WIDE, Place, in_formats

FAMILY = Family("PURE", order=170)
case = FAMILY.case

SEVERAL_BLOCKS = (NC.resized(1025, 3), NCHW.resized(8, 7, 33, 33), NHWC.resized(8, 33, 33, 7))
"""Sizes that a kernel splits into blocks for its threads; 2 and 3 divide neither their n nor their channels."""

ROUNDS = 6
"""How often two layers meet: a scratch buffer that they share shows in the first rounds."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMAT_PAIRS:
        for place in in_formats(formats):
            title = "the same sequence twice on fresh layers gives the same bits"
            steps = train(place, dy=DY), evaluate(place, normal("other"), DY)
            yield case(place, "same-bits", title, "PURE-2 PURE-1", *steps, repeat=True)
            if formats == F32:
                odd = train(place, dy=DY, view="fortran"), train(place, normal("next"), DY, view="strided")
                yield case(place, "inputs", "inputs are not modified, whatever their memory", "PURE-1", *odd)
        for place in in_formats(formats, FEW):
            yield from _interrupted(place)
    for place in FEW:
        title, look = "what went in and came out stays as it is through later steps", evaluate(place)
        yield case(place, "later", title, "PURE-4", train(place, dy=DY), train(place, normal("next"), DY), look, look)
        yield _overwritten(place)
        yield _nothing_but_numbers(place)
        title, step = (
            "two layers train at the same time in two threads",
            train(place, dy=DY, interrupt=normal("other", offset=3.0)),
        )
        yield case(place, "concurrent", title, "PURE-6", step, concurrent=ROUNDS)
        look = evaluate(place, interrupt=normal("other", offset=3.0))
        for variant, what, shared in (
            ("two-infer", "two layers infer", None),
            ("one-infers-twice", "one layer infers", True),
        ):
            more = fields(concurrent=ROUNDS, shared=shared, judges=OUTPUTS)
            yield case(
                place, f"concurrent-{variant}", f"{what} in two threads at the same time", "PURE-6", look, **more
            )
    for threads in (2, 3):
        yield _threads(NCHW, threads)
    for threads in (1, 2, 3):
        for place in SEVERAL_BLOCKS:
            yield _threads(place, threads, sweep=True)


def _interrupted(place: Place) -> Iterator[Case]:
    title = "another layer trains between the forward and the backward"
    step = train(place, dy=DY, interrupt=normal("other", offset=3.0, scale=4.0))
    yield case(place, "interrupted", title, "PURE-3 PURE-4", step)
    if place.formats not in WIDE:
        return
    other = [normal(f"other {index}", offset=1.0 - index, scale=2.0) for index in range(4)]
    steps = (
        train(place, normal("first"), DY, interrupt=other[0]),
        train(place, normal("second", offset=1.0), DY, interrupt=other[1]),
        evaluate(place, normal("third"), interrupt=other[2]),
        train(place, normal("fourth"), DY, interrupt=other[3]),
        evaluate(place, normal("third")),
    )
    yield case(place, "interleaved", "two layers in turn, step by step", "PURE-3 PURE-4", *steps)
    title, step = f"{title} of inference", evaluate(place, dy=DY, interrupt=other[0])
    yield case(place, "interrupted-inference", title, "PURE-3", KNOWN, step)


def _overwritten(place: Place) -> Case:
    title = "the caller writes over its arrays as soon as they are its own again"
    steps = (
        KNOWN,
        evaluate(place, dy=DY),
        train(place, normal("next"), DY),
        Reload(),
        evaluate(place, dy=DY),
        SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma),
        train(place, normal("other"), DY),
    )
    return case(place, "overwritten", title, "PURE-7", *steps, overwrites=True)


def _nothing_but_numbers(place: Place) -> Case:
    title, look = "gradients of a step do not go into the steps before it, whose own were taken", evaluate(place, dy=DY)
    steps = train(place, dy=DY), train(place, normal("next"), DY), look, Reload(), look
    return case(place, "nothing-but-numbers", title, "PURE-8", *steps)


def _threads(place: Place, threads: int, sweep: bool = False) -> Case:
    title, variant = f"computed with {threads} thread{'s' * (threads > 1)}, twice", f"threads-{threads}"
    steps, axes = (train(place, dy=DY), evaluate(place, normal("other"), DY)), {"threads": threads}
    return case(place, variant, title, "PURE-5", *steps, axes=axes, repeat=True, threads=threads, sweep=sweep)
