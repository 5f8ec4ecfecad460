"""Finds the reading that a recorded step has: axis of the channels, mode and eps, from what came out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.explain.finding_momentum import with_momentum
from bn_conformance.explain.reading import ReadChoice, Reading, SaidOfStep, axes_of, first_reading
from bn_conformance.explain.recording import Recording
from bn_conformance.explain.trials import ReadingTrial, sampled, tried_reading
from bn_conformance.text import number
from bn_conformance.user_error import UserError
from bn_reference.arithmetic.channels import channels_first

USUAL_EPS = (1e-5, 1e-3, 1e-6, 1.001e-5, 2e-5, 1e-4, 1e-8, 1e-7, 1e-12, 1e-2, 0.0)
"""Values of eps that frameworks and models use, the most usual first."""

OUTPUTS = ("y", "dx", "dgamma", "dbeta")
DIGITS = (1, 2, 3)
LARGEST_EPS = 0.1
"""An eps that is read off y is no larger, and rounded."""

OTHERS = 6
"""Usual values of eps under which a mistake is looked for where none fits."""


@dataclass(frozen=True)
class FoundReading:
    """The reading of a step, and how each of its choices was found.

    Attributes:
        reading: under which fewest quantities are wrong.
        settings: its choices.
        others: with the usual values of eps, where nothing fits: a mistake may hide which reading is right.
    """

    reading: Reading
    settings: tuple[ReadChoice, ...]
    others: tuple[Reading, ...] = ()


def found_reading(recording: Recording, wishes: SaidOfStep) -> FoundReading:
    """The reading under which fewest quantities are wrong.

    Raises:
        UserError: the recording does not fit what is said of it.
    """
    axes, modes = axes_of(recording, wishes), _modes(recording, wishes)
    roles = [role for role in OUTPUTS if role in recording.arrays]
    eps = _given_eps(recording, wishes)
    with np.errstate(all="ignore"):
        search = _Search(recording, wishes, roles, (eps,) if eps is not None else USUAL_EPS)
        reading, trial = search.best(axes, modes)
        settings = [
            _mode_setting(recording, wishes, reading, trial, roles),
            _axis_setting(wishes, reading, axes, search, trial),
            _eps_setting(wishes, eps, reading, search, trial),
        ]
        others = search.others(reading) if roles and trial.wrong == len(roles) else ()
        reading, about_momentum = with_momentum(recording, wishes, reading)
        others = tuple(with_momentum(recording, wishes, one)[0] for one in others)
    return FoundReading(reading, (*settings, *about_momentum), others)


def _modes(recording: Recording, wishes: SaidOfStep) -> list[bool]:
    known = {"running_mean", "running_var"} <= recording.arrays.keys()
    if wishes.mode == "inference" and not known:
        raise UserError("inference needs running_mean and running_var; give both, as they were in the step")
    if wishes.mode:
        return [wishes.mode == "training"]
    outputs = any(role in recording.arrays for role in OUTPUTS)
    return [True, False] if known and outputs else [True]


def _given_eps(recording: Recording, wishes: SaidOfStep) -> float | None:
    eps = recording.numbers.get("eps") if wishes.eps is None else wishes.eps
    if eps is not None and not 0.0 <= eps < float("inf"):
        raise UserError(f"eps is {eps:g}; allowed are finite numbers from 0")
    return eps


class _Search:
    """Trials of readings, each made once."""

    def __init__(self, recording: Recording, wishes: SaidOfStep, roles: list[str], usual: tuple[float, ...]) -> None:
        self._recording, self._wishes, self.roles, self.usual = recording, wishes, roles, usual
        self._samples: dict[int, Recording] = {}
        self._trials: dict[tuple[int, bool, float], ReadingTrial] = {}

    def reading(self, axis: int, training: bool, eps: float) -> Reading:
        return first_reading(self._recording, self._wishes, axis, training, eps)

    def trial(self, axis: int, training: bool, eps: float) -> ReadingTrial:
        if axis not in self._samples:
            self._samples[axis] = sampled(self._recording, axis)
        key = axis, training, eps
        if key not in self._trials:
            self._trials[key] = tried_reading(self._samples[axis], self.reading(*key), self.roles)
        return self._trials[key]

    def best(self, axes: list[int], modes: list[bool]) -> tuple[Reading, ReadingTrial]:
        """The reading that fits best; the first of several that fit alike."""
        places = [(axis, training) for axis in axes for training in modes]
        tries = [(self.trial(*place, self.usual[0]), (*place, self.usual[0])) for place in places]
        if not any(trial.fits for trial, _ in tries):
            tries = [(self.trial(*place, eps), (*place, eps)) for place in places for eps in self.usual]
        trial, key = min(tries, key=lambda one: one[0])
        return self.reading(*key), trial

    def others(self, best: Reading) -> tuple[Reading, ...]:
        """The readings of the usual values of eps in the axis and mode that fit best, the most usual first."""
        axis, training = best.config.channel_axis, best.training
        return tuple(self.reading(axis, training, eps) for eps in self.usual[:OTHERS])

    def fitting(self, reading: Reading) -> list[float]:
        """The usual values of eps that fit as well as that of a reading."""
        axis, training = reading.config.channel_axis, reading.training
        return [eps for eps in self.usual if self.trial(axis, training, eps).fits]

    def fitting_axes(self, reading: Reading, axes: list[int]) -> list[int]:
        """The axes that fit as well."""
        return [axis for axis in axes if self.trial(axis, reading.training, float(reading.config.eps or 0.0)).fits]

    def fitting_estimate(self, reading: Reading) -> float | None:
        """An unusual eps under which all fits: a hint, and no reading, since a mistake may look like one."""
        axis, training = reading.config.channel_axis, reading.training
        estimates = self._estimates(axis, training) if len(self.usual) > 1 else []
        return next((eps for eps in estimates if self.trial(axis, training, eps).fits), None)

    def _estimates(self, axis: int, training: bool) -> list[float]:
        """What y says of eps: (gamma / slope)^2 - variance, in the channel that depends on it most, rounded."""
        sample = self._samples[axis]
        if "y" not in sample.arrays:
            return []
        x, y = (channels_first(sample.arrays[role], axis).astype(np.float64) for role in ("x", "y"))
        centred = x - x.mean(axis=1, keepdims=True)
        squares = (centred**2).mean(axis=1)
        slope = (centred * y).mean(axis=1) / squares
        gamma = np.asarray(sample.arrays.get("gamma", np.ones(len(x))), np.float64)
        variance = squares if training else sample.arrays["running_var"].astype(np.float64)
        estimates = (gamma / slope) ** 2 - variance
        usable = np.flatnonzero(np.isfinite(estimates) & (estimates > 0) & (estimates <= LARGEST_EPS))
        if not usable.size:
            return []
        eps = float(estimates[usable[np.argmin(variance[usable])]])
        return list(dict.fromkeys(float(f"{eps:.{digits}g}") for digits in DIGITS))


def _mode_setting(
    recording: Recording, wishes: SaidOfStep, reading: Reading, trial: ReadingTrial, roles: list[str]
) -> ReadChoice:
    mode = "training" if reading.training else "inference"
    if wishes.mode:
        return ReadChoice("mode", mode, "given")
    if not roles or not {"running_mean", "running_var"} <= recording.arrays.keys():
        return ReadChoice("mode", mode, "assumed", "there are no running statistics that inference would use")
    return _chosen("mode", mode, trial, roles)


def _axis_setting(
    wishes: SaidOfStep, reading: Reading, axes: list[int], search: _Search, trial: ReadingTrial
) -> ReadChoice:
    axis = reading.config.channel_axis
    if wishes.channel_axis is not None:
        return ReadChoice("channel_axis", axis, "given")
    if len(axes) == 1:
        return ReadChoice("channel_axis", axis, "found", "the only axis that can hold the channels")
    others = [one for one in search.fitting_axes(reading, axes) if one != axis]
    if others:
        return ReadChoice("channel_axis", axis, "undecided", f"{_listed(others)} would fit as well")
    return _chosen("channel_axis", axis, trial, search.roles)


def _eps_setting(
    wishes: SaidOfStep, given: float | None, reading: Reading, search: _Search, trial: ReadingTrial
) -> ReadChoice:
    eps: Any = reading.config.eps
    if given is not None:
        return ReadChoice("eps", eps, "given", "" if wishes.eps is not None else "by the recording")
    if not trial.fits:
        estimate = search.fitting_estimate(reading)
        chosen = _chosen("eps", eps, trial, search.roles)
        if estimate is None:
            return chosen
        return replace(chosen, note=f"{number(estimate, 4)} would fit: say it if the layer has it")
    others = [number(one, 4) for one in search.fitting(reading) if one != eps]
    if others:
        return ReadChoice("eps", eps, "undecided", f"{_listed(others)} would fit as well: the variances are far larger")
    return ReadChoice("eps", eps, "found")


def _chosen(name: str, value: Any, trial: ReadingTrial, roles: list[str]) -> ReadChoice:
    """A choice that was made by trial."""
    if trial.wrong < len(roles):
        note = (
            "" if trial.fits else f"it fits {len(roles) - trial.wrong} of {len(roles)} arrays, and no other fits more"
        )
        return ReadChoice(name, value, "found", note)
    return ReadChoice(name, value, "nearest")


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))
