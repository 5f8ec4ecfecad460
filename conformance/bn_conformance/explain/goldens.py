"""Goldens of a recorded step, by groups of channels, so that a large tensor need not be held in binary128."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import numpy as np

from bn_conformance.explain.reading import Reading, placed_mask
from bn_conformance.explain.recording import MOST_PER_CHANNEL, Recording
from bn_conformance.text import counted
from bn_conformance.user_error import UserError
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.golden.nothing_counted import unchanged_statistics
from bn_reference.specification.grades import GRADES, STABLE, TIGHT

GROUP = 1 << 16
"""Values in a group of channels; it has one channel at least."""

KEPT = 1 << 20
"""Values of which all goldens are kept; of more, those of the latest group."""

AFTER = {"running_mean_after": "running_mean", "running_var_after": "running_var"}


class _Parts(Expected):
    """A golden of which only the parts hold numbers: one for each group of channels."""

    whole = False

    def __init__(self, parts: Callable[[], Iterable[Expected]]) -> None:
        nothing = to_quad(np.zeros((0, 0)))
        super().__init__(nothing, lambda _: Bound(nothing, np.zeros(0, np.bool_)))
        self._parts = parts

    def parts(self) -> Iterable[Expected]:
        """The goldens of the groups."""
        return self._parts()


class StepGoldens:
    """The goldens of a step under a reading.

    Args:
        recording: the step.
        reading: what it is held against.
        progress: is told of each group that is computed: how many values it has.

    Raises:
        UserError: a channel has too many values.
    """

    def __init__(self, recording: Recording, reading: Reading, progress: Callable[[int], None] | None = None) -> None:
        self.recording, self.reading, self._progress = recording, reading, progress
        self.axis, x = reading.config.channel_axis, recording.x
        self.count = x.size // x.shape[self.axis]
        if self.count > MOST_PER_CHANNEL:
            most = f"at most {MOST_PER_CHANNEL:,} are judged; give a part of the batch that is a batch of its own"
            raise UserError(f"x has {counted(self.count, 'value')} in a channel; {most}")
        step = max(1, GROUP // self.count)
        self.groups = [slice(start, start + step) for start in range(0, x.shape[self.axis], step)]
        mask = recording.mask
        self.mask = None if mask is None else channels_first(placed_mask(mask, x.shape, self.axis), self.axis)[0]
        kept = max(1, KEPT // (step * self.count))
        self.golden: Callable[[int, int], Golden] = lru_cache(kept)(self._golden)
        self._outputs: Callable[[int, int, bool], Mapping[str, Expected]] = lru_cache(kept)(self._outputs_of)
        self._vectors: dict[str, list[Expected]] = {}

    def rows(self, role: str, start: int, stop: int) -> Quad:
        """Some channels of a tensor as rows in binary128."""
        index = (*[slice(None)] * self.axis, slice(start, stop))
        return to_quad(np.ascontiguousarray(channels_first(self.recording.arrays[role][index], self.axis)))

    def vector(self, role: str, start: int, stop: int) -> Quad | None:
        """Some channels of a vector in binary128; None where it is not there."""
        array = self.recording.arrays.get(role)
        return None if array is None else to_quad(array[start:stop])

    def _golden(self, start: int, stop: int) -> Golden:
        if self._progress is not None:
            self._progress(min(stop, self.recording.x.shape[self.axis]) * self.count - start * self.count)
        parameters = GammaBeta(self.vector("gamma", start, stop), self.vector("beta", start, stop))
        reading = self.reading
        return Golden(
            reading.config, reading.convention, self.rows("x", start, stop), parameters, mask=self._training_mask
        )

    @property
    def _training_mask(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None:
        return self.mask if self.reading.training else None

    def before(self, start: int, stop: int) -> Statistics:
        """The running statistics before the step; 0 and 1 for one that nobody recorded."""
        mean, variance = (self.vector(role, start, stop) for role in ("running_mean", "running_var"))
        channels = min(stop, self.recording.x.shape[self.axis]) - start
        mean = to_quad(np.zeros(channels)) if mean is None else mean
        variance = to_quad(np.ones(channels)) if variance is None else variance
        return Statistics.known(mean, variance)

    def _outputs_of(self, start: int, stop: int, backward: bool) -> Mapping[str, Expected]:
        golden = self.golden(start, stop)
        dy = self.rows("dy", start, stop) if backward else None
        return golden.training(dy) if self.reading.training else golden.inference(self.before(start, stop), dy)

    def _statistics(self, start: int, stop: int) -> Mapping[str, Expected]:
        before = self.before(start, stop)
        after = self.golden(start, stop).updated(before) if self.reading.training else unchanged_statistics(before)
        return {role: after[name] for role, name in AFTER.items()}

    def of_group(self, role: str, group: slice) -> Expected:
        """The golden of a role in a group of channels."""
        if role in AFTER:
            return self._statistics(group.start, group.stop)[role]
        name = "y" if role == "y_other" else role
        return self._outputs(group.start, group.stop, name != "y")[name]

    def expected(self, role: str) -> Expected:
        """The golden of a role in all channels."""
        if len(self.groups) == 1:
            return self.of_group(role, self.groups[0])
        if role in ("y", "y_other", "dx"):
            around = (slice(None),) * self.axis
            return _Parts(
                lambda: (_placed(self.of_group(role, group), (*around, group), group.start) for group in self.groups)
            )
        return _Parts(lambda: self._frozen(role))

    def _frozen(self, role: str) -> list[Expected]:
        """The goldens of a vector in all groups, made for all vectors at once; they hold no rows."""
        if role not in self._vectors:
            roles = [one for one in self.recording.judged if one not in ("y", "dx")]
            parts: dict[str, list[Expected]] = {one: [] for one in roles}
            for group in self.groups:
                for one in roles:
                    parts[one].append(_without_rows(self.of_group(one, group), group))
            self._vectors = parts
        return self._vectors[role]


def _placed(expected: Expected, entries: tuple[slice, ...], row: int) -> Expected:
    return Expected(expected.values, expected.bound, entries, 0, expected.range, row, expected.uncut)


def _without_rows(expected: Expected, group: slice) -> Expected:
    """The golden of a vector with all its bounds, which hold on to no rows."""
    bounds = {grade: expected.bound(grade) for grade in GRADES}
    ranges = None if expected.range is None else {grade: expected.range(grade) for grade in (TIGHT, STABLE)}
    range_ = None if ranges is None else ranges.__getitem__
    return Expected(expected.values, bounds.__getitem__, (group,), 0, range_, group.start)
