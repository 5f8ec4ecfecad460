"""Pairs of running statistics (mean and variance) as they were read, and how two of them compare."""

from __future__ import annotations

import numpy as np

from bn_conformance.hosting.operations import Returned
from bn_conformance.observing.observation import Pair, same_returned
from bn_reference.arithmetic.quad import Quad

NAMES = ("running_mean", "running_var")
"""Names of the two vectors of a pair, in order."""


def same_pair(first: Pair | None, second: Pair | None) -> bool:
    """Whether two pairs of statistics hold the same bits; True where one of them was not read."""
    if first is None or second is None:
        return True
    return all(map(same_returned, first, second))


def difference(before: Pair | None, after: Pair | None) -> str:
    """The first difference in each vector of two pairs, in words: `running_mean[0] from 0.5 to 0.25`."""
    texts = []
    for name, first, second in zip(NAMES, before or (), after or (), strict=False):
        if same_returned(first, second):
            continue
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and first.shape == second.shape != ():
            old, new = first.astype(np.float64), second.astype(np.float64)
            place = int(np.argmax((old != new) & ~(np.isnan(old) & np.isnan(new))))
            texts.append(f"{name}[{place}] from {old[place]:.4g} to {new[place]:.4g}")
        else:
            texts.append(name)
    return " and ".join(texts)


def kept(got: Returned, old: Returned, golden: Quad) -> Returned:
    """A vector of statistics, with the golden where the golden is not finite and the layer kept the old value."""
    if not isinstance(got, np.ndarray) or not isinstance(old, np.ndarray) or not got.shape == golden.shape == old.shape:
        return got
    return np.where(~np.isfinite(golden) & (got == old), golden.astype(np.float64), got).astype(got.dtype)
