"""Goldens of cases. A process computes them once, for all implementations with the same eps."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.cases.model import GRADIENTS, Batch, Between, Case, EarlierBackward, Freeze, Second
from bn_conformance.cases.steps import has_step
from bn_conformance.cases.tensors import BatchData, CaseData, data_of
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, bytes_of, to_quad
from bn_reference.definition.running import eps_of
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.blockwise import LongGolden, Tensor
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.golden.saved import saved_statistics

CAPACITY = 1500
"""How many cases the cache holds, with their data and goldens."""

BATCHES, FEW = 1024, 1 << 12
"""How many batches are kept, and of how many numbers at most: cases ask again for those of cases before them."""

CaseKey = tuple[str, bool, bool, bool, tuple[tuple[bool, bool], ...]]
"""A case, whether it takes gradients, whether there are gamma and beta, and what each second order weighs.

A layer may lack them (`as_declared`).
"""


@dataclass(frozen=True)
class StepGolden:
    """The golden of one step with data.

    Attributes:
        golden: goldens of its batch.
        dy: rows; None for a step without a backward, and for one that is judged by blocks (`by_blocks`).
        training: outputs and gradients in training, which do not depend on running statistics; None in inference.
        second: weights v_dx, v_dgamma and v_dbeta of the second order, as rows and vectors; None for no second order.
    """

    golden: Golden
    dy: Quad | None
    training: dict[str, Expected] | None
    second: tuple[Quad, Quad | None, Quad | None] | None = None

    def second_order(self, statistics: Statistics | None) -> dict[str, Expected]:
        """Gradients of the second order; empty where the step has none.

        Args:
            statistics: running statistics in inference; None in training.
        """
        if self.second is None or self.dy is None:
            return {}
        return self.golden.second_order(self.dy, *self.second, statistics=statistics)


@dataclass(frozen=True)
class _Batch:
    """The golden of a batch, and its outputs and gradients in training, by shape and bytes of dy."""

    golden: Golden
    trained: dict[tuple[object, ...], dict[str, Expected]]

    def training(self, dy: Quad | None) -> dict[str, Expected]:
        """The outputs and gradients in training, which are computed once for each dy."""
        key = () if dy is None else (dy.shape, dy.tobytes())
        if key not in self.trained:
            self.trained[key] = self.golden.training(dy)
        return self.trained[key]


class Goldens:
    """A cache of case data and goldens."""

    def __init__(self) -> None:
        self._data: OrderedDict[CaseKey, CaseData] = OrderedDict()
        self._batches: OrderedDict[tuple[object, ...], _Batch] = OrderedDict()
        self._steps: OrderedDict[tuple[CaseKey, LayerConfig, float], tuple[StepGolden, ...]] = OrderedDict()

    def data(self, case: Case) -> CaseData:
        """The tensors of a case."""
        key = _key(case)
        if key not in self._data:
            self._data[key] = data_of(case)
            if len(self._data) > CAPACITY:
                self._data.popitem(last=False)
        return self._data[key]

    def steps(self, case: Case, convention: Convention) -> tuple[StepGolden, ...]:
        """Goldens of a case's steps with data, in order; computed once for all conventions with the same eps."""
        key = _key(case), case.config, float(eps_of(case.config, convention))
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
            kept = self._batch(case, convention, tensors)
            dy = None if tensors.dy is None else to_quad(channels_first(tensors.dy, axis))
            training = kept.training(dy) if batch.training else None
            golden = kept.golden  # with all that was computed of the batch so far
            if (golden.config, golden.convention) != (case.config, convention):
                golden = golden.under(convention, case.config)
            step = StepGolden(golden, dy, training, _weights(tensors, axis))
            if step.training is not None and step.second is not None:
                step = replace(step, training=step.training | step.second_order(None))
            if step.training is not None and batch.saved:
                step = replace(step, training=step.training | _saved(golden, batch, step.training))
            steps.append(step)
        return tuple(steps)

    def _batch(self, case: Case, convention: Convention, tensors: BatchData) -> _Batch:
        """The batch of a step, which cases share that differ in momentum, or in what they do with it."""
        config, axis = case.config, case.config.channel_axis
        rows, mask = channels_first(tensors.x, axis), tensors.mask
        mask = None if mask is None else channels_first(mask, axis)[0]
        given = [bytes_of(part) for part in (rows, tensors.gamma, tensors.beta, mask)]
        alike = replace(config, rank=2, channel_axis=1, momentum=None)
        key = alike, float(eps_of(config, convention)), case.exact_statistics, rows.dtype, rows.shape, *given
        if key in self._batches:
            self._batches.move_to_end(key)
            return self._batches[key]
        gamma, beta = (None if part is None else to_quad(part) for part in (tensors.gamma, tensors.beta))
        golden = Golden(config, convention, to_quad(rows), GammaBeta(gamma, beta), case.exact_statistics, mask)
        made = _Batch(golden, {})
        if rows.size <= FEW:
            self._batches[key] = made
            if len(self._batches) > BATCHES:
                self._batches.popitem(last=False)
        return made


def _saved(golden: Golden, batch: Batch, training: dict[str, Expected]) -> dict[str, Expected]:
    """Goldens of saved statistics, or of the gradients from exact ones: those that a training step has anyway."""
    if batch.saved == "forward":
        return saved_statistics(golden)
    return {f"{name}_given": training[name] for name in sorted(GRADIENTS) if name in training}


def _key(case: Case) -> CaseKey:
    """What the data of a case depend on: an implementation may declare less than the case asks of others."""
    takes_gradients = any(batch.dy is not None for batch in case.batches)
    seconds = (second for batch in case.batches for second in (batch.second, *map(_second, batch.between)))
    weighed = tuple((bool(second.v_dgamma), bool(second.v_dbeta)) for second in seconds if second)
    return case.id, takes_gradients, case.config.gamma, case.config.beta, weighed


def _second(change: Between) -> Second | None:
    return change.second if isinstance(change, EarlierBackward) else None


def by_blocks(case: Case, batch: Batch) -> bool:
    """Whether a step is judged by blocks: a large training step without a mask, a second order or a frozen layer."""
    plain = batch.large and batch.training and batch.mask is None and batch.second is None
    return plain and not has_step(case.steps, Freeze)


def _long(case: Case, convention: Convention, tensors: BatchData) -> StepGolden:
    """The golden of a step by blocks."""
    axis = case.config.channel_axis
    gamma, beta = (None if part is None else to_quad(part) for part in (tensors.gamma, tensors.beta))
    x, dy = (None if part is None else Tensor(part, axis) for part in (tensors.x, tensors.dy))
    assert x is not None
    golden = LongGolden(case.config, convention, x, GammaBeta(gamma, beta), case.exact_statistics)
    return StepGolden(golden, None, golden.training(dy))


def _weights(tensors: BatchData, axis: int) -> tuple[Quad, Quad | None, Quad | None] | None:
    """The weights of the second order, as rows and vectors."""
    if tensors.second is None:
        return None
    v_dx, *vectors = tensors.second
    v_dgamma, v_dbeta = (None if vector is None else to_quad(vector) for vector in vectors)
    return to_quad(channels_first(v_dx, axis)), v_dgamma, v_dbeta
