"""What a person has to know of a conversion: what a file does not hold, what was filled in, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bn_conformance.convert.carrying import NEUTRAL, CarriedLayer
from bn_conformance.convert.content import Content
from bn_conformance.convert.layers import BETA, GAMMA, UPDATES
from bn_conformance.convert.naming import Naming
from bn_conformance.convert.pairing import BY_ORDER
from bn_conformance.diff.conversion import estimator_factor
from bn_conformance.diff.sides import Side
from bn_conformance.text import counted, number, one_line, percent

SHOWN = 3
"""Names of layers that a sentence lists."""


@dataclass(frozen=True)
class Facts:
    """What remarks are made of, beside the layers.

    Attributes:
        source: the content of the source.
        held: the content of the existing target; None for a fresh file.
        settings_written: whether the target's file says eps.
        assumed_eps: whether nobody said the eps of the source.
        chosen, found: how many layers of the source were carried, and how many there are.
        taken: how many arrays of the source belong to those that were carried.
    """

    source: Content
    held: Content | None
    settings_written: bool
    assumed_eps: bool
    chosen: int
    found: int
    taken: int


def side_of(naming: Naming) -> Side:
    """The convention of a framework, with its defaults."""
    implementation = naming.implementation()
    return Side(naming.title, implementation.convention, implementation.capabilities, implementation)


def remarks_of(layers: Sequence[CarriedLayer], source: Naming, target: Naming, facts: Facts) -> Iterator[str]:
    """The remarks, in the order in which they matter."""
    a, b = side_of(source), side_of(target)
    yield from _matching(layers)
    yield from _eps(layers, source, target, facts, b)
    yield _momentum(layers, source, target, a, b)
    yield from _values(layers)
    yield from _estimator(a, b)
    yield from _rest(layers, facts)


def _eps(layers: Sequence[CarriedLayer], source: Naming, target: Naming, facts: Facts, b: Side) -> Iterator[str]:
    used = sorted({layer.source.eps or 0.0 for layer in layers})
    listed = " and ".join(f"{eps:g}" for eps in used)
    if facts.assumed_eps:
        yield f"eps: the source does not say it; {listed} is assumed, {source.title}'s default. Give it with --eps."
    shifted = [layer for layer in layers if layer.source.eps != layer.eps]
    if shifted:
        target_eps = " and ".join(sorted({f"{layer.eps:g}" for layer in shifted}))
        yield (
            f"eps: the running variance of {_listed(shifted)} is shifted by the difference of eps, since the target "
            f"has {target.eps}={target_eps}; outputs stay the same."
        )
    elif facts.settings_written:
        yield f"eps: {target.eps}={listed} is written into the target."
    else:
        off, worst = max(((_change(layer, b.eps), layer) for layer in layers), key=lambda entry: entry[0])
        cost = (
            f"; its own default, {b.eps:g}, changes the distance of outputs from beta by {percent(off, 1.0)} "
            f"in the worst channel ({_listed([worst])})"
            if off
            else ", its own default"
        )
        yield f"eps: no such file holds it. Build the layers of {target.title} with {target.eps}={listed}{cost}."


def _change(layer: CarriedLayer, eps: float) -> float:
    """How much another eps in the target changes the normalised value, relatively, in the worst channel."""
    if not layer.sound or eps == layer.eps:
        return 0.0
    variance = layer.source.variance.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(np.abs(np.sqrt((variance + layer.eps) / (variance + eps)) - 1.0), initial=0.0))


def _momentum(layers: Sequence[CarriedLayer], source: Naming, target: Naming, a: Side, b: Side) -> str:
    known = sorted({layer.source.momentum for layer in layers if layer.source.momentum is not None})
    momenta = known or [a.momentum(a.weight)]
    weights = [own if a.convention.momentum_weighs == "new" else 1.0 - own for own in momenta]
    said, passed = (" and ".join(f"{side.momentum(weight):.6g}" for weight in weights) for side in (a, b))
    origin = f"{said} of {source.title}" if known else f"{source.title}'s default, {said},"
    return (
        f"momentum: {origin} is {target.momentum}={passed} in {target.title}, whose default is "
        f"{b.momentum(b.weight):.6g}. It matters when training goes on."
    )


def _matching(layers: Sequence[CarriedLayer]) -> Iterator[str]:
    ordered = [layer for layer in layers if layer.how == BY_ORDER]
    if ordered:
        yield (
            f"{counted(len(ordered), 'layer')} matched by order, since names differ, and only sizes were held against "
            "one another: look through the table, for two neighbours of one size may be swapped. Name partners with "
            "--rename OLD=NEW."
        )


def _values(layers: Sequence[CarriedLayer]) -> Iterator[str]:
    for role in (GAMMA, BETA):
        filled = [layer for layer in layers if role in layer.filled]
        if filled:
            yield f"{role}: {NEUTRAL[role]:g} where the source has none, which changes nothing ({_listed(filled)})."
    rounded = [layer for layer in layers if layer.rounding]
    if rounded:
        worst = max(rounded, key=lambda layer: layer.rounding)
        yield (
            f"formats: values of {counted(len(rounded), 'layer')} are rounded to the target's format, by up to "
            f"{number(worst.rounding)} relatively ({_listed([worst])})."
        )
    unsound = [layer for layer in layers if not layer.sound]
    if unsound:
        yield f"{_listed(unsound)}: NaN, infinite or negative values are carried as they are, and were not checked."


def _estimator(a: Side, b: Side) -> Iterator[str]:
    if factor := estimator_factor(a.convention, b.convention):
        yield (
            f"running variance: carried as it is, so that inference is the same. {a.name} averages "
            f"{a.convention.running_variance} variances and {b.name} {b.convention.running_variance} ones: when "
            f"training goes on, those of {b.name} are {factor} times as large, where n is the number of values per "
            f"channel in a batch ({', '.join(_at(n, b) for n in (32, 1024))})."
        )


def _at(n: int, target: Side) -> str:
    """How much larger or smaller a variance of n values is with the target's estimator."""
    off = 1.0 / n if target.convention.running_variance == "biased" else 1.0 / (n - 1)
    return f"{percent(off, 1.0)} at n = {n}"


def _rest(layers: Sequence[CarriedLayer], facts: Facts) -> Iterator[str]:
    counters = [layer for layer in layers if layer.source.updates is not None and UPDATES not in layer.arrays]
    if counters:
        most = max(layer.source.updates or 0 for layer in counters)
        yield f"num_batches_tracked: not carried (up to {most:,}); it matters only with momentum=None, a plain average."
    if facts.chosen < facts.found:
        yield f"{facts.found - facts.chosen} of {facts.found} layers of the source were not asked for."
    if facts.held is None:
        others = len(facts.source.vectors) + len(facts.source.others) - facts.taken
        yield f"other arrays: {others:,} of the source are not carried; the new file holds batch normalisation alone."
    else:
        yield "other arrays: those of the existing file stay as they are; none of the source's is carried."


def _listed(layers: Sequence[CarriedLayer]) -> str:
    names = ", ".join(one_line(layer.source.name, 80) for layer in layers[:SHOWN])
    return names + (f" and {len(layers) - SHOWN} more" if len(layers) > SHOWN else "")
