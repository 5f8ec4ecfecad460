"""Runs mutants on a failing case: as an implementation would run, and under teacher forcing in other arithmetics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.diagnosis.teacher_forcing import TeacherForcedHost
from bn_conformance.diagnosis.unrounded_layers import InterleavedSums, ReversedSums, UnroundedLayer
from bn_conformance.hosting.host import Host
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.mutation.equivalent import is_equivalent, recording_layer
from bn_conformance.mutation.mutant import PlainAdapter, usual_precision
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_reference.arithmetic.quad import QUAD
from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer


@dataclass(frozen=True)
class FailingCase:
    """A case that an implementation fails.

    Attributes:
        case: the case.
        observation: what the implementation gave.
        repeat: what it gave the second time, where the case runs twice.
        convention: what the implementation declares.
        data: of the case.
        goldens: of its steps; none for a case that expects a refusal.
    """

    case: Case
    observation: Observation
    repeat: Observation | None
    convention: Convention
    data: CaseData
    goldens: tuple[StepGolden, ...]

    @property
    def expects_refusal(self) -> bool:
        """Whether bad input is given, which a layer is to refuse."""
        return self.case.expects == "refusal"


@dataclass(frozen=True, eq=False)
class MutantRuns:
    """What a mutant gives in a failing case.

    Attributes:
        observation: the mutant run as an implementation would be.
        repeat: the second run, where the case asks for one.
        unrounded: the mutant under teacher forcing, in finer arithmetic, results unrounded.
    """

    observation: Observation
    repeat: Observation | None
    unrounded: Observation

    def same_as(self, other: MutantRuns) -> bool:
        """Whether other runs gave the same bits."""
        return all(same(one, two) for one, two in zip(vars(self).values(), vars(other).values(), strict=True))


class MutantRunner:
    """Runs mutants, and the reference layer (the plain layer without a deviation), on one failing case.

    Attributes:
        reference: what the reference layer gives, run as an implementation would be.
    """

    def __init__(self, failing: FailingCase) -> None:
        self._failing = failing
        self._runs: dict[tuple[str, ...], MutantRuns | None] = {}
        self._unrounded: dict[tuple[str, ...], Observation] = {}
        layer, self._looked_up = recording_layer()
        self.reference = self._observe(LocalHost(self._adapter([], base=layer)))

    def runs(self, deviations: Sequence[Deviation]) -> MutantRuns | None:
        """The runs of a mutant, made once; None where it is none under this convention, or changes nothing here."""
        names = _names(deviations)
        if names not in self._runs:
            self._runs[names] = self.new_runs(deviations)
        return self._runs[names]

    def acts(self, deviations: Sequence[Deviation]) -> bool:
        """Whether a mutant can act in this case at all, as far as is known without running it."""
        under = all(deviation.under(self._failing.convention) is not None for deviation in deviations)
        return under and not all(is_equivalent(deviation, self._looked_up) for deviation in deviations)

    def new_runs(self, deviations: Sequence[Deviation], after_a_call: bool = False) -> MutantRuns | None:
        """As `runs`, made anew; with `after_a_call`, a layer of the same adapter has been called before.

        Such a layer computes in the usual precision: rounding may decide whether memory that is overwritten holds other
        bytes.
        """
        if not self.acts(deviations):
            return None
        work = usual_precision(self._failing.case.config.dtype) if after_a_call else None
        host = LocalHost(self._adapter(deviations, after_a_call, work))
        observation = self._observe(host)
        repeat = self._observe(host) if self._failing.case.repeat and observation.error is None else None
        repeats_itself = repeat is None or same(observation, repeat)
        if repeats_itself and same(observation, self.reference):
            return None
        unrounded = self._forced(deviations, after_a_call=True) if after_a_call else self.unrounded(deviations)
        return MutantRuns(observation, repeat, unrounded)

    def unrounded(self, deviations: Sequence[Deviation]) -> Observation:
        """A mutant under teacher forcing in finer arithmetic than the case's: float64, or binary128 for float64."""
        names = _names(deviations)
        if names not in self._unrounded:
            self._unrounded[names] = self._forced(deviations)
        return self._unrounded[names]

    def _forced(self, deviations: Sequence[Deviation], after_a_call: bool = False) -> Observation:
        work = QUAD if self._failing.case.config.dtype == "float64" else None
        return self._teacher_forced(self._adapter(deviations, after_a_call, work, UnroundedLayer))

    def in_usual_precision(self, deviations: Sequence[Deviation]) -> list[Observation]:
        """A mutant under teacher forcing in the arithmetic of implementations, in two orders of its sums.

        Runs that raise an error are left out.
        """
        work = usual_precision(self._failing.case.config.dtype)
        adapters = (self._adapter(deviations, work=work, base=base) for base in (ReversedSums, InterleavedSums))
        return [run for run in map(self._teacher_forced, adapters) if not run.error]

    @cached_property
    def reference_in_usual_precision(self) -> list[Observation]:
        """The reference layer likewise."""
        return self.in_usual_precision([])

    def _adapter(
        self,
        deviations: Sequence[Deviation],
        after_a_call: bool = False,
        work: np.dtype[Any] | None = None,
        base: type[PlainLayer] = PlainLayer,
    ) -> PlainAdapter:
        adapter = PlainAdapter(deviations, self._failing.convention, work, base)
        if after_a_call:
            adapter.call_once(self._failing.case, self._failing.data)
        return adapter

    def _teacher_forced(self, adapter: PlainAdapter) -> Observation:
        return self._observe(TeacherForcedHost(adapter, self._failing.observation, self._failing.data))

    def _observe(self, host: Host) -> Observation:
        failing = self._failing
        return observe(failing.case, failing.data, host, failing.convention.statistics_move == "explicit")


def _names(deviations: Sequence[Deviation]) -> tuple[str, ...]:
    return tuple(deviation.name for deviation in deviations)
