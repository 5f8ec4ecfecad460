"""The explanation of a recorded step: what was taken as what, how it was read, what is off, why, and its condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bn_conformance.adapter import Array
from bn_conformance.explain.cause import Cause, cause_of
from bn_conformance.explain.conditions import ChannelCondition, conditions_of
from bn_conformance.explain.finding import found_reading
from bn_conformance.explain.goldens import StepGoldens
from bn_conformance.explain.judging_arrays import JudgedArray, judge_arrays
from bn_conformance.explain.reading import ReadChoice, Reading, SaidOfStep, settings_under
from bn_conformance.explain.recording import Recording, recording_of
from bn_conformance.explain.roles import Taken
from bn_conformance.results import outcomes
from bn_conformance.results.exit_codes import CONFORMS, EXIT_NOT_JUDGED, FAILS
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.user_error import UserError

DEFAULT_ERROR = 1e-3
"""The relative error of x that is asked about, where nobody says another."""

Progress = Callable[[str, int, int], None]
"""Is told what is done, how much of it, and of how much."""


@dataclass(frozen=True)
class ExplainedStep:
    """What was found of one recorded step.

    Attributes:
        source: where the arrays come from: a file, or "arrays".
        taken: what each array was taken as.
        remarks: what else there is to know of how they were taken.
        settings: how the step was read, choice by choice.
        reading: the layer and convention that it was held against.
        shape: of x.
        arrays: each judged array.
        cause: the deviations that explain what is wrong; None where nothing is.
        error: the relative error of x that `conditions` are about.
        conditions: what that error becomes in y, for each channel.
    """

    source: str
    taken: tuple[Taken, ...]
    remarks: tuple[str, ...]
    settings: tuple[ReadChoice, ...]
    reading: Reading
    shape: tuple[int, ...]
    arrays: tuple[JudgedArray, ...]
    cause: Cause | None
    error: float
    conditions: tuple[ChannelCondition, ...]

    @property
    def counting(self) -> tuple[JudgedArray, ...]:
        """The arrays that decide the verdict."""
        return tuple(one for one in self.arrays if one.counts)

    @property
    def off(self) -> tuple[JudgedArray, ...]:
        """The arrays that are not within the bounds, the worst first."""
        failing = [one for one in self.counting if one.verdict is ItemVerdict.FAIL]
        return tuple(sorted(failing, key=lambda one: -(one.ratio or 0.0)))

    @property
    def within(self) -> bool:
        """Whether something was judged, and all of it is within the bounds."""
        return self.exit_code == CONFORMS

    @property
    def exit_code(self) -> int:
        """0: all within the bounds; 1: something is not; 3: nothing could be judged."""
        if self.off:
            return FAILS
        judged = any(one.level != outcomes.NOT_JUDGED for one in self.counting)
        return CONFORMS if judged else EXIT_NOT_JUDGED

    def __str__(self) -> str:
        """All of it as plain text."""
        from bn_conformance.explain.terminal import explanation_text

        return explanation_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The essence as HTML, for a notebook."""
        from bn_conformance.explain.html import explanation_fragment

        return explanation_fragment(self)

    def html(self) -> str:
        """All of it as one page that needs no other file."""
        from bn_conformance.explain.html import explanation_html

        return explanation_html(self)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, as `explanation.schema.json` has it."""
        from bn_conformance.explain.documents import explanation_document

        return explanation_document(self)


def explain_arrays(
    given: Mapping[str, Any],
    taken: tuple[Taken, ...],
    wishes: SaidOfStep,
    *,
    source: str = "arrays",
    dtype: str = "",
    error: float = DEFAULT_ERROR,
    threshold: Threshold = Threshold.DEGRADED,
    progress: Progress | None = None,
) -> ExplainedStep:
    """Explain one recorded step.

    Args:
        given: its arrays by role.
        taken: what was taken as what.
        wishes: what a person says of it; the rest is found.
        source: where the arrays come from.
        dtype: format of y and dx, where a person says it.
        error: the relative error of x that conditions are about.
        threshold: the worst level that is within the bounds.
        progress: is told what is done.

    Raises:
        UserError: the arrays or the wishes cannot be used; the message says why.
    """
    if not 0.0 < error < 1.0:
        raise UserError(f"the relative error of x is {error:g}; allowed are numbers above 0 and below 1")
    recording = recording_of(given, taken, dtype)
    found = found_reading(recording, wishes.checked())
    steps = _Steps(recording, progress)
    goldens = StepGoldens(recording, found.reading, steps.told("judging"))
    arrays, settings = judge_arrays(goldens, threshold), found.settings
    readings = tuple(dict.fromkeys((*found.others, found.reading)))
    cause = cause_of(recording, found.reading, readings, arrays, steps.told("deviations"))
    if cause is not None and cause.found:
        settings = settings_under(settings, cause.reading)
        if cause.reading != found.reading:
            goldens = StepGoldens(recording, cause.reading, steps.told("judging"))
            arrays = judge_arrays(goldens, threshold)
    conditions = conditions_of(StepGoldens(recording, goldens.reading, steps.told("condition")), error)
    return ExplainedStep(
        source=source,
        taken=recording.taken,
        remarks=recording.remarks,
        settings=settings,
        reading=goldens.reading,
        shape=recording.x.shape,
        arrays=tuple(arrays),
        cause=cause,
        error=error,
        conditions=tuple(conditions),
    )


def given_by_role(arrays: Mapping[str, Array], taken: tuple[Taken, ...]) -> dict[str, Array]:
    """Arrays by role; those without one are left out."""
    return {one.role: arrays[one.name] for one in taken if one.role}


class _Steps:
    """Turns what is told of values into what is told of a step."""

    def __init__(self, recording: Recording, progress: Progress | None) -> None:
        self._size, self._progress = recording.x.size, progress
        passes = len({"y", "y_other", "dx"} & recording.arrays.keys())
        vectors = any(role not in ("y", "dx") for role in recording.judged)
        self._whole = {"judging": self._size * max(1, passes + vectors), "condition": self._size, "deviations": 0}

    def told(self, what: str) -> Callable[[int], None] | None:
        """A counter of one step; None where nobody asks."""
        progress, done = self._progress, 0
        if progress is None:
            return None

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress(what, min(done, self._whole[what] or done), self._whole[what])

        return count
