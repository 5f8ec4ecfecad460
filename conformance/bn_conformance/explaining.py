"""Which deviations explain what an implementation gave in a failing case?

An observation is judged once more with the numbers of a deviating layer in the place of the goldens, within the same
bounds. A deviation explains the case when nothing is worse than `stable` then, and what is no number (an input that was
modified, a call that raised) is just what the deviating layer does, too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from bn_conformance import outcomes
from bn_conformance.adapter import Convention, Layer
from bn_conformance.case import Case
from bn_conformance.case_data import CaseData
from bn_conformance.deviant import PlainAdapter
from bn_conformance.goldens import Goldens, StepGolden
from bn_conformance.host import BackwardResult, ForwardResult, Returned, SecondResult
from bn_conformance.local_host import LocalHost
from bn_conformance.observation import Observation, StepObservation, same
from bn_conformance.observe import observe
from bn_conformance.results import Quantity
from bn_conformance.verdict import Judgement, quantities_of
from bn_conformance.views import realise
from bn_reference.bounds import Bound
from bn_reference.channels import channels_first
from bn_reference.deviations import Deviation, catalogue
from bn_reference.formats import format_of
from bn_reference.golden import Expected, Golden, Statistics
from bn_reference.grades import Grade
from bn_reference.plain import PlainLayer
from bn_reference.quad import QUAD, Quad, to_quad

LEADERS, PARTNERS = 3, 8
"""Deviations that are tried in pairs: the few that bring a case nearest to its numbers with all others, some more with
one another."""

OF_A_CLAUSE, OF_A_FAMILY, MOST_CASES = 3, 4, 24
"""Failing cases of one implementation that are examined: of each deciding clause, of each family, and of all.

