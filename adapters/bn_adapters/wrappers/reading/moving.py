"""Running statistics read: where a step leaves them, what weighs what, and the eps and momentum that nobody chose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.callee import DICTIONARY, NOTHING, Callee
from bn_adapters.wrappers.reading.forward import Attempt, OneCall, called
from bn_adapters.wrappers.reading.results import KEPT, WRITTEN, Fit, Path, mean_fit, saved_role, variance_fit
from bn_adapters.wrappers.reading.roles import BETA, EPS, GAMMA, MEAN, MOMENTUM, VARIANCE
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_adapters.wrappers.reading.trial_data import MOMENTUM as TRIAL_MOMENTUM
from bn_adapters.wrappers.reading.trial_data import TrialData, alike, as_vector, nice


@dataclass(frozen=True)
class Moving:
    """How running statistics move.

    Attributes:
        mean, variance: where they are after a step; None where there are none.
        keep: weight of the old statistic in the trial step; None where it could not be told.
        estimator: of the running variance; empty where it could not be told.
    """

    mean: Path | None = None
    variance: Path | None = None
    keep: float | None = None
    estimator: str = ""

    @property
    def exists(self) -> bool:
        """Whether there are any."""
        return self.mean is not None and self.variance is not None

    def weighs(self, has_momentum: bool) -> str:
        """What the momentum weighs, `old` or `new`; empty where it could not be told."""
        if self.keep is None:
            return ""
        if not has_momentum:
            return "old" if self.keep >= 0.5 else "new"
        return {True: "old", False: "new"}[abs(self.keep - TRIAL_MOMENTUM) < abs(self.keep - 1 + TRIAL_MOMENTUM)]


def moving_of(one: Attempt) -> Moving:
    """How the running statistics of a function move, from its training call."""
    call, data = one.training, one.data
    if call is None:
        return Moving()
    mean = _place(call, data, MEAN)
    variance = _place(call, data, VARIANCE)
    if mean is None or variance is None:
        rest = _vectors_left(call, data)
        if MEAN not in one.callee.roles or len(rest) < 2:
            return Moving()
        return Moving(rest[0], rest[1])
    first, second = mean_fit(_at(call, mean, MEAN), data), variance_fit(_at(call, variance, VARIANCE), data)
    estimator = "" if second is None else "biased" if second.factor == 1.0 else "unbiased"
    return Moving(mean, variance, None if first is None else first.keep, estimator)


def _sources(call: OneCall, role: str) -> Iterator[tuple[Path, Any]]:
    """Where a statistic may be after a call."""
    if role in call.kept:
        yield KEPT, call.kept[role]
    if role in call.given:
        yield WRITTEN, call.given[role]
    for path, part in call.parts.items():
        if path not in (call.path, WRITTEN):
            yield path, part


def _place(call: OneCall, data: TrialData, role: str) -> Path | None:
    """Where a statistic is after a step: where something moved as one does, else where it must be."""
    reading = mean_fit if role == MEAN else variance_fit
    fits = {path: found for path, part in _sources(call, role) if (found := reading(part, data)) is not None}
    for path, found in fits.items():
        if _moved(found):
            return path
    for path, part in _sources(call, role):
        vector = as_vector(part)
        if path in (KEPT, WRITTEN) and vector is not None and not np.array_equal(vector, data.vectors[role]):
            return path
    return None


def _moved(found: Fit) -> bool:
    return 1e-6 < found.keep < 1 - 1e-6


def _at(call: OneCall, path: Path, role: str) -> Any:
    return call.kept[role] if path == KEPT else call.given[role] if path == WRITTEN else call.parts[path]


def _vectors_left(call: OneCall, data: TrialData) -> list[Path]:
    """Vectors of the result that are nothing else, in order."""
    return [
        path
        for path, part in call.parts.items()
        if path not in (call.path, WRITTEN) and as_vector(part) is not None and not saved_role(part, data, TRIAL_EPS)
    ]


def eps_of_function(callee: Callee, arrays: NumpyArrays, data: TrialData, path: Path, digits: int = 6) -> float | None:
    """The eps that a function has by itself, measured on an x of small variance; None where it shows none."""
    small = replace(data, x=(data.x * 1e-4).astype(data.x.dtype))
    small = replace(small, vectors=data.vectors | _plain(small))
    without: dict[str, None] = {EPS: None} if EPS in callee.roles else {}
    try:
        call = called(callee, arrays, small, True, **without)
    except Exception:
        return None
    if path not in call.parts:
        return None
    y = np.moveaxis(call.parts[path].astype(np.float64), small.axis, 0).reshape(small.batch_mean.size, -1)
    centred = np.moveaxis(small.x - small.column(small.batch_mean), small.axis, 0).reshape(y.shape)
    places = np.abs(centred).argmax(axis=1)
    rows = np.arange(len(places))
    with np.errstate(all="ignore"):
        found = (centred[rows, places] / y[rows, places]) ** 2 - small.batch_variance
    value = nice(float(np.median(found)), digits)
    return value if 0.0 < value < 1.0 else None


def _plain(data: TrialData) -> dict[str, Any]:
    """Vectors that change nothing: statistics are those of the batch, so that both modes give the same."""
    ones = np.ones_like(data.vectors[GAMMA])
    statistics = {MEAN: data.batch_mean.astype(ones.dtype), VARIANCE: data.batch_variance.astype(ones.dtype)}
    return {GAMMA: ones, BETA: 0 * ones, **statistics}


def own_keep(callee: Callee, arrays: NumpyArrays, one: Attempt) -> float | None:
    """The weight of the old statistic where nobody chooses a momentum; None where it could not be told."""
    without: dict[str, None] = {MOMENTUM: None} if MOMENTUM in callee.roles else {}
    try:
        call = called(callee, arrays, one.data, True, **without)
    except Exception:
        return None
    found = moving_of(replace(one, training=call))
    return None if found.keep is None else nice(found.keep, 5)


def starts_by_itself(callee: Callee, arrays: NumpyArrays, data: TrialData) -> tuple[float, float] | None:
    """The running mean and variance that a dictionary holds after inference where the caller gave none; else None."""
    if not any(
        argument.form == DICTIONARY and {MEAN, VARIANCE} <= set(argument.roles) for argument in callee.arguments
    ):
        return None
    try:
        call = called(callee, arrays, data, False, **{MEAN: None, VARIANCE: None})
        mean, variance = as_vector(call.kept[MEAN]), as_vector(call.kept[VARIANCE])
    except Exception:
        return None
    if mean is None or variance is None or np.ptp(mean) or np.ptp(variance):
        return None
    return float(mean[0]), float(variance[0])


def first_batch_sets(callee: Callee, arrays: NumpyArrays, one: Attempt) -> bool:
    """Whether a function that is given no statistics takes those of its first batch as they are."""
    forms = [argument for argument in callee.arguments if argument.roles == (MEAN, VARIANCE)]
    if not forms:
        return False
    try:
        call = called(callee.with_role(forms[0].name, form=NOTHING), arrays, one.data, True)
    except Exception:
        return False
    return any(
        path != call.path and (vector := as_vector(part)) is not None and alike(vector, one.data.batch_mean) > 0.999
        for path, part in call.parts.items()
    )
