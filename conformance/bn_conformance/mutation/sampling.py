"""The sample: conditional mutants that a seed decides, each with a condition that code with its mistake could have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from bn_conformance.cases.recipes import seed_of
from bn_conformance.mutation.conditional import acts_when_built
from bn_conformance.mutation.conditions import GRAMMAR, OF_STATE, WHEN_BUILT, Where, drawn
from bn_conformance.mutation.equivalent import names_changed
from bn_reference.deviations import Deviation, catalogue

WITH_CONDITION = (
    "crossings",
    "crossed_formats",
    "sizes",
    "tails",
    "shards",
    "shard_gradients",
    "masked_shards",
    "compiled",
)
"""Modules of deviations that act under a condition already: they are conditional mutants as they are."""

COMPUTING = frozenset(
    {"axis", "total", "mean_of", "variance_of", "count", "counted", "normaliser", "root", "eps_in", "scale_and_shift"}
    | {"estimate", "move", "blend", "rows_of", "output", "forward_masked", "normalisers", "deliver", "batch_values"}
    | {"backward", "dx", "outer_scale", "mean_term", "variance_term", "dgamma", "dbeta", "double_backward"}
    | {"averaged", "projected", "through_first", "through_upstream", "through_deviation"}
    | {"second_x", "second_gamma", "second_dy", "kept", "taken"}
)
"""Methods of the plain layer that see arrays."""


@dataclass(frozen=True)
class Mutant:
    """A deviation and the condition under which it acts."""

    deviation: str
    where: Where

    @property
    def text(self) -> str:
        """It in words."""
        return f"{self.deviation} where {self.where.text}"


def sample(count: int, seed: int, names: Sequence[str] = (), pairs: bool = False) -> list[Mutant]:
    """Conditional mutants, the same for equal seeds.

    Each deviation is drawn once before any is drawn again, in an order that the seed decides. A deviation that is added
    to the catalogue comes between the others and changes none of them.

    Args:
        count: how many.
        seed: of the draw.
        names: deviations; none for all.
        pairs: whether a third of the conditions are two together.
    """
    known = {name: catalogue()[name] for name in names or catalogue()}
    known = {name: deviation for name, deviation in known.items() if deviation.group not in WITH_CONDITION}
    order = sorted(known, key=lambda name: seed_of(f"{seed} {name}"))
    eligible = {name: _eligible(deviation) for name, deviation in known.items()}
    mutants = (
        Mutant(name, drawn(f"{seed} {round_} {name}", eligible[name][0], pairs and eligible[name][1]))
        for round_ in range(-(-count // max(len(order), 1)))
        for name in order
    )
    return list(islice(mutants, count))


def _eligible(deviation: Deviation) -> tuple[Collection[str], bool]:
    """The groups of conditions that code with this mistake could have, and whether it could have two."""
    if acts_when_built(deviation):
        return WHEN_BUILT, False
    return GRAMMAR if names_changed(deviation) & COMPUTING else OF_STATE, True
