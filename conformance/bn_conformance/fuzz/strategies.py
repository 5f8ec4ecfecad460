"""Hypothesis strategies: layers, data and sequences of steps within what an implementation declares.

What is drawn first is the simplest, since that is what Hypothesis shrinks to. Shapes are small: goldens are in
binary128, and what is wrong at all is wrong with few values. A drawn case has the clauses and expectations that the
families of the matrix give to cases like it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import inf, nan, prod
from typing import Any

from hypothesis import strategies as st

from bn_conformance.adapter import CUMULATIVE, Capabilities, LayerConfig
from bn_conformance.cases.masks import Mask
from bn_conformance.cases.model import (
    EVERYTHING,
    SECOND_ORDER,
    Batch,
    Case,
    Freeze,
    Parameters,
    Reload,
    Second,
    SetParameters,
    SetStatistics,
    Step,
    batches_of,
)
from bn_conformance.cases.recipes import Recipe
from bn_conformance.cases.views import VIEWS
from bn_conformance.catalogue.document import named
from bn_conformance.fuzz.tagging import clauses_of, is_special

Draw = Any
"""What Hypothesis hands to a composite strategy."""

DTYPES = ("float32", "float64", "float16", "bfloat16")
EPS = (2.0**-10, 1e-5, 1e-3, 0.25, 4.0, 1e-7, None)
MOMENTA = (0.25, 0.1, 0.5, 0.01, 0.9, 0.0, 1.0, None)
OFFSETS = (0.0, 0.5, -3.0, 10.0, 100.0, -1e3, 1e4, 1e6)
SCALES = (1.0, 0.25, 1e-3, 30.0, 1e3)
CONSTANTS = (0.0, 1.0, -3.0, 0.1, 1e4 / 3.0)
SPECIALS = (nan, inf, -inf)
MOST_BATCHES = 4

FEW_SHAPES = {
    (rank, first): (4, 3, *sizes) if first else (4, *sizes, 3)
    for rank, sizes in {2: (), 3: (5,), 4: (2, 3), 5: (2, 1, 3)}.items()
    for first in (True, False)
}
"""By rank and whether the channels are first: implementations that compile for each shape would do nothing else."""


@dataclass(frozen=True)
class Space:
    """What is drawn from: the capabilities, as ordered choices.

    Raises:
        ValueError: they leave nothing to draw.
    """

    can: Capabilities

    @property
    def formats(self) -> list[tuple[str, str]]:
        """Formats of x and of the parameters."""
        same = [(name, name) for name in DTYPES if name in self.can.dtypes]
        return same + sorted(pair for pair in self.can.mixed if pair[0] in DTYPES and pair[1] in DTYPES)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Ranks with an axis of the channels."""
        found = [
            (rank, axis)
            for rank in sorted(self.can.ranks)
            for axis in ((1, rank - 1) if self.can.compiles else range(1, rank))
            if rank == 2 or {1: "first", rank - 1: "last"}.get(axis, "between") in self.can.layouts
        ]
        if not found or not self.formats:
            raise ValueError("its capabilities declare no rank, layout or format; there is nothing to draw")
        return found

    @property
    def affine(self) -> list[tuple[bool, bool]]:
        """Which of gamma and beta a layer has."""
        names = {"both": (True, True), "none": (False, False), "gamma": (True, False), "beta": (False, True)}
        return [pair for name, pair in names.items() if name in self.can.affine]


number = cache(st.integers)
"""Integers from one number to another; strategies are kept, since making one takes longer than drawing from it."""


