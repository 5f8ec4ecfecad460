"""A case made of any steps, for tests of what one step leaves to the next."""

from __future__ import annotations

from bn_conformance.cases.model import Case
from bn_conformance.catalogue.build import Layout, make


def sequence(layout: Layout, formats: tuple[str, str], *steps: object, **more: object) -> Case:
    return make("STATE", layout, formats, "sequence", "a sequence", ("STATE-1",), steps, **more)  # type: ignore[arg-type]
