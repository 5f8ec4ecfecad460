"""Verdict: the observation of a case against its goldens under the implementation's convention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bn_conformance import outcomes
from bn_conformance.adapter import Convention
from bn_conformance.band import judge_band
from bn_conformance.case import Batch, Case, Freeze, Reload, SetStatistics
from bn_conformance.goldens import StepGolden
from bn_conformance.host import Returned
from bn_conformance.judge import judge, shape_and_dtype_fault
from bn_conformance.observe import CaseData, Observation, Pair, StepObservation, same_returned
from bn_conformance.recipes import dtype_of
from bn_conformance.results import Quantity
from bn_conformance.wire import describe_foreign
from bn_reference.bounds import Bound
from bn_reference.golden import Expected, Formats, Statistics
from bn_reference.grades import GRADES, STABLE

BASE_CLAUSES = {
    ("y", True): "FWD-1",
    ("y", False): "EVAL-1",
    ("dx", True): "GRAD-1",
    ("dgamma", True): "GRAD-2",
    ("dbeta", True): "GRAD-3",
    ("dx", False): "GRAD-4",
    ("dgamma", False): "GRAD-4",
    ("dbeta", False): "GRAD-4",
    ("running_mean", True): "STAT-1",
    ("running_var", True): "STAT-2",
}
"""The clause behind each quantity, in training (True) and in inference."""


@dataclass(frozen=True)
class Judgement:
    """What a verdict needs: the case, its data and goldens, and the convention."""

    case: Case
    data: CaseData
    goldens: tuple[StepGolden, ...]
    convention: Convention

    @property
    def formats(self) -> Formats:
        """Formats of the layer."""
        return Formats.of(self.case.config, self.convention)


def quantities_of(judgement: Judgement, seen: Observation, again: Observation | None) -> tuple[Quantity, ...]:
    """Every quantity of an observation that came to its end.

    Args:
        judgement: what to judge against.
        seen: the observation.
        again: a second one on a fresh layer, which must agree bit for bit.
    """
    found = list(_initial(judgement, seen))
    if not seen.kept:
        found.append(_fault("set.statistics", "running statistics are not what they were set to", ("DTYPE-4",)))
    found += _steps(judgement, seen)
    found += _purity_of_all(seen)
    if again is not None:
        found.append(_same_bits(seen, again, judgement.case.clauses))
    return tuple(found)


def _clauses(case: Case, *base: str) -> tuple[str, ...]:
    return (*base, *(clause for clause in case.clauses if clause not in base))


def _fault(name: str, message: str, clauses: tuple[str, ...]) -> Quantity:
    return Quantity(name=name, outcome=outcomes.WRONG, clauses=clauses, message=message)


def _judged(
    name: str,
    expected: Expected,
    got: Returned,
    shape: tuple[int, ...],
    dtype: str,
    axis: int,
    clauses: tuple[str, ...],
    case: Case,
) -> Quantity:
    fault = shape_and_dtype_fault(name, got, shape, dtype_of(dtype))
    if fault or not isinstance(got, np.ndarray):
        return _fault(name, fault, (*clauses, "DTYPE-1"))
    return judge(name, expected, got, axis, clauses, case.exact, case.nonfinite_alike, case.tight)


def _vector(judgement: Judgement, name: str, expected: Expected, got: Returned, clauses: tuple[str, ...]) -> Quantity:
    shape = (judgement.case.config.num_channels,)
    return _judged(name, expected, got, shape, judgement.formats.statistics.name, 0, clauses, judgement.case)


def _initial(judgement: Judgement, seen: Observation) -> Iterator[Quantity]:
    """Initial statistics, where the case judges statistics."""
    case = judgement.case
    if "running_var" not in case.judges or seen.initial is None:
        return
    initial = Statistics.initial(case.config.num_channels, judgement.convention)
    for name, values, got in (
        ("initial.running_mean", initial.mean, seen.initial[0]),
        ("initial.running_var", initial.variance, seen.initial[1]),
    ):
        exactly = Expected(values, lambda grade: _nothing_allowed(initial))
        got = _in_format(got, judgement.formats.statistics.name)  # a fresh layer's 0 and 1 are exact in any format
        yield _vector(judgement, name, exactly, got, _clauses(case, "STAT-3"))


def _in_format(got: Returned, dtype: str) -> Returned:
    return got.astype(dtype_of(dtype)) if isinstance(got, np.ndarray) else got


def _nothing_allowed(statistics: Statistics) -> Bound:
    return Bound(statistics.mean_error, np.ones(statistics.mean.shape, np.bool_))


def _steps(judgement: Judgement, seen: Observation) -> Iterator[Quantity]:
    """The quantities of every step, local and along the trajectory."""
    case = judgement.case
    trajectory: Statistics | None = Statistics.initial(case.config.num_channels, judgement.convention)
    updates, frozen, position = 0, False, 0
    for step in case.steps:
        if isinstance(step, Freeze):
            frozen = True
        elif isinstance(step, SetStatistics):
            trajectory = None
        elif isinstance(step, Reload):
            yield from _reloaded(judgement, seen, position)
        elif isinstance(step, Batch):
            if position == len(seen.steps):  # it refused here
                return
            walker = _Step(judgement, step, position, seen.steps[position], frozen, updates)
            yield from walker.quantities()
            if trajectory is not None:
                trajectory, judged = walker.along(trajectory)
                if position:
                    yield from judged
            updates += walker.moves
            position += 1


def _purity_of_all(seen: Observation) -> Iterator[Quantity]:
    """What shows only when every step is over."""
    if seen.changed:
        changed = ", ".join(seen.changed[:3]) + (f" and {len(seen.changed) - 3} more" if len(seen.changed) > 3 else "")
        yield _fault("changed-later", f"changed in memory after the call was over: {changed}", ("PURE-4",))
    if seen.disturbed:
        message = f"differs when another layer runs at the same time: {', '.join(seen.disturbed)}"
        yield _fault("concurrent", message, ("PURE-6",))


def _reloaded(judgement: Judgement, seen: Observation, position: int) -> Iterator[Quantity]:
    """The statistics after save and load are those before."""
    if not 0 < position < len(seen.steps):
        return
    before, after = seen.steps[position - 1].after, seen.steps[position].before
    if not _same_pair(before, after):
        yield _fault(f"step{position}.reloaded", "running statistics changed in save and load", ("STATE-2",))


@dataclass
class _Step:
    """Judges one step with data."""

    judgement: Judgement
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
        in_backward = self.judgement.convention.statistics_move == "backward"
        return self.training and not (in_backward and self.step.dy is None) and self.step.shape[0] > 0

    @property
    def _golden(self) -> StepGolden:
        return self.judgement.goldens[self.position]

    def quantities(self) -> Iterator[Quantity]:
        """Outputs and gradients, statistics from the state observed before, and purity."""
        case = self.judgement.case
        if self.step.judge:
            yield from self._outputs()
        if "running_mean" in case.judges:
            yield from self._statistics()
        yield from self._purity()

    def _outputs(self) -> Iterator[Quantity]:
        case, judgement = self.judgement.case, self.judgement
        if self.training:
            expected: Mapping[str, Expected] = self._golden.training or {}
        else:
            before = self._arrays(self.seen.before)
            if before is None:
                yield self._statistics_fault(self.seen.before)
                return
            expected = self._golden.golden.inference(Statistics.known(*before), self._golden.dy)
        if case.band and not self.step.training:
            yield judge_band(judgement.case, self.position, self.seen, judgement.goldens, judgement.convention)
        storage, parameters = case.config.dtype, case.config.parameter_dtype
        for name, got in self._returned().items():
            if name not in case.judges:
                continue
            axis = case.config.channel_axis if name in ("y", "dx") else 0
            shape = self.step.shape if name in ("y", "dx") else (case.config.num_channels,)
            dtype = storage if name in ("y", "dx") else parameters
            clauses = _clauses(case, BASE_CLAUSES[name, self.training])
            yield _judged(f"step{self.position}.{name}", expected[name], got, shape, dtype, axis, clauses, case)

    def _returned(self) -> dict[str, Returned]:
        config, found = self.judgement.case.config, {}
        if self.seen.forward is not None:
            found["y"] = self.seen.forward.y
        if self.seen.backward is not None:
            found["dx"] = self.seen.backward.dx
            # A gradient of a parameter that the layer has is owed; one of a parameter that it lacks is not looked at.
            if config.gamma:
                found["dgamma"] = _owed(self.seen.backward.dgamma)
            if config.beta:
                found["dbeta"] = _owed(self.seen.backward.dbeta)
        return found

    def _statistics(self) -> Iterator[Quantity]:
        case, name = self.judgement.case, f"step{self.position}"
        before, after = self._arrays(self.seen.before), self._arrays(self.seen.after)
        if before is None or after is None:
            yield self._statistics_fault(self.seen.after if after is None else self.seen.before)
            return
        if not self.moves:
            if not _same_pair(before, after):
                clause = "STATE-3" if self.frozen else "EDGE-2" if self.step.training else "STAT-5"
                yield _fault(f"{name}.statistics", "running statistics moved and should not", _clauses(case, clause))
            return
        yield from self._timing(before)
        if case.finite_statistics:
            if not all(bool(np.all(np.isfinite(np.asarray(part, np.float64)))) for part in after):
                yield _fault(f"{name}.statistics", "running statistics are not finite", _clauses(case))
            return
        known = Statistics.known(*before, updates=self.updates)
        _, expected = self._golden.golden.update(known, STABLE)
        if _same_pair(before, after) and not _unchanged_is_right(expected, known):
            message = "running statistics never move: they are what they were before the training step"
            yield _fault(f"{name}.statistics", message, _clauses(case, "STAT-4"))
        for key, got in (("running_mean", after[0]), ("running_var", after[1])):
            yield _vector(self.judgement, f"{name}.{key}", expected[key], got, _clauses(case, BASE_CLAUSES[key, True]))

    def _arrays(self, pair: Pair | None) -> Pair | None:
        """The pair, where both are vectors of floating-point numbers, one a channel."""
        return None if pair is None or any(self._vector_faults(pair)) else pair

    def _vector_faults(self, pair: Pair) -> Iterator[str]:
        shape, wanted = (self.judgement.case.config.num_channels,), dtype_of(self.judgement.formats.statistics.name)
        for key, part in zip(("running_mean", "running_var"), pair, strict=True):
            own = part.dtype if isinstance(part, np.ndarray) and "float" in part.dtype.name else wanted
            yield shape_and_dtype_fault(key, part, shape, own)

    def _statistics_fault(self, pair: Pair | None) -> Quantity:
        message = next(filter(None, self._vector_faults(pair))) if pair else "there are no running statistics"
        return _fault(f"step{self.position}.statistics", message, _clauses(self.judgement.case, "DTYPE-1"))

    def _timing(self, before: Pair) -> Iterator[Quantity]:
        """Statistics move when the convention says, and at no other time."""
        move = self.judgement.convention.statistics_move
        moments = [
            ("forward", self.seen.after_forward),
            ("explicit", self.seen.after_update),
            ("interrupt", self.seen.after_interrupt),
            ("backward", self.seen.after),
        ]
        last = before
        for moment, state in moments:
            if state is None:
                continue
            if moment not in (move, "interrupt") and not _same_pair(last, state):
                message = f"running statistics moved in {moment}; the convention says {move}"
                yield _fault(f"step{self.position}.timing", message, _clauses(self.judgement.case, "STAT-4"))
            last = state

    def _purity(self) -> Iterator[Quantity]:
        name = f"step{self.position}"
        if self.seen.forward is not None and self.seen.forward.input_modified:
            yield _fault(f"{name}.x", "forward modified its input", ("PURE-1",))
        if self.seen.backward is not None and self.seen.backward.input_modified:
            yield _fault(f"{name}.dy", "backward modified its input", ("PURE-1",))
        alone = self.seen.after_update or self.seen.after_forward
        if not _same_pair(alone, self.seen.after_interrupt):
            yield _fault(f"{name}.statistics", "running statistics moved when another layer trained", ("PURE-3",))
        if self.seen.forward is not None and self.seen.forward.shares_input and self.training:
            yield _fault(f"{name}.y", "y shares memory with x", ("PURE-1",))

    def along(self, state: Statistics) -> tuple[Statistics, list[Quantity]]:
        """The step on the golden trajectory: the new state, and the statistics (or y) judged against it."""
        case, judged = self.judgement.case, []
        clauses = _clauses(case, "STATE-1")
        name = f"trajectory{self.position}"
        golden = self._golden.golden
        if not self.moves:
            if self.step.judge and not self.training and "y" in case.judges and self.seen.forward is not None:
                expected = golden.inference(state, None)["y"]
                axis, dtype = case.config.channel_axis, case.config.dtype
                judged.append(
                    _judged(f"{name}.y", expected, self.seen.forward.y, self.step.shape, dtype, axis, clauses, case)
                )
            return state, judged
        after, expected_statistics = golden.update(state, STABLE)
        seen = self.seen.after
        if self.step.judge and seen is not None and "running_mean" in case.judges and not case.finite_statistics:
            for key, got in (("running_mean", seen[0]), ("running_var", seen[1])):
                judged.append(_vector(self.judgement, f"{name}.{key}", expected_statistics[key], got, clauses))
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


def _same_pair(first: Pair | None, second: Pair | None) -> bool:
    if first is None or second is None:
        return True
    return all(same_returned(one, other) for one, other in zip(first, second, strict=True))


def _same_bits(seen: Observation, again: Observation, clauses: tuple[str, ...]) -> Quantity:
    """Two runs on fresh layers give the same bits."""
    for index, (one, other) in enumerate(zip(seen.steps, again.steps, strict=False)):
        theirs = _results(other)
        for name, first in _results(one).items():
            if not same_returned(first, theirs[name]):
                return _fault("repeat", f"step{index}.{name} differs between two equal runs", clauses)
        if not _same_pair(one.after, other.after):
            return _fault("repeat", f"the running statistics of step{index} differ between two equal runs", clauses)
    return Quantity(name="repeat", outcome=outcomes.EXACT, clauses=clauses)


def _results(step: StepObservation) -> dict[str, Returned | None]:
    """Every array that a step gave."""
    forward, backward = step.forward, step.backward
    return {
        "y": None if forward is None else forward.y,
        "dx": None if backward is None else backward.dx,
        "dgamma": None if backward is None else backward.dgamma,
        "dbeta": None if backward is None else backward.dbeta,
    }
