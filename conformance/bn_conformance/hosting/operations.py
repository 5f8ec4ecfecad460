"""The operations of a host: the one table that hosts, the worker and the page of the protocol read.

Each operation is a frozen dataclass. Its fields are the arguments of a request, its docstring says what it does, and
the type in the brackets after `Call` is its result. `OPERATIONS` lists them by name: `forward` is `ForwardCall`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.targets.description import Description

ResultT_co = TypeVar("ResultT_co", covariant=True)

Returned = Array | NotAnArray
"""What an implementation gave: an array of numbers, or a description of what it gave instead."""

OPERATIONS: dict[str, type[Call[Any]]] = {}
"""Every operation by its name, in the order of this module."""


class Call(Generic[ResultT_co]):
    """One operation with its arguments; a layer is named by the number that `Host.reserve` gave."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        words = re.findall("[A-Z][a-z]+", cls.__name__.removesuffix("Call"))
        cls.name = "_".join(words).lower()
        OPERATIONS[cls.name] = cls


@dataclass(frozen=True)
class LoadResult:
    """The version of the protocol that the worker speaks, and what the adapter declares."""

    protocol: int
    description: Description


@dataclass(frozen=True)
class ForwardResult:
    """What a forward gave, whether it changed x, and whether y shares memory with x."""

    y: Returned
    input_modified: bool
    shares_input: bool


@dataclass(frozen=True)
class BackwardResult:
    """What a backward gave (None for a gradient that does not exist), and whether it changed dy."""

    dx: Returned
    dgamma: Returned | None
    dbeta: Returned | None
    input_modified: bool


@dataclass(frozen=True)
class SecondResult:
    """What a double backward gave (None for a gradient that does not exist), and whether it changed an input."""

    ds_dx: Returned
    ds_dgamma: Returned | None
    ds_ddy: Returned
    input_modified: bool


@dataclass(frozen=True)
class SavedResult:
    """The mean and the inverse deviation that a forward keeps for its backward."""

    saved_mean: Returned
    saved_invstd: Returned


@dataclass(frozen=True)
class BackwardFromResult:
    """What a backward from given statistics gave (None for a gradient that does not exist)."""

    dx_given: Returned
    dgamma_given: Returned | None
    dbeta_given: Returned | None


@dataclass(frozen=True, eq=False)
class LoadCall(Call[LoadResult]):
    """Load an adapter on a device; calls after it are about this adapter. `protocol` is 1."""

    target: str
    device: str


@dataclass(frozen=True, eq=False)
class SupportsCall(Call[str | None]):
    """Ask whether a configuration is supported: null, or the reason why it is not."""

    config: LayerConfig


@dataclass(frozen=True, eq=False)
class BuildCall(Call[None]):
    """Build a layer under a number that is not in use, or the layer that it was compiled or exported from."""

    config: LayerConfig
    layer: int
    original: bool = False


@dataclass(frozen=True, eq=False)
class ForwardCall(Call[ForwardResult]):
    """Run forward on a view of x, masked where there is a mask; or that of shards of so many entries of both."""

    layer: int
    x: Array
    view: str
    training: bool
    mask: Array | None = None
    shards: Sequence[int] = ()
    same_array: bool = False


@dataclass(frozen=True, eq=False)
class BackwardCall(Call[BackwardResult]):
    """Run backward on a view of dy, for the latest forward; where that had shards, on shards of so many entries."""

    layer: int
    dy: Array
    view: str
    shards: Sequence[int] = ()
    same_array: bool = False


@dataclass(frozen=True, eq=False)
class DoubleBackwardCall(Call[SecondResult]):
    """Run the double backward on views of dy and v_dx: gradients of gradients, weighed with v_dx and the others."""

    layer: int
    dy: Array
    v_dx: Array
    v_dgamma: Array | None
    v_dbeta: Array | None
    view: str = "contiguous"


@dataclass(frozen=True, eq=False)
class SavedStatisticsCall(Call[SavedResult]):
    """Read what the latest training forward keeps for its backward: the mean and 1 / sqrt(variance + eps)."""

    layer: int


@dataclass(frozen=True, eq=False)
class BackwardFromCall(Call[BackwardFromResult]):
    """Run backward on a view of dy from this mean and biased variance of the batch, in float64."""

    layer: int
    dy: Array
    mean: Array
    variance: Array
    view: str = "contiguous"


@dataclass(frozen=True, eq=False)
class RunningStatisticsCall(Call[tuple[Returned, Returned]]):
    """Read the running mean and the running variance."""

    layer: int


@dataclass(frozen=True, eq=False)
class ShardStatisticsCall(Call[Sequence[tuple[Returned, Returned]]]):
    """Read the running mean and variance of the replica of each shard of the latest forward of shards."""

    layer: int


@dataclass(frozen=True, eq=False)
class SetRunningStatisticsCall(Call[None]):
    """Set the running statistics from views of vectors."""

    layer: int
    mean: Array
    variance: Array
    view: str = "contiguous"
    same_array: bool = False


@dataclass(frozen=True, eq=False)
class SetParametersCall(Call[None]):
    """Set gamma and beta from views of vectors; null for one that the layer does not have."""

    layer: int
    gamma: Array | None
    beta: Array | None
    view: str = "contiguous"
    same_array: bool = False


@dataclass(frozen=True, eq=False)
class StateCall(Call[Mapping[str, Returned]]):
    """Read everything that a saved model holds of the layer."""

    layer: int


@dataclass(frozen=True, eq=False)
class LoadStateCall(Call[None]):
    """Load a state into the layer."""

    layer: int
    state: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class FreezeCall(Call[None]):
    """Freeze the layer: it uses its running statistics from now on and never moves them."""

    layer: int


@dataclass(frozen=True, eq=False)
class UpdateStatisticsCall(Call[None]):
    """Run the explicit update of the running statistics."""

    layer: int


@dataclass(frozen=True, eq=False)
class SetThreadsCall(Call[None]):
    """Compute with this many threads in layers that are built later."""

    count: int


@dataclass(frozen=True, eq=False)
class ConcurrentlyCall(Call[Sequence[Sequence[Sequence[Returned | None]]]]):
    """Train layers, or infer (y alone), at the same time, a thread each: per layer and round y, dx, dgamma, dbeta."""

    layers: Sequence[int]
    xs: Sequence[Array]
    dys: Sequence[Array]
    rounds: int
    training: bool = True


@dataclass(frozen=True, eq=False)
class OverwriteCall(Call[None]):
    """Write over the arrays that the layer was given or gave, as their owner may, except those named in `but`."""

    layer: int
    but: Sequence[str]


@dataclass(frozen=True, eq=False)
class DropCall(Call[Sequence[str]]):
    """Forget the layer; the result names the arrays that changed after their call, as `y of forward 1`."""

    layer: int
