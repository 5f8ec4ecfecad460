"""Pairs of running statistics as they were read: whether they are the same, where they differ, what was kept."""

from __future__ import annotations

import numpy as np

from bn_conformance.hosting.operations import Returned
from bn_conformance.observing.observation import Pair, same_returned
from bn_reference.arithmetic.quad import Quad


def kept(got: Returned, old: Returned, golden: Quad) -> Returned:
    """Statistics with the golden where that is no number and the old value was kept."""
    if not isinstance(got, np.ndarray) or not isinstance(old, np.ndarray) or not got.shape == golden.shape == old.shape:
        return got
    return np.where(~np.isfinite(golden) & (got == old), golden.astype(np.float64), got).astype(got.dtype)


def difference(before: Pair | None, after: Pair | None) -> str:
    """Where two pairs of statistics differ first, of each: `running_mean[0] from 0.5 to 0.25`."""
    found = []
    for name, one, other in zip(("running_mean", "running_var"), before or (), after or (), strict=False):
        if same_returned(one, other):
            continue
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.shape == other.shape != ():
            old, new = one.astype(np.float64), other.astype(np.float64)
            place = int(np.argmax((old != new) & ~(np.isnan(old) & np.isnan(new))))
            found.append(f"{name}[{place}] from {old[place]:.4g} to {new[place]:.4g}")
        else:
            found.append(name)
    return " and ".join(found)


def same_pair(first: Pair | None, second: Pair | None) -> bool:
    """Whether two pairs of statistics are the same bits; one that was not read is like any."""
    if first is None or second is None:
        return True
    return all(same_returned(one, other) for one, other in zip(first, second, strict=True))
