"""Goldens of cases, computed once in a process for all implementations that share the hyper-parameters."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Batch, Case, Freeze
from bn_conformance.cases.steps import has_step
from bn_conformance.cases.tensors import BatchData, CaseData, data_of
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.running import eps_of
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.blockwise import LongGolden, Tensor
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden

CAPACITY = 1500
"""Cases whose data and goldens are kept."""


@dataclass(frozen=True)
class StepGolden:
    """Golden of one step with data: its batch, dy as rows, and (in training) what does not depend on state.

    A large step in training has no rows of dy (`by_blocks`).
    """

    golden: Golden
    dy: Quad | None
    training: dict[str, Expected] | None
    second: tuple[Quad, Quad | None, Quad | None] | None = None
    """What weighs the gradients of the second order, as rows and vectors."""

    def second_order(self, statistics: Statistics | None) -> dict[str, Expected]:
        """Gradients of the second order, with running statistics in inference and None in training; empty for none."""
        if self.second is None or self.dy is None:
            return {}
        return self.golden.second_order(self.dy, *self.second, statistics=statistics)


class Goldens:
    """A cache of case data and goldens."""

    def __init__(self) -> None:
        self._data: OrderedDict[str, CaseData] = OrderedDict()
        self._steps: OrderedDict[tuple[str, float], tuple[StepGolden, ...]] = OrderedDict()

    def data(self, case: Case) -> CaseData:
        """The tensors of a case."""
        if case.id not in self._data:
            self._data[case.id] = data_of(case)
            if len(self._data) > CAPACITY:
                self._data.popitem(last=False)
        return self._data[case.id]

    def steps(self, case: Case, convention: Convention) -> tuple[StepGolden, ...]:
        """Goldens of a case's steps with data, in order; computed once for all conventions that share the eps."""
        key = case.id, float(eps_of(case.config, convention))
        if key not in self._steps:
            self._steps[key] = self._compute(case, convention)
            if len(self._steps) > CAPACITY:
                self._steps.popitem(last=False)
        steps = self._steps[key]
        if not steps or steps[0].golden.convention == convention:
            return steps
        return tuple(replace(step, golden=step.golden.under(convention)) for step in steps)

    def _compute(self, case: Case, convention: Convention) -> tuple[StepGolden, ...]:
        data, axis = self.data(case), case.config.channel_axis
        steps = []
        for batch, tensors in zip(case.batches, data.batches, strict=True):
            if by_blocks(case, batch):
                steps.append(_long(case, convention, tensors))
                continue
            x = to_quad(channels_first(tensors.x, axis))
            dy = None if tensors.dy is None else to_quad(channels_first(tensors.dy, axis))
            gamma, beta = (None if part is None else to_quad(part) for part in (tensors.gamma, tensors.beta))
            mask = None if tensors.mask is None else channels_first(tensors.mask, axis)[0]
            golden = Golden(case.config, convention, x, GammaBeta(gamma, beta), case.exact_statistics, mask)
            step = StepGolden(golden, dy, golden.training(dy) if batch.training else None, _weights(tensors, axis))
            if step.training is not None and step.second is not None:
                step = replace(step, training=step.training | step.second_order(None))
            steps.append(step)
        return tuple(steps)


def by_blocks(case: Case, batch: Batch) -> bool:
    """Whether a step is judged by blocks: a large one that normalises by all of its own batch, once."""
    frozen = has_step(case.steps, Freeze)
    return batch.large and batch.training and batch.mask is None and batch.second is None and not frozen


def _long(case: Case, convention: Convention, tensors: BatchData) -> StepGolden:
    """The golden of a step by blocks."""
    axis = case.config.channel_axis
    gamma, beta = (None if part is None else to_quad(part) for part in (tensors.gamma, tensors.beta))
    x, dy = (None if part is None else Tensor(part, axis) for part in (tensors.x, tensors.dy))
    assert x is not None
    golden = LongGolden(case.config, convention, x, GammaBeta(gamma, beta), case.exact_statistics)
    return StepGolden(golden, None, golden.training(dy))


def _weights(tensors: BatchData, axis: int) -> tuple[Quad, Quad | None, Quad | None] | None:
    """What weighs the gradients of the second order."""
    if tensors.second is None:
        return None
    v_dx, *vectors = tensors.second
    v_dgamma, v_dbeta = (None if vector is None else to_quad(vector) for vector in vectors)
    return to_quad(channels_first(v_dx, axis)), v_dgamma, v_dbeta
