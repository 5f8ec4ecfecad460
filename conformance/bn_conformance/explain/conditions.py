"""How much of a difference to another y an error of x explains, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bn_conformance.explain.goldens import StepGoldens
from bn_reference.arithmetic.quad import Quad, to_float64, to_quad
from bn_reference.bounds.condition import Condition
from bn_reference.definition import graph
from bn_reference.specification.grades import STABLE

UNBOUND = 0.1
"""Share of the deviation by which an error of x may move it before the first order says little."""


@dataclass(frozen=True)
class OtherY:
    """The difference to another y in one channel.

    Attributes:
        difference: the largest |y - other y|.
        rounding: what rounding in both may make there.
        needed: the smallest relative error of x that can make it, to first order; infinite where none can.
        explained: whether the error of x that was asked about is enough.
    """

    difference: float
    rounding: float
    needed: float
    explained: bool


@dataclass(frozen=True)
class ChannelCondition:
    """What a relative error of x becomes in y, in one channel (item 12 of BOUNDS.md).

    Attributes:
        channel: its number.
        mean: of x, or the running one in inference.
        deviation: sqrt(variance).
        typical: the root mean square of the error of y, where the errors of x are independent.
        largest: the largest error of y that errors of x of the worst signs make, to first order.
        most: what the error of y cannot exceed, whatever the errors of x are.
        beyond: whether the error moves the deviation itself so far that the first order says little.
        other: the difference to another y; None where there is no other y.
    """

    channel: int
    mean: float
    deviation: float
    typical: float
    largest: float
    most: float
    beyond: bool
    other: OtherY | None

    @property
    def share(self) -> float:
        """The deviation as a share of the mean; infinite where the mean is 0."""
        return self.deviation / abs(self.mean) if self.mean else float("inf")


def conditions_of(goldens: StepGoldens, error: float) -> list[ChannelCondition]:
    """The condition of every channel.

    Args:
        goldens: of the step.
        error: the relative error of x that is asked about.
    """
    found: list[ChannelCondition] = []
    with np.errstate(all="ignore"):
        for group in goldens.groups:
            found += _of_group(goldens, group, error)
    return found


def _of_group(goldens: StepGoldens, group: slice, error: float) -> list[ChannelCondition]:
    golden, reading = goldens.golden(group.start, group.stop), goldens.reading
    if reading.training:
        nodes = golden.nodes
    else:
        before = goldens.before(group.start, group.stop)
        eps = golden.eps if reading.convention.eps_in_inference else to_quad(0.0)
        nodes = graph.inference(golden.x, before.mean, before.variance, None, None, eps)
    gamma = golden.parameters.gamma
    condition = Condition(
        size=to_float64(np.abs(golden.x)),
        normalised=to_float64(nodes.normalised),
        deviation=to_float64(nodes.standard_deviation),
        gamma=np.ones(len(nodes.mean)) if gamma is None else to_float64(np.abs(gamma)),
        training=reading.training,
        mask=goldens.mask if reading.training else None,
    )
    others = _others(goldens, group, condition, error)
    columns = {
        "mean": to_float64(nodes.mean),
        "deviation": to_float64(np.sqrt(nodes.variance)),
        "typical": error * np.sqrt(np.mean(condition.typical**2, axis=1)),
        "largest": error * np.max(condition.largest, axis=1),
        "most": np.max(condition.most(error), axis=1),
    }
    shift = condition.shift(error)
    return [
        ChannelCondition(
            channel=group.start + row,
            **{name: float(column[row]) for name, column in columns.items()},
            beyond=not shift[row] <= UNBOUND,
            other=None if others is None else others[row],
        )
        for row in range(len(nodes.mean))
    ]


def _others(goldens: StepGoldens, group: slice, condition: Condition, error: float) -> list[OtherY] | None:
    """The difference to the other y in each channel of a group; None where there is none."""
    if not {"y", "y_other"} <= goldens.recording.arrays.keys():
        return None
    first, second = (goldens.rows(role, group.start, group.stop) for role in ("y", "y_other"))
    difference = _float(np.abs(first - second))
    difference = np.where((first == second) | (np.isnan(first) & np.isnan(second)), 0.0, difference)
    difference = np.where(np.isnan(difference), np.inf, difference)
    rounding = 2 * _float(goldens.of_group("y", group).bound(STABLE).allowed)
    needed = condition.explaining(difference, rounding)
    places = np.argmax(difference, axis=1)
    return [
        OtherY(
            difference=float(difference[row, place]),
            rounding=float(rounding[row, place]),
            needed=float(needed[row]),
            explained=bool(needed[row] <= error),
        )
        for row, place in enumerate(places)
    ]


def _float(values: Quad) -> NDArray[np.float64]:
    return np.asarray(values).astype(np.float64)
