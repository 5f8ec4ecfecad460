"""The algorithms: right ones, which no judge may call wrong, and ones that are known to be unstable.

An algorithm is a choice of five parts: how sums are added up, how mean and variance are computed, how y is, how
gradients are, and what is rounded to the storage format. Nothing here is shared with `bn_reference`: rows are (C, n),
vectors (C,), and everything happens in the dtype of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bn_conformance.algorithms.gradients import (
    Backward,
    closed_form,
    folded_derivative,
    fused_closed_form,
    multiplied_out,
    raw_derivative,
    staged,
)
from bn_conformance.algorithms.moments import (
    Moments,
    corrected_two_pass,
    fused_two_pass,
    merged,
    moments_by_blocks,
    raw_moments,
    shifted_two_pass,
    two_pass,
    welford,
)
from bn_conformance.algorithms.sums import (
    Sum,
    by_blas,
    chunks,
    compensated,
    in_float32,
    in_float64,
    lanes,
    numpy_sum,
    pairwise,
    sequential,
    shuffled,
)


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """One way to compute batch normalisation.

    Attributes:
        grade: level that explains it: the best one that must never be exceeded.
        add, moments, backward: its parts.
        folded: y = a x + b, in training and in inference, and the gradient of inference from that.
        folded_inference: y = a x + b in inference alone.
        fused: y by a fused multiply-add.
        wide: everything is computed in float64 and rounded once.
        rounds: `result` computes in float32 at least and rounds results to the storage format once; `paths` rounds
            every term of the result to it, with statistics and sums kept; `everything` computes in it.
        root_roundings: error that the reciprocal root is given besides, in roundings (a fast instruction).
        flush: subnormal numbers are 0, going in and coming out of every part.
        stochastic: seed of an arithmetic that rounds at random, up or down, at each operation; None for the usual one.
        incremental: running statistics by m - momentum * (m - batch).
        ties_away: a result half-way between two numbers of the storage format is rounded away from zero.
        not_for: a kind of random data on which the algorithm is not right.
    """

    grade: str = "tight"
    add: Sum = numpy_sum
    moments: Moments = two_pass
    backward: Backward = closed_form
    folded: bool = False
    folded_inference: bool = False
    fused: bool = False
    wide: bool = False
    rounds: Literal["result", "paths", "everything"] = "result"
    root_roundings: float = 0.0
    flush: bool = False
    stochastic: int | None = None
    incremental: bool = False
    ties_away: bool = False
    not_for: str = ""


ALGORITHMS: dict[str, Algorithm] = {
    "two-pass, NumPy sums": Algorithm(),
    "two-pass, pairwise": Algorithm(add=pairwise, backward=multiplied_out),
    "two-pass, 8 lanes": Algorithm(add=lanes(8), backward=staged),
    "two-pass, 16 lanes, shuffled": Algorithm(add=shuffled(1, lanes(16)), incremental=True),
    "two-pass, chunks of 64": Algorithm(add=chunks(64), backward=staged),
    "two-pass, chunks of 32, shuffled": Algorithm(add=shuffled(2, chunks(32)), backward=multiplied_out),
    "two-pass, pairwise, shuffled": Algorithm(add=shuffled(3, pairwise), incremental=True),
    "corrected two-pass": Algorithm(moments=corrected_two_pass, add=chunks(128)),
    "shifted two-pass": Algorithm(moments=shifted_two_pass, add=lanes(4), not_for="outlier"),
    "Welford": Algorithm(moments=welford, add=lanes(8)),
    "Welford merged in a tree": Algorithm(moments=merged, add=pairwise, backward=staged),
    "sums in float64": Algorithm(add=in_float64, backward=multiplied_out),
    "everything in float64": Algorithm(wide=True),
    "compensated sums": Algorithm(add=compensated, backward=staged),
    "fused multiply-add": Algorithm(moments=fused_two_pass, backward=fused_closed_form, fused=True, add=lanes(8)),
    "fast reciprocal root": Algorithm(root_roundings=2.0, backward=staged),
    "flush to zero": Algorithm(flush=True),
    "ties away from zero": Algorithm(ties_away=True, add=lanes(8)),
    "BLAS sums": Algorithm(add=by_blas, backward=multiplied_out),
    "Chan by blocks of 32": Algorithm(moments=moments_by_blocks, add=chunks(32), backward=staged),
    "folded inference": Algorithm(grade="stable", folded_inference=True, add=pairwise),
    "folded": Algorithm(grade="stable", folded=True),
    "folded, its derivative": Algorithm(grade="stable", folded=True, backward=folded_derivative, add=pairwise),
    "each path rounded": Algorithm(grade="stable", rounds="paths"),
    "each path rounded, 8 lanes": Algorithm(grade="stable", rounds="paths", add=lanes(8)),
}
"""Algorithms that must stay within their grade on all data."""

SEQUENTIAL = Algorithm(grade="degraded(sequential-sum)", add=sequential)
RAW_MOMENTS = Algorithm(grade="degraded(raw-moments)", moments=raw_moments)
RAW_DERIVATIVE = Algorithm(grade="degraded(raw-moments)", moments=raw_moments, backward=raw_derivative, folded=True)
STORAGE = Algorithm(grade="degraded(storage-precision)", rounds="everything", add=sequential)
STORAGE_WIDE_SUMS = Algorithm(grade="degraded(storage-precision)", rounds="everything", add=in_float32)
