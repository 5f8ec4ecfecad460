"""An experiment on inference: whether the bits of a row's y depend on which other rows are in the batch (EVAL-3).

Numbers that differ within the error bound are right. Kernels give them where the end of a batch takes another path,
such as one without a fused multiply-add.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.probe.finding import Finding
from bn_conformance.probe.laboratory import Laboratory

ROWS = 37
"""Rows of the whole batch: more than any vector width of common processors, and no multiple of one."""

PARTS = (1, 2, 3, 5, 8, 16, 17)
"""Rows of smaller batches, each from its first row and its last on."""


def rows_alone(laboratory: Laboratory) -> Iterator[Finding]:
    """The bits of y in inference, of rows in a batch and of the same rows in smaller ones."""
    laboratory.need_mode("inference")
    subject = laboratory.subject(laboratory.config())
    if laboratory.can.statistics:
        subject.set_statistics()
    x = subject.data("rows", count=ROWS, offset=1.0)
    whole = subject.forward(x, False)
    parts = [part for count in (PARTS[:1] if laboratory.can.compiles else PARTS) for part in _ends(count)]
    differing = 0.0
    for part in parts:
        got, expected = subject.forward(x[part].copy(), False), whole[part]
        if got.tobytes() != expected.tobytes():
            gap = np.abs(np.asarray(got, np.float64) - np.asarray(expected, np.float64))
            spacing = np.spacing(np.maximum(np.abs(expected), np.abs(got)))
            differing = max(differing, float(np.max(gap / np.abs(np.asarray(spacing, np.float64)))))
    shown = f"{ROWS} rows, and parts of {', '.join(map(str, PARTS[:1] if laboratory.can.compiles else PARTS))}"
    if differing:
        detail = f"up to {differing:.3g} units in the last place; {shown}"
        yield Finding.observed("inference row by row", "bits depend on the batch", detail, "permitted")
    else:
        yield Finding.observed("inference row by row", "the same bits in any batch", shown, "permitted")


def _ends(count: int) -> tuple[slice, slice]:
    return slice(0, count), slice(ROWS - count, ROWS)
