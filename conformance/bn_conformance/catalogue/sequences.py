"""STATE and others: freezing, saving and odd batches within sequences, where each alone is tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import ALL_QUANTITIES, GRADIENTS, OUTPUTS, STATISTICS, Case, Freeze, Reload
from bn_conformance.catalogue.build import DY, KNOWN, centred, evaluate, fields, normal, special, train
from bn_conformance.catalogue.dtype import FINE
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, F16_WIDE, F64, FEW, FEW_AND_F64, IMAGES, NC, Place
from bn_conformance.catalogue.state import MOVED, OTHER

FAMILY = Family(order=160, judges=OUTPUTS | STATISTICS)
case = FAMILY.case


def cases() -> Iterator[Case]:
    """Every case of a sequence."""
    for place in FEW:
        yield from _frozen(place)
        title = "NaN in the running statistics of a channel stays there in the next step"
        steps = train(place, special("x", nan)), train(place, normal("next")), evaluate(place)
        yield case(place, "nan-stays", title, "EDGE-4", *steps, nonfinite_alike=True)
        for momentum in (0.0, 1.0):
            title, config = f"gradients with weight {momentum:g} of the new statistic", {"momentum": momentum}
            step, judges = train(place, dy=DY), OUTPUTS | GRADIENTS
            yield case(place, f"momentum-{momentum:g}", title, "GRAD-1", step, config=config, judges=judges)
    for place in FEW_AND_F64:
        title = "the caller writes over y of a layer without gamma and beta before its backward"
        more = fields(judges=ALL_QUANTITIES, overwrites=True, sweep=place.formats == F64)
        step, last, none = train(place, dy=DY), train(place, normal("next"), DY), {"gamma": False, "beta": False}
        yield case(place, "overwritten-no-affine", title, "PURE-7", step, last, config=none, **more)
    for place in (image.of(formats) for formats in (F16_WIDE, BF16_WIDE) for image in IMAGES):
        yield saved_wide(place)
    title, empty = "an empty batch is no step of a cumulative average", train(NC.resized(0, 5), judge=False)
    more = fields(config={"momentum": CUMULATIVE}, expects="numbers-or-refusal")
    after = train(NC, normal("next")), evaluate(NC)
    yield case(NC, "empty-batch-cumulative", title, "EDGE-2", train(NC), empty, *after, **more)


def saved_wide(place: Place) -> Case:
    """Parameters that the format of x does not hold, saved and loaded, at one place with wider parameters."""
    title = "parameters whose last digits fit only the wider format are saved and loaded"
    look, more = evaluate(place, centred(33)), fields(parameters=FINE, judges=OUTPUTS, tight=True)
    return case(place, "save-wide-parameters", title, "STATE-2 DTYPE-5", KNOWN, look, Reload(), look, **more)


def _frozen(place: Place) -> Iterator[Case]:
    first, frozen, thawed = train(place), train(place, normal("frozen")), train(place, normal("thawed"))
    title = "the layer that loads the state of a frozen one trains"
    steps = first, Freeze(), frozen, Reload(), thawed, evaluate(place)
    yield case(place, "load-frozen-and-train", title, "STATE-3", *steps)
    title = "statistics and parameters of a frozen layer are set"
    after = MOVED, train(place, dy=DY), OTHER, train(place, normal("next"), DY), evaluate(place)
    yield case(place, "freeze-then-set", title, "STATE-6 STATE-3", first, Freeze(), *after, judges=ALL_QUANTITIES)
