"""Conditional mutants that may survive, each for a reason that can be checked; every other survivor calls for a case.

A deviation that acts only from many values a channel on, under a condition that only wide layers meet, needs an input
of more numbers than a case of the matrix may have: every implementation would compute it, and binary128 judge it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from bn_conformance.mutation.conditions import Within
from bn_conformance.mutation.sampling import Mutant

MOST = 1 << 18
"""Numbers that an input of a case of the matrix has at most."""

LENGTHS: Mapping[str, int] = {
    "count-in-16-bits": 1 << 16,
    "sequential-sums": 1 << 16,
    "sequential-gradient-sums": 1 << 16,
    "seam-*": 1 << 13,
}
"""Values a channel from which on deviations act, by the pattern of their names."""


def explanation_of(mutant: Mutant) -> str:
    """Why no case has to catch a mutant; empty where one has to."""
    lengths = (length for pattern, length in LENGTHS.items() if fnmatchcase(mutant.deviation, pattern))
    length, channels = max(lengths, default=0), _fewest_channels(mutant)
    if length * channels <= MOST:
        return ""
    return (
        f"it acts from {length:,} values a channel on, where there are {channels:,} channels or more: no input of the "
        f"matrix has {length * channels:,} numbers"
    )


def _fewest_channels(mutant: Mutant) -> int:
    """How many channels a layer has at least that meets the condition, as far as the condition says so itself."""
    limits = [one for one in mutant.where.conditions if isinstance(one, Within) and one.feature == "channels"]
    return int(max((one.least for one in limits), default=1))
