"""STATE and others: what happens between a forward and its backward, and between calls, changes neither.

A backward behind a change of what its forward used may be refused (STATE-8): autodiff that keeps tensors by reference
sees that they were written to. Whatever is answered must belong to the forward.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import (
    GRADIENTS,
    OUTPUTS,
    SECOND_ORDER,
    Between,
    Case,
    EarlierBackward,
    Freeze,
    ParameterRecipes,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.catalogue.build import DY, KNOWN, PARAMETERS, VARIANCE, evaluate, fields, normal, single, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F32, F64, FEW_AND_F64, Place
from bn_conformance.catalogue.second import ALL
from bn_conformance.catalogue.state import MOVED, OTHER

FAMILY = Family("STATE", order=150)
case = FAMILY.case

EARLIER = EarlierBackward(dy=normal("earlier dy"))
EARLIER_TWICE = EarlierBackward(dy=normal("earlier dy"), second=ALL)

CHANGES: dict[str, tuple[str, tuple[Between, ...]]] = {
    "set-parameters": ("parameters are set", (OTHER,)),
    "set-statistics": ("running statistics are set", (MOVED,)),
    "load": ("parameters are set, and the state is saved and loaded again,", (OTHER, Reload())),
}


def cases() -> Iterator[Case]:
    """Every case between the calls of a layer."""
    for place in FEW_AND_F64:
        yield from _changed(place)
        if place.formats == F32:
            yield from _backward_again(place)
            yield from _after_second_order(place)
            yield from _one_by_one(place)


def _changed(place: Place) -> Iterator[Case]:
    for slug, (what, between) in CHANGES.items():
        variant, title = f"backward-after-{slug}", f"{what} between a forward and its backward"
        more = fields(expects="numbers-or-refusal", sweep=place.formats == F64)
        yield case(place, variant, title, "STATE-8", train(place, dy=DY, between=between), **more)
        steps = KNOWN, evaluate(place, dy=DY, between=between)
        yield case(place, f"{variant}-inference", title, "STATE-8", *steps, **more)


def _backward_again(place: Place) -> Iterator[Case]:
    title = "a layer is frozen between a forward and its backward, which belongs to the forward"
    steps = train(place, dy=DY, between=(Freeze(),)), train(place, normal("frozen"), DY)
    judged = fields(judges=OUTPUTS | GRADIENTS, expects="numbers-or-refusal")
    yield case(place, "backward-after-freeze", title, "STATE-8 GRAD-1", *steps, **judged)
    title = "two backwards of one forward: statistics move once, and the second is no other than a first"
    twice, after = train(place, dy=DY, between=(EARLIER,)), train(place, normal("next"), DY)
    yield case(place, "backward-twice", title, "STAT-4 GRAD-1", twice, after, evaluate(place))
    title, twice = "two backwards of one forward in inference", evaluate(place, dy=DY, between=(EARLIER,))
    yield case(place, "backward-twice-inference", title, "GRAD-4", KNOWN, twice)


def _after_second_order(place: Place) -> Iterator[Case]:
    title, step = "a backward after one with a second order, of the same forward", (EARLIER_TWICE,)
    yield case(place, "backward-after-second-order", title, "GRAD-1 GRAD-2", train(place, dy=DY, between=step))
    title, twice = "two second orders of one forward", train(place, dy=DY, second=ALL, between=(EARLIER_TWICE,))
    yield case(place, "second-order-twice", title, "SECOND-1", twice, judges=SECOND_ORDER)
    title, changed = "parameters are set between a forward and its second order", (OTHER,)
    variant, after = "second-order-after-set-parameters", train(place, dy=DY, second=ALL, between=changed)
    judged = fields(judges=SECOND_ORDER, expects="numbers-or-refusal")
    yield case(place, variant, title, "STATE-8 SECOND-1", after, **judged)


def _one_by_one(place: Place) -> Iterator[Case]:
    """Of gamma, beta and the statistics only one changes between two inferences, or only its middle channel."""
    title = "beta, gamma, the running mean and the running variance change one at a time between inferences"
    one_at_a_time = (
        SetParameters(gamma=PARAMETERS.gamma, beta=OTHER.beta),
        SetParameters(gamma=OTHER.gamma, beta=OTHER.beta),
        SetStatistics(MOVED.mean, VARIANCE),
        SetStatistics(MOVED.mean, MOVED.variance),
    )
    steps = _inferences(place, KNOWN, *one_at_a_time)
    yield case(place, "change-one", title, "STATE-6", *steps, parameters=PARAMETERS, judges=OUTPUTS)
    last = place.channels - 1
    places, middle = (
        "channels of one vector at a time change places",
        "a middle channel of one vector at a time changes",
    )
    for variant, title, old, new in (
        ("change-order", f"{places} between inferences, so that sums stay", single(0, 2.0), single(last, 2.0)),
        ("change-middle", f"{middle} between inferences", single(1, 2.0), single(1, 4.0)),
    ):
        parameters = (SetParameters(gamma=old, beta=new), SetParameters(gamma=new, beta=new))
        statistics = (SetStatistics(old, old), SetStatistics(new, old), SetStatistics(new, new))
        steps = _inferences(place, statistics[0], *parameters, *statistics[1:])
        own = ParameterRecipes(gamma=old, beta=old)
        yield case(place, variant, title, "STATE-6", *steps, parameters=own, judges=OUTPUTS)


def _inferences(place: Place, *changes: SetParameters | SetStatistics) -> list[Step]:
    """Inference after each of the changes."""
    return [step for change in changes for step in (change, evaluate(place))]
