"""Odd calls in a row: one layer is asked for odd masks, batches and changes, which other families try one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, nan

from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import (
    GRADIENTS,
    OUTPUTS,
    SECOND_ORDER,
    STATISTICS,
    Batch,
    Freeze,
    Reload,
    Step,
)
from bn_conformance.cases.recipes import seed_of
from bn_conformance.catalogue.build import (
    DY,
    KNOWN,
    fields,
    positive,
    special,
)
from bn_conformance.catalogue.mask import ALL, NONE, RANDOM, SHAPES
from bn_conformance.catalogue.mask import OTHER as OTHER_MASK
from bn_conformance.catalogue.odd_data import REFUSABLE, USUAL
from bn_conformance.catalogue.second import ALL as ALL_WEIGHTS
from bn_conformance.catalogue.state import MOVED, OTHER
from bn_conformance.catalogue.tour import Steps, Tour

SAMPLES = MaskRecipe(kind="samples")


def _sized(make: Steps, step: Batch, batch: int | None = None, space: int | None = None) -> Batch:
    """The step with another size of the batch, or of every axis of space (0 for the last alone, the others stay)."""
    axes = [axis for axis in range(1, len(step.shape)) if axis != make.stop.place.axis]
    sizes = list(step.shape)
    if batch is not None:
        sizes[0] = batch
    if space is not None:
        for axis in axes if space else axes[-1:]:
            sizes[axis] = space
    return replace(step, shape=tuple(sizes))


def _masks(make: Steps) -> Iterator[Step]:
    """Masks of every shape, of values that are large where none counts, in training and in inference."""
    for role, (_, mask) in SHAPES.items():
        if role != "prefixes" or (make.stop.place.rank > 2 and make.stop.place.shape[0] > 1):
            yield make.train(role, mask=mask)
    yield make.train("all", mask=ALL)
    yield make.train("hidden", mask=MaskRecipe(seed=RANDOM.seed, hidden=100.0))
    yield _sized(make, make.train("longer", mask=RANDOM), batch=make.stop.place.shape[0] + 2)
    yield make.train("positive", positive(seed_of("dy")), mask=RANDOM)
    yield make.evaluate("look", DY, mask=NONE)
    yield OTHER
    yield make.train("random", mask=RANDOM)
    yield make.train("unmasked")
    yield Freeze()
    yield make.train("frozen", mask=RANDOM)


def _hidden(make: Steps) -> Iterator[Step]:
    """NaN, infinities and large values at positions that do not count."""
    large = 6e4 if make.stop.place.formats[0] == "float16" else 1e30
    for value in (large, inf, nan):
        yield make.train(f"{value}", dy=None, mask=MaskRecipe(seed=RANDOM.seed, hidden=value))
        yield make.evaluate()


def _counted(make: Steps) -> Iterator[Step]:
    """NaN at a position that counts by some of the masks, and by one of all positions; MASK-6 speaks of hidden NaN."""
    for mask in (SAMPLES, RANDOM, OTHER_MASK, ALL):
        yield make.train(special("counted", nan), dy=None, mask=replace(mask, hidden=0.5))
        yield make.evaluate()
        yield KNOWN


def _one_counts(make: Steps) -> Iterator[Step]:
    yield make.train("first", dy=None, mask=MaskRecipe(kind="one"), judge=False)
    yield make.evaluate()


def _none_counts(make: Steps) -> Iterator[Step]:
    yield KNOWN
    yield make.train("first", dy=None, mask=NONE, judge=False)
    yield make.evaluate()


def _frozen(make: Steps) -> Iterator[Step]:
    """Gradients of a frozen layer, vectors that are set in it, and the layer that loads its state."""
    yield make.train("first")
    yield Freeze()
    yield make.train("frozen")
    yield MOVED
    yield make.train("moved")
    yield OTHER
    yield make.train("other")
    yield make.evaluate("look", DY)
    yield Reload()
    yield make.train("thawed")
    yield make.evaluate()


def _frozen_between(make: Steps) -> Iterator[Step]:
    yield make.train("first", between=(Freeze(),))
    yield make.train("frozen")


def _changed(make: Steps) -> Iterator[Step]:
    """Parameters, statistics and the state change between a forward and its backward."""
    yield make.train("first", between=(OTHER,))
    yield KNOWN
    yield make.evaluate("look", DY, between=(MOVED,))
    yield make.train("second", between=(USUAL, Reload()))


def _masked_change(make: Steps) -> Iterator[Step]:
    yield make.train("first", between=(OTHER,), mask=RANDOM)


def _second_change(make: Steps) -> Iterator[Step]:
    yield make.train("first", second=ALL_WEIGHTS, between=(OTHER,))


def _other_rank(make: Steps) -> Iterator[Step]:
    """A batch with an axis more or less between batches of the layer's rank, on a layer whose channels are first."""
    entries, channels, *space = make.stop.place.shape
    shape = (entries, channels, *space[:-1]) if len(space) == 3 else (entries, channels, *space, 3)
    yield make.train("first")
    yield replace(make.train("other rank"), shape=shape)
    yield make.evaluate("look", DY)
    yield make.train("next")


