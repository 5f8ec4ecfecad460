"""Tries readings of a recorded step on a few channels: how many quantities are wrong under each?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bn_conformance.comparison.array import compare
from bn_conformance.explain.goldens import StepGoldens
from bn_conformance.explain.reading import Reading, only_channels
from bn_conformance.explain.recording import Recording
from bn_conformance.results.outcomes import NOT_JUDGED, WRONG, Threshold

SAMPLE = 1 << 15
"""Values that a reading is tried on; one channel at least."""


@dataclass(frozen=True, order=True)
class ReadingTrial:
    """What came of a reading, to be compared with others.

    Attributes:
        wrong: how many quantities no algorithm explains.
        degraded: how many only an unstable one explains.
        excess: how wrong they are; 0 where none is.
    """

    wrong: int
    degraded: int
    excess: float

    @property
    def fits(self) -> bool:
        """Whether a sound algorithm explains every quantity."""
        return not self.wrong and not self.degraded


def sampled(recording: Recording, axis: int) -> Recording:
    """The recording of a few channels, spread over all."""
    channels = recording.x.shape[axis]
    wanted = max(1, min(channels, SAMPLE * channels // recording.x.size))
    return only_channels(recording, axis, np.unique(np.linspace(0, channels - 1, wanted).astype(np.intp)))


def tried_reading(sample: Recording, reading: Reading, roles: Iterable[str]) -> ReadingTrial:
    """Judge some quantities of a sample under a reading."""
    config = reading.config.to_json() | {"num_channels": sample.x.shape[reading.config.channel_axis]}
    goldens = StepGoldens(sample, Reading(reading.training, type(reading.config)(**config), reading.convention))
    wrong, degraded, excess = 0, 0, 0.0
    for role in roles:
        got = sample.arrays[role]
        found = compare(role, goldens.expected(role), got, goldens.axis if got.ndim > 1 else 0)
        if found.level == WRONG:
            wrong += 1
            worst = np.inf if found.worst is None else found.worst.sortable
            excess = max(excess, worst)
        elif found.level != NOT_JUDGED:
            degraded += not Threshold.STABLE.tolerates(found.level)
    return ReadingTrial(wrong, degraded, excess)
