"""What a suite would say of a layer: caught, passed, or not asked."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.judges.rules import Compared, is_accepted
from bn_conformance.judges.suite import AGAIN, Suite
from bn_conformance.judges.trial import Build, Drawn, StepResult, run_suite_trial
from bn_conformance.mutation.equivalent import is_equivalent, recording_layer
from bn_conformance.mutation.mutant import PlainAdapter
from bn_reference.deviations import Deviation


class Word(Enum):
    """What a suite says of a layer.

    `CAUGHT`: a comparison fails, or the layer raises. `PASSES`: something that is compared differs from what the
    reference layer gives, within the tolerance. `NOT_ASKED`: everything that is compared is the same bit for bit.
    """

    CAUGHT = "caught"
    PASSES = "passes"
    NOT_ASKED = "not asked"


class SuiteJudge:
    """Judges layers by one suite; keeps what the reference layer gives.

    Args:
        suite: the suite.
    """

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._drawn = list(_drawn(suite))
        self._expected: list[list[StepResult]] = []
        self._looked_up: set[str] = set()

    def of_deviation(self, deviation: Deviation) -> Word:
        """What it says of the reference layer with a deviation; one that the suite's convention allows is not asked."""
        self._references()
        if deviation.under(self.suite.convention) is None or is_equivalent(deviation, self._looked_up):
            return Word.NOT_ASKED
        return self.of_layer(PlainAdapter([deviation], self.suite.convention).build)

    def of_layer(self, build: Build) -> Word:
        """What it says of the layers that a function builds."""
        word = Word.NOT_ASKED
        for drawn, expected in zip(self._drawn, self._references(), strict=True):
            if not self._compared(drawn, expected):
                continue
            try:
                with np.errstate(all="ignore"):
                    got = run_suite_trial(build, drawn)
            except Exception:  # whatever a layer raises, the suite sees it
                return Word.CAUGHT
            pairs = list(self._pairs(drawn, got, expected))
            if not all(self._accepts(drawn, got, pair) for pair in pairs):
                return Word.CAUGHT
            if not all(_same(pair[2], pair[3]) for pair in pairs):
                word = Word.PASSES
        return word

    def _references(self) -> list[list[StepResult]]:
        if not self._expected:
            layer, self._looked_up = recording_layer()
            build = PlainAdapter([], self.suite.convention, base=layer).build
            with np.errstate(all="ignore"):
                self._expected = [run_suite_trial(build, drawn) for drawn in self._drawn]
        return self._expected

    def _compared(self, drawn: Drawn, expected: list[StepResult]) -> bool:
        return any(True for _ in self._pairs(drawn, expected, expected))

    def _pairs(
        self, drawn: Drawn, got: list[StepResult], expected: list[StepResult]
    ) -> Iterator[tuple[int, str, Array, Array]]:
        """Everything that the suite compares in a trial: the call, the quantity, what came and what is expected."""
        for name, rule in self.suite.rules.items():
            output = AGAIN.get(name, name)
            if drawn.trial.only and output not in drawn.trial.only:
                continue
            for place, (mine, theirs) in enumerate(zip(got, expected, strict=True)):
                step = mine.step
                if "steps" in rule and not {step.mode, step.name} & set(rule["steps"]):
                    continue
                if output in theirs.outputs:
                    missing: Array = np.empty(0)
                    yield place, name, np.asarray(mine.outputs.get(output, missing)), theirs.outputs[output]

    def _accepts(self, drawn: Drawn, got: list[StepResult], pair: tuple[int, str, Any, Any]) -> bool:
        place, name, result, expected = pair
        if self.suite.dtypes_alike and result.dtype != expected.dtype:
            return False
        trial = drawn.trial
        one, zero = np.ones(1, dtype_of(drawn.dtype)), np.zeros(1, dtype_of(drawn.dtype))
        comparison = Compared(
            rule=self.suite.rules[name],
            got=result,
            expected=expected,
            drawn=drawn,
            here=got[place],
            before=got[:place],
            gamma=drawn.vector(trial.gamma, "gamma") if trial.affine and trial.gamma else one,
            beta=drawn.vector(trial.beta, "beta") if trial.affine and trial.beta else zero,
        )
        return is_accepted(comparison)


def _drawn(suite: Suite) -> Iterator[Drawn]:
    for number, trial in enumerate(suite.trials):
        for dtype in trial.formats:
            for seed in range(trial.seeds):
                yield Drawn(trial, dtype, f"{suite.name} {number} {seed}")


def _same(got: Array, expected: Array) -> bool:
    """Bit for bit."""
    alike = got.shape == expected.shape and got.dtype == expected.dtype
    return alike and np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(expected).tobytes()
