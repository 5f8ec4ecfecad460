"""JIT: a compiled or exported layer beside its original, where several results are right, or something changes.

What a layer reads while it is compiled must not stay in it, and what it was compiled from must not matter where the
definition leaves a choice. Shapes are those of EDGE and STATE.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case, SetParameters, SetStatistics
from bn_conformance.catalogue.build import DY, KNOWN, VARIANCE, centred, evaluate, normal, special, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import NC

FAMILY = Family("JIT", order=137, original=True)
case = FAMILY.case

OTHER = SetParameters(gamma=centred(71, offset=0.5), beta=centred(72, offset=1.0))


def cases() -> Iterator[Case]:
    """Every case of the family."""
    one, none = NC.resized(1, 5), NC.resized(0, 5)
    title, step = "one value a channel in training: both refuse it, or neither does", train(one, dy=DY)
    yield case(one, "one-value", title, "JIT-1", step, expects="numbers-or-refusal", finite_statistics=True)
    title, steps = "an empty batch in training: both refuse it, or neither does", (KNOWN, train(none))
    yield case(none, "empty-batch", title, "JIT-1", *steps, expects="numbers-or-refusal")
    title = "one NaN, with momentum 0: the statistics of both keep their values, or of neither"
    step, config = train(NC, special("x", float("nan"))), {"momentum": 0.0}
    yield case(NC, "nan-momentum-0", title, "JIT-2", step, config=config, nonfinite_alike=True)
    title = "after the first call parameters, statistics and the mode change, and the size of the batch"
    more = NC.resized(NC.shape[0] + 3, NC.channels)
    changed = OTHER, evaluate(NC, normal("second")), SetStatistics(centred(73), VARIANCE)
    later = evaluate(NC), train(more, normal("third"), DY), evaluate(more)
    yield case(NC, "changed", title, "JIT-2 STATE-6 STATE-5", train(NC, dy=DY), *changed, *later)
