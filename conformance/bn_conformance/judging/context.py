"""What a verdict on a case is made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.judging.goldens import StepGolden
from bn_reference.definition.state import Formats


@dataclass(frozen=True)
class JudgingContext:
    """The case, its data, the goldens of its steps with data in order, and the convention that is declared."""

    case: Case
    data: CaseData
    goldens: tuple[StepGolden, ...]
    convention: Convention

    @cached_property
    def formats(self) -> Formats:
        """Formats of the layer."""
        return Formats.of(self.case.config, self.convention)
