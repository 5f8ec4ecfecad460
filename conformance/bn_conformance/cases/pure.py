"""PURE: equal runs give equal bits, and inputs stay as they are (which every other case checks too)."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.case import Case
from bn_conformance.cases.build import DY, F32, FORMATS, evaluate, make, normal, places, train


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for formats in FORMATS:
        for layout in places(formats):
            steps = (train(layout, dy=DY), evaluate(layout, normal("other"), DY))
            title = "the same sequence twice on fresh layers gives the same bits"
            yield make("PURE", layout, formats, "same-bits", title, ("PURE-2", "PURE-1"), steps, repeat=True)
            if formats == F32:
                steps = (train(layout, dy=DY, view="fortran"), train(layout, normal("next"), DY))
                title = "inputs are not modified, whatever their memory"
                yield make("PURE", layout, formats, "inputs", title, ("PURE-1",), steps)