Sequences, which come late, tell apart what a single step does not.
"""

MOST_UNEXPLAINED = 6
"""Cases that nothing explains, after which no more are examined: every one costs the whole catalogue."""

NEVER = 1e6
"""How much remains unexplained where an error is raised that the deviation does not raise, or the opposite."""

SLACK = 4.0
"""How much more than a right layer a deviating one may be off: bounds are those of the right arithmetic."""

PAIRED_IN_VAIN = 2
"""Cases that no pair explains, after which pairs are tried no more: they would cost minutes, and explain nothing."""

MOST_STEPS = 40
"""Cases with more steps are not examined: a deviating layer would have to be run through all of them."""


class Examination:
    """Examines the failing cases of one implementation, one after the other; several of each clause are enough.

    Deviations that explained the cases before are tried first; only where none of them explains the next one are all.
    """

    def __init__(self, convention: Convention, goldens: Goldens) -> None:
        self._convention, self._goldens = convention, goldens
        self._likely: set[str] = set()
        self._clauses: Counter[str] = Counter()
        self._families: Counter[str] = Counter()
        self._unexplained = 0
        self._in_vain = 0

    def explanations(self, case: Case, seen: Observation) -> tuple[str, ...] | None:
        """Names of the deviations that explain a case, `a+b` for pairs; None where the case is not examined.

        Pairs are tried where no single deviation explains it.
        """
        if case.laws or len(case.steps) > MOST_STEPS or not self._wants(case):
            return None
        self._clauses[case.clauses[0]] += 1
        self._families[case.family] += 1
        with np.errstate(all="ignore"):
            found = self._search(_Examiner(case, seen, self._convention, self._goldens))
        self._unexplained += not found
        both = self._likely & set(found)
        self._likely = both or self._likely or set(found)
        return found

    def _wants(self, case: Case) -> bool:
        """Whether another case of its kind is examined."""
        return (
            self._clauses[case.clauses[0]] < OF_A_CLAUSE
            and self._families[case.family] < OF_A_FAMILY
            and self._families.total() < MOST_CASES
            and self._unexplained < MOST_UNEXPLAINED
        )

    def _search(self, examiner: _Examiner) -> tuple[str, ...]:
        found = tuple(name for name in sorted(self._likely) if examiner.unexplained(_parts(name)) == 0)
        if found:
            return found
        tried = {entry.name: examiner.unexplained([entry]) for entry in catalogue().values()}
        found = tuple(name for name, left in tried.items() if left == 0)
        if found or self._in_vain >= PAIRED_IN_VAIN:
            return found
        left = {name: count for name, count in tried.items() if count is not None}
        likely = sorted(left, key=lambda name: (left[name], name))
        pairs = [(one, other) for one in likely[:LEADERS] for other in likely if other != one]
        pairs += combinations(likely[:PARTNERS], 2)
        names = dict.fromkeys("+".join(sorted(pair)) for pair in pairs)
        found = tuple(name for name in names if examiner.unexplained(_parts(name)) == 0)
        self._in_vain += not found
        return found


def _parts(name: str) -> list[Deviation]:
    return [catalogue()[part] for part in name.split("+")]


class _Examiner:
    """Compares one observation with deviating layers."""

    def __init__(self, case: Case, seen: Observation, convention: Convention, goldens: Goldens) -> None:
        self._case, self._seen, self._convention = case, seen, convention
        self._data = goldens.data(case)
        self._goldens = () if case.expects == "refusal" else goldens.steps(case, convention)  # bad input has none
        self._work = QUAD if case.config.dtype == "float64" else None
        self._right = self._observe([])

    def unexplained(self, deviations: Sequence[Deviation]) -> float | None:
        """How much remains worse than `stable` under deviations, 0 for nothing; None where they change nothing here."""
        theirs = self._observe(deviations)
        if theirs is None or (self._right is not None and same(theirs, self._right)):
            return None
        seen = self._seen
        if seen.error is not None or theirs.error is not None:
            both = seen.error is not None and theirs.error is not None and seen.error_step == theirs.error_step
            return 0.0 if both else NEVER
        if self._case.expects == "refusal":
            return 0.0
        exact = self._observe(deviations, _Unrounded)
        if exact is None or exact.error is not None:
            return NEVER
        rebased = tuple(
            _rebased(step, observed, self._case) for step, observed in zip(self._goldens, exact.steps, strict=True)
        )
        judgement = Judgement(replace(self._case, **_LENIENT), self._data, rebased, self._convention)
        quantities = quantities_of(judgement, seen, None)
        numbers = sum(_badness(quantity) for quantity in quantities if not _is_fault(quantity))
        return numbers + len(self._faults(seen) ^ self._faults(theirs))

    def _observe(self, deviations: Sequence[Deviation], base: type[PlainLayer] = PlainLayer) -> Observation | None:
        if any(entry.under(self._convention) is None for entry in deviations):
            return None
        exact = base is _Unrounded
        adapter = PlainAdapter(deviations, self._convention, self._work if exact else None, base)
        host = _Following(adapter, self._seen, self._data) if exact else LocalHost(adapter)
        return observe(self._case, self._data, host, self._convention.statistics_move == "explicit")

    def _faults(self, seen: Observation) -> set[tuple[str, str]]:
        """What is wrong with a layer beside the numbers that it computes."""
        judgement = Judgement(self._case, self._data, self._goldens, self._convention)
        return {
            (one.name, one.message or f"{one.outcome} {one.got}")
            for one in quantities_of(judgement, seen, None)
            if _is_fault(one)
        }


def _is_fault(quantity: Quantity) -> bool:
    """Whether a quantity is no computed number: it has a message, or is what a fresh layer holds."""
    return bool(quantity.message) or quantity.name.startswith("initial.")


class _Unrounded(PlainLayer):
    """Hands out results in the working dtype."""

    def deliver(self, values: Any, dtype: np.dtype[Any]) -> Any:
        """The values as they are."""
        return values


_LENIENT: dict[str, Any] = {"exact": False, "tight": False, "band": False}
"""Properties of a case that only goldens can have."""


def _badness(quantity: Quantity) -> float:
    """0 where a quantity is `stable`; else 1 and the order of magnitude of its error, so that nearer is better."""
    if outcomes.outcome_rank(quantity.outcome) <= outcomes.outcome_rank(outcomes.NOT_JUDGED):
        return 0.0
    return 1.0 + math.log10(min(max(quantity.ratio or 1.0, 1.0), 1e30))


class _Following(LocalHost):
    """Runs the plain layer from the running statistics that were observed before each step.

    So errors do not add up over a sequence. Statistics are set past the layer's own methods, which a deviation may
    have changed.
    """

    def __init__(self, adapter: PlainAdapter, seen: Observation, data: CaseData) -> None:
        super().__init__(adapter)
        self._before = list(zip(data.batches, seen.steps, strict=False))

    def forward(self, layer: int, x: Any, view: str, training: bool, mask: Any = None) -> ForwardResult:
        """Take over the observed statistics, then run."""
        plain = self._layers[layer]
        before = None
        if self._before and self._before[0][0].x is x:  # else it is another layer's, between the steps
            before = self._before.pop(0)[1].before
        if before is not None and isinstance(plain, PlainLayer):
            for name, vector in zip(("running_mean", "running_var"), before, strict=True):
                if isinstance(vector, np.ndarray) and vector.shape == getattr(plain, name).shape:
                    setattr(plain, name, vector.astype(plain.kept))
        return ForwardResult(
            self._call("forward", lambda: _forward(plain, realise(x, view), mask, training)),
            input_modified=False,
            shares_input=False,
        )

    def backward(self, layer: int, dy: Any, view: str) -> BackwardResult:
        """Run backward; results in binary128 are no arrays that a worker could send, so they are handed on directly."""
        plain = self._layers[layer]
        grads = self._call("backward", lambda: plain.backward(realise(dy, view)))
        return BackwardResult(*grads, input_modified=False)

    def double_backward(self, layer: int, dy: Any, v_dx: Any, v_dgamma: Any, v_dbeta: Any) -> SecondResult:
        """Run double_backward, results handed on directly too."""
        found = self._call("double_backward", lambda: self._layers[layer].double_backward(dy, v_dx, v_dgamma, v_dbeta))
        return SecondResult(*found, input_modified=False)


def _forward(layer: Layer, x: Any, mask: Any, training: bool) -> Any:
    return layer.forward(x, training) if mask is None else layer.forward_masked(x, mask, training)


class _Rebased(Golden):
    """A golden with the numbers of a deviating layer, and the bounds that the right numbers have."""

    def __init__(self, golden: Golden, theirs: StepObservation, axis: int) -> None:
        vars(self).update(vars(golden))
        self._golden, self._theirs, self._axis = golden, theirs, axis

    def rebase(self, expected: Mapping[str, Expected]) -> dict[str, Expected]:
        """Outputs and gradients."""
        forward, backward = self._theirs.forward, self._theirs.backward
        found = {
            "y": None if forward is None else forward.y,
            "dx": None if backward is None else backward.dx,
            "dgamma": None if backward is None else backward.dgamma,
            "dbeta": None if backward is None else backward.dbeta,
            **(vars(self._theirs.second) if self._theirs.second is not None else {}),
        }
        return {name: _moved(one, found.get(name), self._axis) for name, one in expected.items()}

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Outputs and gradients in inference."""
        return self.rebase(self._golden.inference(statistics, dy))

    def second_order(self, *arguments: Any, **named: Any) -> dict[str, Expected]:
        """Gradients of the second order."""
        return self.rebase(self._golden.second_order(*arguments, **named))

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after the step."""
        after, expected = self._golden.update(statistics, grade)
        theirs = self._theirs.after or (None, None)
        return after, {
            "running_mean": _moved(expected["running_mean"], theirs[0], 0),
            "running_var": _moved(expected["running_var"], theirs[1], 0),
        }


def _rebased(step: StepGolden, theirs: StepObservation, case: Case) -> StepGolden:
    golden = _Rebased(step.golden, theirs, case.config.channel_axis)
    return replace(step, golden=golden, training=None if step.training is None else golden.rebase(step.training))


def _moved(expected: Expected, theirs: Returned | None, axis: int) -> Expected:
    """The golden with other values; bounds grow with them."""
    if not isinstance(theirs, np.ndarray):
        return expected
    whole = expected.values.ndim == 2
    if whole and theirs.ndim <= axis:
        return expected
    values = to_quad(channels_first(theirs, axis)) if whole else to_quad(theirs)
    if values.shape != expected.values.shape:
        return expected
    precise = theirs.dtype == QUAD or theirs.dtype == np.float64
    rounding = to_quad(0.0 if precise else 2.0 * format_of(theirs.dtype).unit_roundoff) * np.abs(values)
    growth = SLACK * _growth(expected.values, values)

    def bound(grade: Grade) -> Bound:
        allowed, meaningful = expected.bound(grade)
        if allowed.ndim == 2 and allowed.shape[1]:  # a deviation may take to one element what is allowed in another
            allowed = np.broadcast_to(allowed.max(axis=1, keepdims=True), allowed.shape)
        return Bound(np.where(np.isfinite(values), allowed * growth + rounding, allowed), meaningful)

    return Expected(values, bound)


def _growth(right: Quad, wrong: Quad) -> Quad:
    """How much larger the values are, channel by channel; 1 at least."""
    growth = np.maximum(1, _largest(wrong) / np.maximum(_largest(right), to_quad(1e-300)))
    return np.asarray(growth if right.ndim == 1 else growth[:, None])


def _largest(rows: Quad) -> Quad:
    """The largest finite magnitude of each row (of a vector: of each number)."""
    sizes = np.abs(np.where(np.isfinite(rows), rows, to_quad(0.0)))
    if rows.ndim == 1:
        return np.asarray(sizes)
    return np.asarray(sizes.max(axis=1) if rows.shape[1] else np.zeros(rows.shape[0], QUAD))