@cache
def choice(options: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of some options, the first being the simplest."""
    return st.sampled_from(options)


class Source:
    """What a case is drawn from. One seed is drawn, and the seeds of all its recipes are made from that."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self._seed: int = 64 * draw(number(0, 2**16))

    def pick(self, *options: Any) -> Any:
        """One of some options; shrinks to the first."""
        return self.draw(choice(options))

    def number(self, low: int, high: int) -> int:
        """An integer; shrinks to the lowest."""
        return int(self.draw(number(low, high)))

    def one_in(self, count: int) -> bool:
        """True about once in so many draws; shrinks to False."""
        return self.number(0, count - 1) == count - 1

    def seed(self) -> int:
        """A seed of its own for a recipe."""
        self._seed += 1
        return self._seed


def cases(can: Capabilities, without: frozenset[str] = frozenset()) -> st.SearchStrategy[Case]:
    """Cases within the capabilities that test none of some clauses.

    Raises:
        ValueError: the capabilities leave nothing to draw.
    """
    _ = Space(can).places
    drawn = _cases(can)
    return drawn.filter(lambda case: without.isdisjoint(case.clauses)) if without else drawn


@st.composite
def _cases(draw: Draw, can: Capabilities) -> Case:
    """A case within the capabilities."""
    space, source = Space(can), Source(draw)
    dtype, parameter_dtype = source.pick(*space.formats)
    rank, axis = source.pick(*space.places)
    shape = FEW_SHAPES[rank, axis == 1] if can.compiles else _shape(source, rank, axis)
    gamma, beta = source.pick(*space.affine)
    momenta = (*MOMENTA, CUMULATIVE) if can.cumulative else MOMENTA
    config = LayerConfig(
        num_channels=shape[axis],
        rank=rank,
        channel_axis=axis,
        dtype=dtype,
        parameter_dtype=parameter_dtype,
        eps=source.pick(*EPS),
        momentum=source.pick(*momenta),
        gamma=gamma,
        beta=beta,
    )
    parameters = None if source.one_in(4) else _parameters(source)
    count = prod(shape) // max(shape[axis], 1)
    steps = _Steps(source, can, config, shape).edge() if count < 2 else _Steps(source, can, config, shape).sequence()
    # x is the caller's own again when the backward is over, and the second order comes after that.
    twice = any(batch.second is not None for batch in batches_of(steps))
    overwrites = source.one_in(12) and not twice
    return finished(config, steps, parameters, repeat=source.one_in(12), overwrites=overwrites)


def finished(
    config: LayerConfig,
    steps: tuple[Step, ...],
    parameters: Parameters | None,
    repeat: bool = False,
    overwrites: bool = False,
) -> Case:
    """The case with its clauses, expectations and id."""
    batches = batches_of(steps)
    fewest = min(prod(batch.shape) // max(config.num_channels, 1) for batch in batches)
    clauses = clauses_of(config, steps, repeat, overwrites)
    case = Case(
        id="",
        family=clauses[0].partition("-")[0],
        title="a drawn configuration",
        clauses=clauses,
        config=config,
        steps=steps,
        parameters=parameters,
        judges=EVERYTHING | SECOND_ORDER,
        expects="numbers-or-refusal" if fewest < 2 else "numbers",
        finite_statistics=fewest == 1,
        nonfinite_alike=is_special(steps),
        repeat=repeat,
        overwrites=overwrites,
    )
    return named(case)


def _shape(source: Source, rank: int, axis: int) -> tuple[int, ...]:
    """Small sizes, odd ones too; rarely one value a channel, or none."""
    kind = source.number(0, 39)
    sizes = []
    for place in range(rank):
        if place == axis:
            sizes.append(source.number(1, 5))
        elif kind == 39:
            sizes.append(1)
        elif place == 0:
            sizes.append(0 if kind == 38 else source.number(2 if rank == 2 else 1, 9 if rank == 2 else 3))
        else:
            sizes.append(source.number(1, 5 if rank == 3 else 3))
    return tuple(sizes)


def _parameters(source: Source) -> Parameters:
    view = "strided" if source.one_in(12) else "contiguous"
    return Parameters(gamma=_vector(source), beta=_vector(source), view=view)


def _vector(source: Source) -> Recipe:
    kind = source.pick("centred", "fill", "integers", "constant")
    offset = source.pick(0.25, 0.0, 1.0, -2.0, 100.0)
    return Recipe(kind=kind, seed=source.seed() if kind in ("centred", "integers") else 0, offset=offset)


def _statistics(source: Source) -> SetStatistics:
    mean = Recipe(kind="centred", seed=source.seed(), offset=source.pick(0.25, 0.0, -3.0, 100.0))
    scale = source.pick(1.0, 1e-3, 100.0)
    return SetStatistics(mean, Recipe(kind="positive", seed=source.seed(), scale=scale))


def data(source: Source, dtype: str, gradient: bool = False) -> Recipe:
    """The recipe of x, or of dy, whose numbers the format can hold."""
    usual = source.one_in(2)
    kind = "normal" if not usual else source.pick(*(_DY_KINDS if gradient else _X_KINDS))
    if kind == "special":
        return Recipe(kind=kind, seed=source.seed(), channel=source.number(0, 4), special=source.pick(*SPECIALS))
    if kind == "fill":
        return Recipe(kind=kind, offset=source.pick(*CONSTANTS))
    if kind == "signed-zeros":
        return Recipe(kind=kind)
    narrow = dtype == "float16"
    offsets, scales = OFFSETS[: 5 if narrow or gradient else len(OFFSETS)], SCALES[: 3 if narrow else len(SCALES)]
    offset, scale = source.pick(*offsets), source.pick(*scales)
    if kind == "mixed-scales":
        if narrow:  # its variance would overflow running statistics of 16 bits, and what follows means nothing
            return Recipe(kind="centred", seed=source.seed())
        offset, scale = 0.0, 1.0
    return Recipe(kind=kind, seed=source.seed(), offset=offset, scale=scale)


_X_KINDS = (
    "integers", "centred", "constant", "fill", "plus-minus", "plus-minus-fan", "outlier", "mixed-scales", "alike",
    "signed-zeros", "special",
)  # fmt: skip
_DY_KINDS = ("integers", "centred", "outlier", "constant", "fill", "special")


@st.composite
def _part(draw: Draw, steps: _Steps, before: tuple[Step, ...]) -> list[Step]:
    """A part of a sequence as a draw of its own, which Hypothesis can leave out as a whole."""
    steps.source.draw = draw
    return steps.part(before)


@dataclass
class _Steps:
    """Draws the steps of one case."""

    source: Source
    can: Capabilities
    config: LayerConfig
    shape: tuple[int, ...]

    def edge(self) -> tuple[Step, ...]:
        """One value a channel, or none: a training step, or one of inference, as in the matrix."""
        x = Recipe(seed=self.source.seed())
        if self.can.set_statistics and self.source.one_in(2):
            return _statistics(self.source), Batch(training=False, shape=self.shape, x=x)
        one = prod(self.shape) > 0
        dy = Recipe(seed=self.source.seed()) if one and "training" in self.can.gradients else None
        return (Batch(training=True, shape=self.shape, x=x, dy=dy),)

    def sequence(self) -> tuple[Step, ...]:
        """One to a few steps; the last has data."""
        steps: list[Step] = []
        batches = 0
        while batches < MOST_BATCHES:
            steps += self.source.draw(_part(self, tuple(steps)))
            batches += 1
            if not self.source.one_in(5):
                break
        return tuple(steps)

    def part(self, before: tuple[Step, ...]) -> list[Step]:
        """A batch, perhaps with a step before it; `before` are the steps so far."""
        between = self._between(before) if self.source.one_in(3) else []
        return [*between, self._batch()]

    def _between(self, before: tuple[Step, ...]) -> list[Step]:
        kinds = [
            *(["statistics"] if self.can.set_statistics else []),
            "parameters",
            *(["reload"] if self.can.state and before else []),
            *(["freeze"] if self.can.freeze else []),
        ]
        kind = self.source.pick(*kinds)
        if kind == "statistics":
            return [_statistics(self.source)]
        if kind == "parameters":
            return [SetParameters(gamma=_vector(self.source), beta=_vector(self.source))]
        return [Reload()] if kind == "reload" else [Freeze()]

    def _batch(self) -> Batch:
        source, config = self.source, self.config
        training = not source.one_in(3)
        mode = "training" if training else "inference"
        batch = Batch(training=training, shape=self._size(), x=data(source, config.dtype))
        if mode in self.can.gradients and not source.one_in(3):
            batch = replace(batch, dy=data(source, config.dtype, gradient=True))
        rare = source.number(0, 11)
        if rare == 11:
            view = source.pick(*(view for view in VIEWS if view != "contiguous"))
            return replace(batch, view=view)
        if rare == 10:
            return replace(batch, interrupt=Recipe(seed=source.seed(), offset=3.0))
        if rare == 9 and self.can.masks and not is_special([batch]):  # nothing is specified of NaN in dy under a mask
            return replace(batch, mask=self._mask(batch.shape))
        if rare == 8 and batch.dy is not None and mode in self.can.second_order:
            return replace(batch, second=self._second())
        return batch

    def _size(self) -> tuple[int, ...]:
        """The shape of the case, or another batch size where no shape costs a compilation."""
        if self.can.compiles or not self.source.one_in(6):
            return self.shape
        return (self.source.number(2, 5), *self.shape[1:])

    def _mask(self, shape: tuple[int, ...]) -> Mask | None:
        """A mask that counts two positions at least."""
        kind = self.source.pick("all", "random", "samples", "prefixes")
        hidden = self.source.pick(None, 1e4)
        mask = Mask(kind=kind, seed=self.source.seed(), hidden=hidden)
        return mask if mask.array(shape, self.config.channel_axis).sum() >= 2 else None

    def _second(self) -> Second:
        source = self.source
        vectors = [None if source.one_in(3) else Recipe(kind="centred", seed=source.seed()) for _ in range(2)]
        return Second(v_dx=Recipe(kind="centred", seed=source.seed()), v_dgamma=vectors[0], v_dbeta=vectors[1])