def _empty(make: Steps) -> Iterator[Step]:
    """A batch of nothing in inference and in training, between usual ones."""
    yield make.train("first")
    yield _sized(make, make.evaluate(), batch=0)
    yield make.evaluate()
    yield _sized(make, make.train("empty", dy=None), batch=0)
    yield make.train("second")
    yield make.evaluate()


def _weights(make: Steps) -> Iterator[Step]:
    """Steps that move statistics, before and after a load into a layer that has trained."""
    yield make.train("first")
    yield make.train("second")
    yield make.evaluate()
    yield Reload(make.train("also", dy=None))
    yield make.evaluate()
    yield make.train("third")
    yield make.evaluate()


def _no_pixels(make: Steps) -> Iterator[Step]:
    yield KNOWN
    yield _sized(make, make.train("empty", dy=None), space=0)
    yield make.evaluate()


def _one_value(make: Steps) -> Iterator[Step]:
    yield _sized(make, make.train("first"), batch=1, space=1)


def _one_entry(make: Steps) -> Iterator[Step]:
    """One entry between batches of several."""
    yield make.train("first")
    yield _sized(make, make.train("second"), batch=1)
    yield KNOWN
    yield _sized(make, make.evaluate("look", DY), batch=1)
    yield _sized(make, make.evaluate("look", DY), batch=1, space=1)
    yield make.train("third")


ODD_CALLS: Mapping[str, Tour] = {
    "masks": Tour("masks of every shape in a row", "MASK-1", _masks),
    "hidden": Tour(
        "values that do not count and are not finite",
        "MASK-6",
        _hidden,
        fields(judges=OUTPUTS | STATISTICS, nonfinite_alike=True),
    ),
    "counted": Tour(
        "NaN at positions that count", "EDGE-4", _counted, fields(judges=OUTPUTS | STATISTICS, nonfinite_alike=True)
    ),
    "one-counts": Tour(
        "a mask that counts one position, then inference",
        "EDGE-1",
        _one_counts,
        fields(judges=OUTPUTS | STATISTICS, finite_statistics=True, **REFUSABLE),
    ),
    "none-counts": Tour(
        "a mask that counts nothing, then inference",
        "MASK-5",
        _none_counts,
        fields(judges=OUTPUTS | STATISTICS, **REFUSABLE),
    ),
    "frozen": Tour("gradients of a frozen layer, whose vectors are set, and of one that loads it", "STATE-3", _frozen),
    "frozen-between": Tour(
        "a layer is frozen between a forward and its backward",
        "STATE-8",
        _frozen_between,
        fields(judges=OUTPUTS | GRADIENTS, **REFUSABLE),
    ),
    "changed": Tour(
        "what a forward used changes before its backward",
        "STATE-8",
        _changed,
        fields(judges=OUTPUTS | GRADIENTS, **REFUSABLE),
    ),
    "masked-change": Tour(
        "parameters are set between a masked forward and its backward", "STATE-8", _masked_change, REFUSABLE
    ),
    "second-change": Tour(
        "parameters are set between a forward and its second order",
        "STATE-8",
        _second_change,
        fields(judges=SECOND_ORDER, **REFUSABLE),
    ),
    "other-rank": Tour("a batch of another rank between usual ones", "STATE-7", _other_rank, REFUSABLE),
    "empty": Tour("an empty batch between usual ones", "EDGE-2", _empty, REFUSABLE),
    "weights": Tour("steps that move statistics, before and after a load", "STAT-1", _weights),
    "no-pixels": Tour("entries without pixels, then usual ones in inference", "EDGE-2", _no_pixels, REFUSABLE),
    "one-value": Tour(
        "one value a channel in training", "EDGE-1", _one_value, fields(finite_statistics=True, **REFUSABLE)
    ),
    "one-entry": Tour("one entry of the batch between batches of several", "EDGE-1", _one_entry),
}
"""Every tour of odd calls by name."""
