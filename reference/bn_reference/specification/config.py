"""What one batch-normalisation layer is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bn_reference.arithmetic.formats import FORMATS, format_of

CUMULATIVE: Literal["cumulative"] = "cumulative"
"""Momentum "none": running statistics are the plain average over all training batches so far."""


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """A layer as every implementation is asked to build it, in neutral terms.

    Attributes:
        num_channels: channels C, 0 or more; gamma, beta and the running statistics have shape ``(C,)``.
        rank: number of axes of x, 2 to 5; axis 0 is the batch.
        channel_axis: axis of x that holds the channels, from 1 to ``rank - 1``.
        dtype: format of x, y, dy and dx.
        parameter_dtype: format of gamma, beta and their gradients (as wide as ``dtype`` or wider).
        eps: added to the variance; None builds the layer with the implementation's own default.
        momentum: weight of the *new* batch statistic, ``running = (1 - momentum) * running + momentum * batch``
            (PyTorch's direction; pass ``config.keep`` to a framework that weighs the old one); None is the
            implementation's own default, `CUMULATIVE` the plain average over batches.
        gamma: whether the layer scales.
        beta: whether the layer shifts.

    Raises:
        ValueError: an argument is outside what is allowed; the message names it, its value and what is allowed.
    """

    num_channels: int
    rank: int = 4
    channel_axis: int = 1
    dtype: str = "float32"
    parameter_dtype: str = "float32"
    eps: float | None = 2.0**-10
    momentum: float | Literal["cumulative"] | None = 0.25
    gamma: bool = True
    beta: bool = True

    def __post_init__(self) -> None:
        if self.num_channels < 0:
            raise ValueError(f"num_channels is {self.num_channels}; allowed are 0 and above")
        if not 2 <= self.rank <= 5:
            raise ValueError(f"rank is {self.rank}; allowed are 2 to 5")
        if not 1 <= self.channel_axis < self.rank:
            allowed = f"1 to {self.rank - 1} at rank {self.rank}"
            raise ValueError(f"channel_axis is {self.channel_axis}; allowed are {allowed}")
        storage, parameters = format_of(self.dtype), format_of(self.parameter_dtype)
        if parameters.precision < storage.precision:
            wider = [name for name, known in FORMATS.items() if known.precision >= storage.precision]
            raise ValueError(
                f"parameter_dtype is {self.parameter_dtype!r}; allowed for {self.dtype} are {', '.join(wider)}"
            )
        if self.eps is not None and not 0.0 <= self.eps < float("inf"):
            raise ValueError(f"eps is {self.eps}; allowed are finite numbers from 0, or None")
        if isinstance(self.momentum, str):
            if self.momentum != CUMULATIVE:
                raise ValueError(f"momentum is {self.momentum!r}; allowed are 0 to 1, {CUMULATIVE!r} or None")
        elif self.momentum is not None and not 0.0 <= self.momentum <= 1.0:
            raise ValueError(f"momentum is {self.momentum}; allowed are 0 to 1, {CUMULATIVE!r} or None")

    @property
    def keep(self) -> float | None:
        """Weight of the *old* running statistic, ``1 - momentum``; None where momentum is the default.

        Raises:
            ValueError: the average is cumulative, so that the weight changes with every batch.
        """
        if isinstance(self.momentum, str):
            raise ValueError("keep is not defined for a cumulative average; its weight changes with every batch")
        return None if self.momentum is None else 1.0 - self.momentum

    @property
    def layout(self) -> Literal["first", "last", "between"]:
        """Where the channels are; at rank 2 axis 1 is both first and last and is called first."""
        if self.channel_axis == 1:
            return "first"
        return "last" if self.channel_axis == self.rank - 1 else "between"

    @property
    def reduced_axes(self) -> tuple[int, ...]:
        """Every axis of x but the channel axis."""
        return tuple(axis for axis in range(self.rank) if axis != self.channel_axis)

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain data (JSON types)."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LayerConfig:
        """The configuration that `to_json` gave.

        Raises:
            ValueError: a value is not allowed.
            TypeError: a key is unknown or missing.
        """
        return cls(**data)
