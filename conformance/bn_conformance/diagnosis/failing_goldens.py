"""The goldens of a failing case, in two forms that spare work: one remembers, the other compares no number.

An observation is judged again and again, with the numbers of one mutant after the other. The statistics that it starts
from are the same each time, so that what follows from them is computed once. Where faults alone are looked for, numbers
need no judgement at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

from bn_conformance.judging.goldens import StepGolden
from bn_reference.arithmetic.quad import Quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import Grade

T = TypeVar("T")

MOST = 64
"""Results that a golden remembers; an observation has two or three."""

UPDATED = ("running_mean", "running_var")


class GoldenOf(Golden):
    """A golden made from another one, with all that this has computed already."""

    def __init__(self, golden: Golden) -> None:
        vars(self).update(vars(golden))
        self.golden = golden


class RememberingGolden(GoldenOf):
    """A golden that computes once what follows from the same running statistics."""

    def __init__(self, golden: Golden) -> None:
        super().__init__(golden)
        self._known: dict[tuple[Any, ...], Any] = {}

    def _once(self, compute: Callable[[], T], *key: Any) -> T:
        if key not in self._known:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = compute()
        result: T = self._known[key]
        return result

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Outputs and gradients in inference."""
        key = "inference", dy is None, _key(statistics)
        return self._once(lambda: self.golden.inference(statistics, dy), *key)

    def second_order(
        self,
        dy: Quad,
        v_dx: Quad,
        v_dgamma: Quad | None = None,
        v_dbeta: Quad | None = None,
        statistics: Statistics | None = None,
    ) -> dict[str, Expected]:
        """Gradients of the second order."""
        key = "second order", None if statistics is None else _key(statistics)
        return self._once(lambda: self.golden.second_order(dy, v_dx, v_dgamma, v_dbeta, statistics), *key)

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after the step."""
        return self._once(lambda: self.golden.update(statistics, grade), "update", grade, _key(statistics))

    def updated(self, statistics: Statistics) -> dict[str, Expected]:
        """The running statistics after the step, without a state to carry on."""
        return self._once(lambda: self.golden.updated(statistics), "updated", _key(statistics))


def _key(statistics: Statistics) -> tuple[Any, ...]:
    """What tells statistics apart."""
    vectors = statistics.mean, statistics.variance, statistics.mean_error, statistics.variance_error
    return *(vector.tobytes() for vector in vectors), statistics.updates


class AnyNumbers(Expected):
    """A golden that every array fits, and that is computed where it is asked for all the same.

    Args:
        make: computes the golden.
    """

    whole = False

    def __init__(self, make: Callable[[], Expected]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Expected:
        return self._make()

    @property
    def values(self) -> Quad:  # type: ignore[override]
        """Those of the golden."""
        return self._made.values

    def bound(self, grade: Grade) -> Bound:
        """That of the golden."""
        return self._made.bound(grade)

    def parts(self) -> Iterable[Expected]:
        """Nothing to compare."""
        return ()


class _Unjudged(GoldenOf):
    """A golden of which nothing is compared."""

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Outputs and gradients in inference."""
        names = ("y",) if dy is None else ("y", "dx", "dgamma", "dbeta")
        return _any(names, lambda: self.golden.inference(statistics, dy))

    def second_order(self, *arguments: Any, **named: Any) -> dict[str, Expected]:
        """Gradients of the second order."""
        return _any(("ds_dx", "ds_dgamma", "ds_ddy"), lambda: self.golden.second_order(*arguments, **named))

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after the step: as they were, since nothing is compared with them."""
        return statistics, self.updated(statistics)

    def updated(self, statistics: Statistics) -> dict[str, Expected]:
        """The running statistics after the step."""
        return _any(UPDATED, lambda: self.golden.updated(statistics))


def _any(names: Iterable[str], make: Callable[[], Mapping[str, Expected]]) -> dict[str, Expected]:
    """Goldens that every array fits, by name."""
    return {name: AnyNumbers(partial(_made, make, name)) for name in names}


def _made(make: Callable[[], Mapping[str, Expected]], name: str) -> Expected:
    return make()[name]


def remembering(steps: Iterable[StepGolden]) -> tuple[StepGolden, ...]:
    """Goldens of steps that remember what they give."""
    return tuple(replace(step, golden=RememberingGolden(step.golden)) for step in steps)


def unjudged(steps: Iterable[StepGolden]) -> tuple[StepGolden, ...]:
    """Goldens of steps with which no number is compared, so that a judgement by them shows faults alone."""
    return tuple(map(_without_numbers, steps))


def _without_numbers(step: StepGolden) -> StepGolden:
    training = step.training
    any_training = None if training is None else _any(training, lambda: training)
    return replace(step, golden=_Unjudged(step.golden), training=any_training)
