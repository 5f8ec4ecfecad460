"""Conditional mutants that may survive, one by one, each with its reason; every other survivor calls for a case.

They are those of the draw that `make power` attacks with. Another draw has others: each of them calls for a case, or
for one more row.
"""

from __future__ import annotations

from dataclasses import dataclass

from bn_conformance.mutation.sampling import Mutant


@dataclass(frozen=True)
class Explanation:
    """Why a conditional mutant may survive.

    Attributes:
        deviation: its name.
        where: the text of its condition.
        reason: why no case has to catch it.
    """

    deviation: str
    where: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Whether it speaks of a mutant."""
        return (mutant.deviation, mutant.where.text) == (self.deviation, self.where)


_THREE = "a triple, of which all pairs are tried: "

EXPLAINED: tuple[Explanation, ...] = (
    Explanation("constant-passes-through", "affine none", f"{_THREE}training, constant channels, no gamma and beta"),
    Explanation("gamma-merged-with-running-var", "call >= 100", f"{_THREE}two arrays of equal bits, after 100 calls"),
    Explanation(
        "dx-mask-ignored-without-affine",
        "channels between and call >= 2",
        f"{_THREE}masks, no gamma and beta, channels between other axes; and a second call beside them",
    ),
    Explanation(
        "raw-moments-where-mean-is-large",
        "rank = 4 and memory permuted",
        f"{_THREE}data far from zero, images, permuted memory",
    ),
    Explanation("raw-moments", "format float32 and memory strided", f"{_THREE}data far from zero, float32, strides"),
    Explanation("dbeta-over-batch-size", "format float16 and C >= 128", f"{_THREE}gradients, float16, wide layers"),
    Explanation(
        "frozen-gradient-through-batch",
        "channels first and n in [512, 1024)",
        f"{_THREE}frozen layers, channels first, some hundreds of values a channel",
    ),
    Explanation(
        "variance-at-least-1e-5",
        "16 bits and space mod 4 = 0",
        f"{_THREE}tiny variances, 16-bit data, a multiple of 4 pixels",
    ),
    Explanation("count-in-bfloat16", "affine beta", f"{_THREE}a count that bfloat16 rounds, training, beta alone"),
)
"""The survivors that are understood."""


def explanation_of(mutant: Mutant) -> Explanation | None:
    """The explanation of a mutant; None where there is none."""
    return next((entry for entry in EXPLAINED if entry.covers(mutant)), None)
