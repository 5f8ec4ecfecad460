"""Strategies of Hypothesis: layers, data and sequences of steps within what an implementation declares.

What is drawn first is the simplest, since that is what Hypothesis shrinks to. Most shapes are small: goldens are in
binary128, and most mistakes show with few values. One in eight has a size of `production.SIZES`, where libraries choose
another path. A drawn case has the clauses and expectations that the families of the
matrix give to cases like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hypothesis import strategies as st

from bn_conformance.adapter import CUMULATIVE, Capabilities, LayerConfig
from bn_conformance.cases.model import ALL_QUANTITIES, SECOND_ORDER, Case, ParameterRecipes, Step, batches_of
from bn_conformance.cases.support import AFFINE
from bn_conformance.catalogue.document import named_by_content
from bn_conformance.catalogue.places import Place
from bn_conformance.catalogue.production import SIZES
from bn_conformance.fuzz.drawn_data import drawn_parameters
from bn_conformance.fuzz.drawn_steps import DrawnSteps
from bn_conformance.fuzz.source import Draw, Source
from bn_conformance.fuzz.tagging import clauses_of_drawn, is_special

DTYPES = ("float32", "float64", "float16", "bfloat16")
EPS = (2.0**-10, 1e-5, 1e-3, 0.25, 4.0, 1e-7, None)
MOMENTA = (0.25, 0.1, 0.5, 0.01, 0.9, 0.0, 1.0, None)

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
        places = [
            (rank, axis)
            for rank in sorted(self.can.ranks)
            for axis in ((1, rank - 1) if self.can.compiles else range(1, rank))
            if rank == 2 or {1: "first", rank - 1: "last"}.get(axis, "between") in self.can.layouts
        ]
        if not places or not self.formats:
            raise ValueError("its capabilities declare no rank, layout or format; there is nothing to draw")
        return places

    @property
    def affine(self) -> list[tuple[bool, bool]]:
        """Which of gamma and beta a layer has."""
        return [pair for pair, name in AFFINE.items() if name in self.can.affine]


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
    parameters = None if source.one_in(4) else drawn_parameters(source)
    count = prod(shape) // max(shape[axis], 1)
    drawn = DrawnSteps(source, can, config, shape)
    steps = drawn.edge() if count < 2 else drawn.sequence()
    # x is the caller's own again when the backward is over, and the second order comes after that.
    twice = any(batch.second is not None for batch in batches_of(steps))
    overwrites = source.one_in(12) and not twice
    return finished(config, steps, parameters, repeat=source.one_in(12) and can.deterministic, overwrites=overwrites)


def finished(
    config: LayerConfig,
    steps: tuple[Step, ...],
    parameters: ParameterRecipes | None,
    repeat: bool = False,
    overwrites: bool = False,
) -> Case:
    """The case with its clauses, expectations and id."""
    batches = batches_of(steps)
    fewest = min(prod(batch.shape) // max(config.num_channels, 1) for batch in batches)
    clauses = clauses_of_drawn(config, steps, repeat, overwrites)
    case = Case(
        id="",
        family=clauses[0].partition("-")[0],
        title="a drawn configuration",
        clauses=clauses,
        config=config,
        steps=steps,
        parameters=parameters,
        judges=ALL_QUANTITIES | SECOND_ORDER,
        expects="numbers-or-refusal" if fewest < 2 else "numbers",
        finite_statistics=fewest == 1,
        nonfinite_alike=is_special(steps),
        repeat=repeat,
        overwrites=overwrites,
    )
    return named_by_content(case)


def _lies(place: Place, rank: int, axis: int) -> bool:
    return place.rank == rank and place.axis == axis


def _shape(source: Source, rank: int, axis: int) -> tuple[int, ...]:
    """Small sizes, odd ones too, or those of a class of production; rarely one value a channel, or none."""
    of_programs = [place.shape for places in SIZES.values() for place in places if _lies(place, rank, axis)]
    if of_programs and source.one_in(8):
        return tuple(source.pick(*of_programs))
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
