"""A case made of any steps, for tests of what one step leaves to the next."""

from __future__ import annotations

from typing import Any

from bn_conformance.cases.model import Case, Step
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import Place


def sequence(place: Place, *steps: Step, **more: Any) -> Case:
    return Family().case(place, "sequence", "a sequence", "STATE-1", *steps, **more)
