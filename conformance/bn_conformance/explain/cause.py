"""Why a recorded step is off: the deviations of the catalogue that give its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.model import STATISTICS, Batch, Case, SetStatistics, Step
from bn_conformance.cases.recipes import DataRecipe, dtype_of
from bn_conformance.cases.tensors import BatchData, CaseData
from bn_conformance.diagnosis.examined import work
from bn_conformance.diagnosis.match import Matcher
from bn_conformance.diagnosis.subject import Budget, deviations_for
from bn_conformance.explain.goldens import AFTER
from bn_conformance.explain.judging_arrays import JudgedArray
from bn_conformance.explain.reading import Reading, only_channels, placed_mask
from bn_conformance.explain.recording import Recording
from bn_conformance.hosting.operations import BackwardResult, ForwardResult, Returned
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.mutant import ALL_CAPABILITIES
from bn_conformance.observing.observation import Observation, StepObservation
from bn_conformance.results.outcomes import WRONG
from bn_reference.arithmetic.quad import round_to
from bn_reference.definition.state import LayerFormats, Statistics
from bn_reference.deviations import Deviation

COMPARED = 1 << 15
"""Values of the channels that deviations are compared with; one channel at least."""

LARGEST = 1 << 19
"""Values of a channel beyond which nothing is compared: each of some 550 deviations takes a run of its own."""

BUDGET = 20_000.0
"""Steps that are computed, in the units of `Budget`."""

ID = "explain/recorded"
NOTHING = NotAnArray("None")


@dataclass(frozen=True)
class Explaining:
    """Deviations that explain some arrays.

    Attributes:
        arrays: those that they explain; all that were recorded, what is wrong, or one by itself.
        deviations: each explains them by itself; which of them it is, is not known.
    """

    arrays: tuple[str, ...]
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class Cause:
    """Why a step is off.

    Attributes:
        found: what explains all arrays; or else what is wrong; or else some of that.
        reading: the one under which it does; that of the step where nothing does.
        channels: the channels that were compared.
        stopped: why not all deviations were tried, or why none was; empty where all were.
    """

    found: tuple[Explaining, ...]
    reading: Reading
    channels: tuple[int, ...] = ()
    stopped: str = ""


@dataclass(frozen=True, kw_only=True)
class _Recorded(DataRecipe):
    """A recipe that gives a recorded vector."""

    values: tuple[float, ...] = ()

    def vector(self, channels: int, dtype: str) -> Array:
        return np.array(self.values).astype(dtype_of(dtype))


class _OwnData(Goldens):
    """Goldens of a case whose tensors were recorded."""

    def __init__(self, recorded: CaseData) -> None:
        super().__init__()
        self._recorded = recorded

    def data(self, case: Case) -> CaseData:
        """The recorded tensors."""
        return self._recorded


def cause_of(
    recording: Recording,
    reading: Reading,
    readings: Sequence[Reading],
    judged: Sequence[JudgedArray],
    progress: Callable[[int], None] | None = None,
) -> Cause | None:
    """The deviations that explain what is wrong; None where nothing is.

    All arrays are explained together, or else what is wrong, under the reading of the step or another one; or else each
    wrong array by itself, as where y comes from one program and dx from another.

    Args:
        recording: the step.
        reading: what it was held against.
        readings: those under which a mistake is looked for, in this order.
        judged: its arrays.
        progress: is told of each deviation that is tried.
    """
    wrong = [one for one in judged if one.counts and one.level == WRONG]
    if not wrong:
        return None
    search = _Search(recording, wrong, progress)
    if why := search.hindrance(reading):
        return Cause((), reading, stopped=why)
    everything, off = (tuple(one.role for one in part if one.counts) for part in (judged, wrong))
    for roles in dict.fromkeys((everything, off)):
        for one in readings:
            if found := search.explaining(one, roles):
                return Cause((Explaining(roles, found),), one, search.channels(one))
    alone = [Explaining((role,), search.explaining(reading, (role,))) for role in off] if len(off) > 1 else []
    return Cause(tuple(one for one in alone if one.deviations), reading, search.channels(reading), search.stopped)


class _Search:
    """Looks for deviations that explain a step, within one limit of work."""

    def __init__(
        self, recording: Recording, wrong: Sequence[JudgedArray], progress: Callable[[int], None] | None
    ) -> None:
        self._recording, self._wrong, self._progress = recording, wrong, progress
        self._budget = Budget(BUDGET)
        self.stopped = ""

    def hindrance(self, reading: Reading) -> str:
        """Why no deviation can be compared; empty where they can."""
        arrays, storage = self._recording.arrays, reading.config.dtype
        count = self._recording.x.size // self._recording.x.shape[reading.config.channel_axis]
        if count > LARGEST:
            return f"A channel has {count:,} values; deviations are compared with up to {LARGEST:,}."
        if any(arrays[role].dtype.name != storage for role in ("x", "dy") if role in arrays):
            return f"x or dy is not {storage}, in which the layers of the deviations compute."
        return ""

    def channels(self, reading: Reading) -> tuple[int, ...]:
        """The channels that are compared under a reading."""
        channels = self._recording.x.shape[reading.config.channel_axis]
        return _channels(channels, self._recording.x.size // channels, self._wrong)

    def explaining(self, reading: Reading, roles: tuple[str, ...]) -> tuple[Deviation, ...]:
        """The deviations that explain some arrays under a reading, those that may be declared first."""
        channels = self.channels(reading)
        part = only_channels(self._recording, reading.config.channel_axis, np.array(channels))
        own = replace(reading, config=replace(reading.config, num_channels=len(channels)))
        case, data, observation = _as_case(part, own, frozenset(role.removesuffix("_after") for role in roles))
        found, near = list[Deviation](), list[Deviation]()
        with np.errstate(all="ignore"):
            matcher = Matcher.of(case, observation, None, reading.convention, _OwnData(data))
            if not matcher.left_by_reference:
                return ()
            for deviation in deviations_for(reading.convention, ALL_CAPABILITIES):
                if self._budget.spent:
                    self.stopped = "Not all deviations were tried: the limit of work was reached."
                    break
                self._budget.spend(work(case))
                if self._progress is not None:
                    self._progress(1)
                if matcher.comes_nearer((deviation,)):
                    near.append(deviation)
                    if not matcher.left((deviation,)):
                        found.append(deviation)
            if not found:
                found = [one for one in near if not matcher.left((one,), allowance=True)]
        return tuple(sorted(found, key=lambda one: not one.convention))


def _channels(channels: int, count: int, wrong: Sequence[JudgedArray]) -> tuple[int, ...]:
    """The channels that are compared: all of them, or some that are off and some others, in order."""
    most = max(1, COMPARED // count)
    if channels <= most:
        return tuple(range(channels))
    off = list(dict.fromkeys(channel for one in wrong for channel in one.channels))
    others = [channel for channel in range(channels) if channel not in off]
    chosen = off[: max(1, most - most // 4)]
    return tuple(sorted((*chosen, *others[: most - len(chosen)])))


def _as_case(recording: Recording, reading: Reading, roles: frozenset[str]) -> tuple[Case, CaseData, Observation]:
    """The step as a case of the suite, with its data and what was observed."""
    arrays, config = recording.arrays, reading.config
    mask = None if recording.mask is None else placed_mask(recording.mask, recording.x.shape, config.channel_axis)
    storage = dtype_of(config.dtype)
    data = BatchData(
        x=np.ascontiguousarray(arrays["x"]).astype(storage, copy=False),
        dy=None if "dy" not in arrays else np.ascontiguousarray(arrays["dy"]).astype(storage, copy=False),
        gamma=arrays.get("gamma"),
        beta=arrays.get("beta"),
        mask=None if mask is None else np.ascontiguousarray(mask),
    )
    statistics = {role: arrays.get(role) for role in ("running_mean", "running_var")}
    known = all(vector is not None for vector in statistics.values())
    before: list[Returned] = [NOTHING if vector is None else vector for vector in statistics.values()]
    after: list[Returned] = [arrays.get(role, NOTHING) for role in AFTER]
    whole = known and not any(isinstance(vector, NotAnArray) for vector in after)
    judges: frozenset[str] = frozenset(
        role for role in ("y", "dx", "dgamma", "dbeta") if role in roles and role in arrays
    )
    judges |= STATISTICS if whole and roles & STATISTICS else frozenset()
    recipe = DataRecipe()
    batch = Batch(
        training=reading.training, shape=data.x.shape, x=recipe, dy=None if data.dy is None else recipe, mask=None
    )
    steps: tuple[Step, ...] = (SetStatistics(_recipe(before[0]), _recipe(before[1])), batch) if known else (batch,)
    case = Case(
        id=ID, family="FWD", title="a recorded step", clauses=("FWD-1",), config=config, steps=steps, judges=judges
    )
    backward = None
    if data.dy is not None:
        gradients = (arrays.get("dx", NOTHING), arrays.get("dgamma"), arrays.get("dbeta"))
        backward = BackwardResult(*gradients, input_modified=False)
    ended = after if whole else before
    step = StepObservation(
        before=(before[0], before[1]),
        forward=ForwardResult(arrays.get("y", NOTHING), False, False),
        after_forward=(ended[0], ended[1]),
        backward=backward,
        after=(ended[0], ended[1]),
    )
    fresh = Statistics.initial(config.num_channels, reading.convention)  # as nobody recorded it, it is no fault
    kept = dtype_of(LayerFormats.of(config, reading.convention).statistics.name)
    initial = round_to(fresh.mean, kept), round_to(fresh.variance, kept)
    return case, CaseData((data,), data.gamma, data.beta), Observation(steps=(step,), initial=initial)


def _recipe(vector: Returned) -> DataRecipe:
    return _Recorded(values=tuple(vector.astype(np.float64).tolist()) if isinstance(vector, np.ndarray) else ())
