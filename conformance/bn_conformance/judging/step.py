"""One step with data, judged: outputs and gradients, running statistics, purity, and its place on the trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bn_conformance.cases.model import Backward, Batch, Case, Reload, SetStatistics
from bn_conformance.cases.recipes import dtype_of, is_floating
from bn_conformance.comparison.array import judge, shape_and_dtype_fault
from bn_conformance.hosting.operations import Returned
from bn_conformance.hosting.wire import describe_foreign
from bn_conformance.judging.clauses import clause_of, clauses_of
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.judging.pairs import difference, kept, same_pair
from bn_conformance.judging.sampling_band import judge_band
from bn_conformance.observing.observation import Pair, StepObservation
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES, STABLE

LIKE_X = frozenset({"y", "dx", "ds_dx", "ds_ddy"})
"""Quantities that have the shape and format of x."""


def fault(name: str, message: str, clauses: tuple[str, ...]) -> Quantity:
    """What is wrong and no number."""
    return Quantity(name=name, outcome=outcomes.WRONG, clauses=clauses, message=message)


def judged_array(
    name: str,
    expected: Expected,
    got: Returned,
    shape: tuple[int, ...],
    dtype: str,
    axis: int,
    clauses: tuple[str, ...],
    case: Case,
) -> Quantity:
    """Judge one array; another kind, shape or format than the expected one is a fault."""
    message = shape_and_dtype_fault(name, got, shape, dtype_of(dtype))
    if message or not isinstance(got, np.ndarray):
        return fault(name, message, (*clauses, "DTYPE-1"))
    return judge(name, expected, got, axis, clauses, case.exact, case.nonfinite_alike, case.tight)


def judged_vector(
    context: JudgingContext, name: str, expected: Expected, got: Returned, clauses: tuple[str, ...]
) -> Quantity:
    """Judge a vector of running statistics."""
    shape = (context.case.config.num_channels,)
    return judged_array(name, expected, got, shape, context.formats.statistics.name, 0, clauses, context.case)


@dataclass
class StepJudge:
    """Judges one step with data."""

    context: JudgingContext
    step: Batch
    position: int
    seen: StepObservation
    frozen: bool
    updates: int

    @property
    def training(self) -> bool:
        """Whether batch statistics are used."""
        return self.step.training and not self.frozen

    @property
    def moves(self) -> bool:
        """Whether the statistics should move in this step."""
        in_backward = self.context.convention.statistics_move == "backward"
        return self.training and not (in_backward and self.step.dy is None) and self.step.shape[0] > 0 and self._counts

    @property
    def _counts(self) -> bool:
        """Whether any position counts."""
        mask = self.context.data.batches[self.position].mask
        return mask is None or bool(mask.any())

    def _clause(self, name: str) -> str:
        """The clause behind a quantity of this step."""
        return clause_of(name, self.training, self.step.mask is not None)

    @property
    def _golden(self) -> StepGolden:
        return self.context.goldens[self.position]

    def quantities(self) -> Iterator[Quantity]:
        """Outputs and gradients, statistics from the state observed before, and purity."""
        case = self.context.case
        if self.step.judge:
            yield from self._outputs()
        if "running_mean" in case.judges:
            yield from self._statistics()
        yield from self._purity()

    def _outputs(self) -> Iterator[Quantity]:
        case, context = self.context.case, self.context
        if self.training:
            expected: Mapping[str, Expected] = self._golden.training or {}
        else:
            before = self._arrays(self.seen.before)
            if before is None:
                yield self._statistics_fault(self.seen.before)
                return
            known = Statistics.known(*before)
            expected = self._golden.golden.inference(known, self._golden.dy) | self._golden.second_order(known)
        if case.band and not self.step.training and self.updates:
            yield judge_band(context.case, self.position, self.seen, context.goldens, context.convention)
        storage, parameters = case.config.dtype, case.config.parameter_dtype
        for name, got in self._returned().items():
            if name not in case.judges:
                continue
            axis = case.config.channel_axis if name in LIKE_X else 0
            shape = self.step.shape if name in LIKE_X else (case.config.num_channels,)
            dtype = storage if name in LIKE_X else parameters
            clauses = clauses_of(case, self._clause(name))
            yield judged_array(f"step{self.position}.{name}", expected[name], got, shape, dtype, axis, clauses, case)

    def _returned(self) -> dict[str, Returned]:
        config, found = self.context.case.config, {}
        if self.seen.forward is not None:
            found["y"] = self.seen.forward.y
        if self.seen.backward is not None:
            found["dx"] = self.seen.backward.dx
            # A gradient of a parameter that the layer has is owed; one of a parameter that it lacks is not looked at.
            if config.gamma:
                found["dgamma"] = _owed(self.seen.backward.dgamma)
            if config.beta:
                found["dbeta"] = _owed(self.seen.backward.dbeta)
        if self.seen.second is not None:
            found |= {"ds_dx": self.seen.second.ds_dx, "ds_ddy": self.seen.second.ds_ddy}
            if config.gamma:
                found["ds_dgamma"] = _owed(self.seen.second.ds_dgamma)
        return found

    def _statistics(self) -> Iterator[Quantity]:
        case, name = self.context.case, f"step{self.position}"
        begun, ended = self._span()
        before, after = self._arrays(begun), self._arrays(ended)
        if before is None or after is None:
            yield self._statistics_fault(ended if after is None else begun)
            return
        if ended is not self.seen.after and not same_pair(self.seen.resumed, self.seen.after):
            message = "running statistics moved in a backward and should not"
            yield fault(f"{name}.statistics", message, clauses_of(case, "STAT-4"))
        if not self.moves:
            if not same_pair(before, after):
                clause = "MASK-5" if self.step.shape[0] else "EDGE-2"
                clause = "STATE-3" if self.frozen else clause if self.step.training else "STAT-5"
                message = f"running statistics moved and should not: {difference(before, after)}"
                yield fault(f"{name}.statistics", message, clauses_of(case, clause))
            return
        yield from self._timing(self._arrays(self.seen.before) or before)
        if case.finite_statistics:
            if not all(bool(np.all(np.isfinite(np.asarray(part, np.float64)))) for part in after):
                yield fault(f"{name}.statistics", "running statistics are not finite", clauses_of(case))
            return
        known = Statistics.known(*before, updates=self.updates)
        expected = self._golden.golden.updated(known)
        if same_pair(before, after) and not _unchanged_is_right(expected, known):
            message = "running statistics never move: they are what they were before the training step"
            yield fault(f"{name}.statistics", message, clauses_of(case, "STAT-4"))
        for key, got in self._held(before, after, expected).items():
            yield judged_vector(self.context, f"{name}.{key}", expected[key], got, clauses_of(case, self._clause(key)))

    def _held(self, before: Pair | None, after: Pair, expected: Mapping[str, Expected]) -> dict[str, Returned]:
        """The statistics after the step by name; with momentum 0 old ones that were kept stand for a golden NaN.

        0 * NaN is NaN, and STAT-7 says that they keep their values: either is right.
        """
        found = dict(zip(("running_mean", "running_var"), after, strict=True))
        if self.context.case.config.momentum == 0 and before is not None:
            for (name, got), old in zip(found.items(), before, strict=True):
                found[name] = kept(got, old, expected[name].values)
        return found

    def _span(self) -> tuple[Pair | None, Pair | None]:
        """The statistics that this step moves from, and those that it moves to, without what is set within it."""
        if not any(isinstance(change, SetStatistics | Reload) for change in self.step.between):
            return self.seen.before, self.seen.after
        if self.context.convention.statistics_move == "backward":
            return self.seen.resumed, self.seen.after
        return self.seen.before, self.seen.after_update or self.seen.after_forward

    def _arrays(self, pair: Pair | None) -> Pair | None:
        """The pair, where both are vectors of floating-point numbers, one a channel."""
        return None if pair is None or any(self._vector_faults(pair)) else pair

    def _vector_faults(self, pair: Pair) -> Iterator[str]:
        shape, wanted = (self.context.case.config.num_channels,), dtype_of(self.context.formats.statistics.name)
        for key, part in zip(("running_mean", "running_var"), pair, strict=True):
            own = part.dtype if isinstance(part, np.ndarray) and is_floating(part.dtype) else wanted
            yield shape_and_dtype_fault(key, part, shape, own)

    def _statistics_fault(self, pair: Pair | None) -> Quantity:
        message = next(filter(None, self._vector_faults(pair))) if pair else "there are no running statistics"
        return fault(f"step{self.position}.statistics", message, clauses_of(self.context.case, "DTYPE-1"))

    def _timing(self, before: Pair) -> Iterator[Quantity]:
        """Statistics move when the convention says, and at no other time."""
        move = self.context.convention.statistics_move
        moments = [
            ("forward", self.seen.after_forward),
            ("explicit", self.seen.after_update),
            ("interrupt", self.seen.after_interrupt),
            ("between", self.seen.resumed),
            ("backward", self.seen.after),
        ]
        excused, last = self._excused(move), before
        for moment, state in moments:
            if state is None:
                continue
            if moment not in (move, *excused) and not same_pair(last, state):
                message = f"running statistics moved in {moment}; the convention says {move}"
                yield fault(f"step{self.position}.timing", message, clauses_of(self.context.case, "STAT-4"))
            last = state

    def _excused(self, move: str) -> frozenset[str]:
        """Moments, other than the convention's own, in which statistics may differ from those before."""
        changes = (SetStatistics, Reload, Backward) if move == "backward" else (SetStatistics, Reload)
        changed = any(isinstance(change, changes) for change in self.step.between)
        return frozenset({"interrupt", "between"} if changed else {"interrupt"})

    def _purity(self) -> Iterator[Quantity]:
        name = f"step{self.position}"
        if self.seen.forward is not None and self.seen.forward.input_modified:
            yield fault(f"{name}.x", "forward modified its input", ("PURE-1",))
        if self.seen.backward is not None and self.seen.backward.input_modified:
            yield fault(f"{name}.dy", "backward modified its input", ("PURE-1",))
        if self.seen.second is not None and self.seen.second.input_modified:
            yield fault(f"{name}.second", "double_backward modified its input", ("PURE-1",))
        alone = self.seen.after_update or self.seen.after_forward
        if not same_pair(alone, self.seen.after_interrupt):
            yield fault(f"{name}.statistics", "running statistics moved when another layer trained", ("PURE-3",))
        if self.seen.forward is not None and self.seen.forward.shares_input and self.training:
            yield fault(f"{name}.y", "y shares memory with x", ("PURE-1",))

    def along(self, state: Statistics) -> tuple[Statistics, list[Quantity]]:
        """The step on the golden trajectory: the new state, and the statistics (or y) judged against it.

        At the first step that is what the step itself is judged by, so nothing is judged again.
        """
        case, judged = self.context.case, []
        clauses = clauses_of(case, "STATE-1")
        name = f"trajectory{self.position}"
        golden, judges = self._golden.golden, self.step.judge and self.position > 0
        if not self.moves:
            if judges and not self.training and "y" in case.judges and self.seen.forward is not None:
                expected = golden.inference(state, None)["y"]
                axis, dtype = case.config.channel_axis, case.config.dtype
                judged.append(
                    judged_array(
                        f"{name}.y", expected, self.seen.forward.y, self.step.shape, dtype, axis, clauses, case
                    )
                )
            return state, judged
        after, expected_statistics = golden.update(state, STABLE)
        seen = self._span()[1]
        if judges and seen is not None and "running_mean" in case.judges and not case.finite_statistics:
            for key, got in self._held(self.seen.before, seen, expected_statistics).items():
                judged.append(judged_vector(self.context, f"{name}.{key}", expected_statistics[key], got, clauses))
        return after, judged


def _unchanged_is_right(expected: Mapping[str, Expected], before: Statistics) -> bool:
    """Whether leaving the statistics as they are is within the bounds of moving them."""
    pairs = ((expected["running_mean"], before.mean), (expected["running_var"], before.variance))
    for golden, old in pairs:
        allowed = golden.bound(GRADES[0]).allowed
        apart = np.abs(golden.values - old) > allowed
        if bool(np.any(apart)):
            return False
    return True


def _owed(gradient: Returned | None) -> Returned:
    return describe_foreign(None) if gradient is None else gradient
