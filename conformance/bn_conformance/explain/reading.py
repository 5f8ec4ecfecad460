"""How a recorded step is read: the layer and convention that its numbers are held against, and how each was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array, Convention, LayerConfig
from bn_conformance.explain.recording import Recording
from bn_conformance.explain.roles import TENSORS
from bn_conformance.user_error import UserError

How = Literal["given", "found", "explained", "assumed", "undecided", "nearest"]


@dataclass(frozen=True)
class ReadChoice:
    """One choice of a reading.

    Attributes:
        name: such as `mode`, `eps` or `running_variance`.
        value: what was chosen.
        how: it was given; it was found from the numbers; it was found beside the mistake that explains what is wrong;
            it was assumed, since no number depends on it; the numbers allow several; or it is the nearest of those that
            were tried, and none fits.
        note: what else there is to say.
    """

    name: str
    value: Any
    how: How
    note: str = ""


@dataclass(frozen=True)
class SaidOfStep:
    """What a person says of a step; None or empty for what is to be found.

    Attributes:
        mode: "training" or "inference".
        channel_axis: axis of the channels, negative from the end.
        eps: of the layer.
        momentum: of the layer, in its own direction.
        convention: fields of the convention with their values.
    """

    mode: str = ""
    channel_axis: int | None = None
    eps: float | None = None
    momentum: float | None = None
    convention: Mapping[str, Any] = field(default_factory=dict)

    def checked(self) -> SaidOfStep:
        """The wishes themselves.

        Raises:
            UserError: one has a value that is not allowed.
        """
        if self.mode not in ("", "training", "inference"):
            raise UserError(f"mode is {self.mode!r}; allowed are training and inference")
        if self.eps is not None and not 0.0 <= self.eps < float("inf"):
            raise UserError(f"eps is {self.eps:g}; allowed are finite numbers from 0")
        if self.momentum is not None and not 0.0 <= self.momentum <= 1.0:
            raise UserError(f"momentum is {self.momentum:g}; allowed are 0 to 1")
        if self.convention.get("debiasing", "none") != "none":
            raise UserError("debiasing depends on the steps before, which nobody recorded; it is not read")
        try:
            replace(Convention(), **self.convention)
        except (ValueError, TypeError) as error:
            raise UserError(str(error)) from None
        return self


@dataclass(frozen=True)
class Reading:
    """A layer and a convention that a step may be of.

    Attributes:
        training: whether the statistics of the batch normalise.
        config: the layer.
        convention: the choices that it makes.
    """

    training: bool
    config: LayerConfig
    convention: Convention

    def with_(self, *, eps: float | None = None, momentum: float | None = None, **choices: Any) -> Reading:
        """The same with another eps, another weight of the new statistic, or other choices of the convention."""
        config = self.config if eps is None else replace(self.config, eps=eps)
        config = config if momentum is None else replace(config, momentum=momentum)
        return replace(self, config=config, convention=replace(self.convention, **choices))


def settings_under(settings: Sequence[ReadChoice], reading: Reading) -> tuple[ReadChoice, ...]:
    """The choices of a reading under which a mistake explains what is wrong."""
    values = {
        "mode": "training" if reading.training else "inference",
        "channel_axis": reading.config.channel_axis,
        "eps": reading.config.eps,
        "running_variance": reading.convention.running_variance,
        "momentum": reading.config.momentum,
    }
    return tuple(
        one
        if one.how == "given" or (one.how != "nearest" and values.get(one.name, one.value) == one.value)
        else ReadChoice(one.name, values[one.name], "explained")
        for one in settings
    )


def first_reading(recording: Recording, wishes: SaidOfStep, axis: int, training: bool, eps: float) -> Reading:
    """A reading of a recorded step, before its running statistics are looked at."""
    kept = "parameter" if recording.statistics == recording.parameters else recording.statistics.name
    config = LayerConfig(
        num_channels=recording.x.shape[axis],
        rank=recording.x.ndim,
        channel_axis=axis,
        dtype=recording.storage.name,
        parameter_dtype=recording.parameters.name,
        eps=eps,
        momentum=0.1,
        gamma="gamma" in recording.arrays or "dgamma" in recording.arrays,
        beta="beta" in recording.arrays or "dbeta" in recording.arrays,
    )
    choices: dict[str, Any] = {"statistics_dtype": kept, **wishes.convention, "statistics_move": "forward"}
    return Reading(training, config, replace(Convention(), **choices))


def axes_of(recording: Recording, wishes: SaidOfStep) -> list[int]:
    """The axes that the channels may have, the usual one first.

    Raises:
        UserError: no axis is as long as the vectors, or the one that is said is not.
    """
    shape, channels = recording.x.shape, recording.channels
    if wishes.channel_axis is not None:
        axis = wishes.channel_axis + len(shape) * (wishes.channel_axis < 0)
        if not 1 <= axis < len(shape):
            raise UserError(f"channel_axis is {wishes.channel_axis}; allowed are 1 to {len(shape) - 1}")
        candidates = [axis]
    else:
        candidates = list(dict.fromkeys((1, len(shape) - 1, *range(1, len(shape)))))
        candidates = candidates if channels is not None else candidates[:2]
    fitting = [axis for axis in candidates if channels in (None, shape[axis]) and _fits(recording.mask, shape, axis)]
    if not fitting and recording.mask is not None:
        raise UserError(
            f"mask has the shape {recording.mask.shape}; allowed is that of x, {shape}, without its channels"
        )
    if not fitting:
        raise UserError(f"the vectors have {channels} numbers, and no axis of x, {shape}, has as many channels")
    return fitting


def _fits(mask: NDArray[np.bool_] | None, shape: tuple[int, ...], axis: int) -> bool:
    if mask is None:
        return True
    try:
        placed_mask(mask, shape, axis)
    except ValueError:
        return False
    return True


def placed_mask(mask: NDArray[np.bool_], shape: tuple[int, ...], axis: int) -> NDArray[np.bool_]:
    """A mask of the shape of x with one channel.

    Raises:
        ValueError: it has not that shape.
    """
    if mask.ndim == len(shape) - 1:
        mask = np.expand_dims(mask, axis)
    return np.broadcast_to(mask, (*shape[:axis], 1, *shape[axis + 1 :]))


def only_channels(recording: Recording, axis: int, channels: Array) -> Recording:
    """The recording of some channels."""
    arrays = {
        role: np.take(array, channels, axis if role in TENSORS else 0) for role, array in recording.arrays.items()
    }
    return replace(recording, arrays=arrays)
