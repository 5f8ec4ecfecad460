"""STAT: running statistics. Only they are judged, and where debiasing is looked at what inference makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import OUTPUTS, STATISTICS, Case, Reload
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, normal, train, train_often
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import EVERYWHERE, FEW_AND_F64, Place

FAMILY = Family("STAT", order=20, judges=STATISTICS)
case = FAMILY.case

MOMENTA = (0.25, 0.5, 0.1, 0.01, 0.001)


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in EVERYWHERE:
        title = "statistics before and after one step"
        yield case(place, "first-step", title, "STAT-2 STAT-1 STAT-3", train(place))
    for place in FEW_AND_F64:
        yield from _momenta(place)
        yield from _sequences(place)
        yield from _from_the_start(place)


def _momenta(place: Place) -> Iterator[Case]:
    two, three, four = (train_often(place, count) for count in (2, 3, 4))
    for momentum in MOMENTA:
        title = f"two steps with weight {momentum:g} of the new statistic, from set statistics"
        weight = {"momentum": momentum}
        yield case(place, f"momentum-{momentum:g}", title, "STAT-1 STAT-2", KNOWN, *two, config=weight, axes=weight)
    for momentum in (0.0, 1.0):
        title, weight = f"three steps with weight {momentum:g} of the new statistic", {"momentum": momentum}
        yield case(place, f"momentum-{momentum:g}", title, "STAT-7", *three, config=weight, axes=weight)
    title = "two steps with the implementation's own momentum"
    yield case(place, "momentum-default", title, "STAT-6", *two, config={"momentum": None})
    title = "four steps of a cumulative average"
    yield case(place, "cumulative", title, "STAT-8", *four, config={"momentum": CUMULATIVE})


def _sequences(place: Place) -> Iterator[Case]:
    steps = train(place), evaluate(place), evaluate(place, normal("other x"))
    yield case(place, "still-in-inference", "statistics do not move in inference", "STAT-5", *steps)
    moves = (train(place, normal(f"moves {index}"), DY) for index in range(3))
    title = "statistics move once a step, in its forward or when the convention says"
    yield case(place, "moves-once", title, "STAT-4", *moves)
    for mean in (10.0, 1000.0):
        title, step = f"one step on data of mean {mean:g}", train(place, normal("x", offset=mean))
        yield case(place, f"offset-{mean:g}", title, "STAT-2 NUM-1", step, axes={"offset": mean})


def _from_the_start(place: Place) -> Iterator[Case]:
    """Sequences in which it shows what weight the initial values and the first batches have."""
    judges = STATISTICS | OUTPUTS
    clauses = "STAT-9 STAT-1 STAT-2"
    look, once_more = evaluate(place, normal("looked at")), evaluate(place, normal("once more"))
    two, three = train_often(place, 2), train_often(place, 3)
    for momentum in (0.25, 0.01):
        for count in (1, 2, 5):
            title = f"{count} step{'s' * (count > 1)} from the start with weight {momentum:g}, and inference after them"
            variant, steps, weight = f"start-{momentum:g}-{count}", train_often(place, count), {"momentum": momentum}
            yield case(place, variant, title, clauses, *steps, look, config=weight, axes=weight, judges=judges)
    looked_at = [step for batch in three for step in (batch, look, once_more)]
    title = "inference between the first steps changes no weight"
    yield case(place, "start-looked-at", title, clauses, *looked_at, judges=judges)
    also = train(place, normal("also", offset=-2.0, scale=3.0))
    for slug, reload in (("saved", Reload()), ("loaded-into-trained", Reload(also))):
        title, more = "how many steps an average is over is saved and loaded with it", f"{clauses} STATE-2"
        yield case(place, f"start-{slug}", title, more, *two, reload, look, *two, look, judges=judges)
    title = "statistics that are set before the first step"
    yield case(place, "start-set", title, clauses, KNOWN, look, *two, look, judges=judges)
    title = "statistics that are set after two steps go on from there"
    yield case(place, "start-set-later", title, clauses, *two, KNOWN, look, *two, look, judges=judges)
    title, config = "a cumulative average has nothing to remove", {"momentum": CUMULATIVE}
    yield case(place, "start-cumulative", title, "STAT-9 STAT-8", *three, look, config=config, judges=judges)
