"""How a user of a framework calls its batch normalisation: lines of Python, without bnconform.

`bnconform repro` makes of them a script that shows a fault in the framework alone. An adapter that has such code gives
it with `Adapter.code`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from bn_reference.specification.config import LayerConfig

Lines = Iterable[str]
"""Lines of Python."""


@dataclass(frozen=True, kw_only=True)
class StepCall:
    """What is asked of a layer in one step.

    Attributes:
        training: whether the forward is in training.
        masked: whether there is a mask.
        backward: whether gradients are asked for.
        second: the names of the weights of the second order that there are, of `v_dx`, `v_dgamma` and `v_dbeta`; empty
            for no second order.
        shards: sizes on axis 0 of the shards that x, the mask and dy are split into; empty for a step without.
        reversed_axes: which of `x` and `dy` lie in memory in the opposite order of their axes, where a framework sees
            that; the arrays themselves are contiguous.
    """

    training: bool
    masked: bool = False
    backward: bool = False
    second: tuple[str, ...] = ()
    shards: tuple[int, ...] = ()
    reversed_axes: frozenset[str] = frozenset()


class LayerCode(ABC):
    """The code of one layer.

    The lines may use `np` and these NumPy arrays: gamma, beta, running_mean and running_var of shape (C,); x, dy and
    v_dx, which are alike; v_dgamma and v_dbeta of shape (C,); and mask, of the shape of x with size 1 on the channel
    axis. Where the format is bfloat16, the arrays are float32 and hold numbers of bfloat16. The lines assign to none.

    What a step leaves are arrays of the framework, under names that end with `_out`.

    Attributes:
        imports: statements that import the framework.
        array: an expression that makes a float64 NumPy array of the framework's `value`, for example
            `value.detach().double().numpy()`.
        sharded: whether `step` knows shards.
    """

    imports: tuple[str, ...]
    array: str
    sharded = False

    def __init__(self, config: LayerConfig) -> None:
        self.config = config

    @abstractmethod
    def build(self) -> Lines:
        """Make the layer, with its own defaults for gamma, beta and the running statistics."""

    @abstractmethod
    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        """Set those of gamma and beta that `names` holds."""

    @abstractmethod
    def set_statistics(self) -> Lines:
        """Set the running statistics to running_mean and running_var."""

    @abstractmethod
    def step(self, call: StepCall) -> Lines:
        """Run a step: leave y_out, and dx_out, dgamma_out, dbeta_out, ds_dx_out, ds_dgamma_out and ds_ddy_out if asked.

        There is a gradient for each parameter that the layer has, and no other. What is left of shards is of the whole
        batch: y_out and dx_out like x, and the gradients of parameters summed over the shards.
        """

    @abstractmethod
    def statistics(self) -> Lines:
        """Leave running_mean_out and running_var_out."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of gamma and beta that the layer has."""
        return tuple(name for name in ("gamma", "beta") if getattr(self.config, name))
