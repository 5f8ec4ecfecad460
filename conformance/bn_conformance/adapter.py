"""The adapter contract: everything that an implementation must offer to be judged.

An adapter is a class with a `name`, a `convention`, `capabilities` and a method `build(config)` that gives a `Layer`.
Arrays go in and come out as NumPy arrays; bfloat16 is the dtype of `ml_dtypes`. An adapter module imports its
framework inside `build` (or in a module-level function that `build` calls), never at import time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from numpy.typing import NDArray

from bn_conformance.capabilities import Capabilities
from bn_conformance.layer_code import LayerCode
from bn_reference.specification.config import CUMULATIVE, LayerConfig
from bn_reference.specification.convention import Convention

__all__ = [
    "CUMULATIVE",
    "Adapter",
    "Array",
    "Capabilities",
    "Convention",
    "Gradients",
    "Layer",
    "LayerConfig",
    "RunningStatistics",
    "SavedStatistics",
    "SecondOrder",
    "ShardGradients",
]

Array = NDArray[Any]
"""A NumPy array of one of the suite's dtypes."""

CONTRACT_VERSION = 1
"""Raised when the contract changes in a way that an adapter must follow."""


class Gradients(NamedTuple):
    """What `Layer.backward` gives: dx of the shape and dtype of x; dgamma and dbeta of shape (C,), None if absent."""

    dx: Array
    dgamma: Array | None
    dbeta: Array | None


class ShardGradients(NamedTuple):
    """What `Layer.backward_shards` gives: a dx like each shard of x; dgamma and dbeta summed over shards, or None."""

    dx: Sequence[Array]
    dgamma: Array | None
    dbeta: Array | None


class RunningStatistics(NamedTuple):
    """Running mean and running variance, each of shape (C,)."""

    mean: Array
    variance: Array


class SavedStatistics(NamedTuple):
    """What a training forward keeps for its backward: mean and 1 / sqrt(biased variance + eps) of its batch, (C,)."""

    mean: Array
    inverse: Array


class SecondOrder(NamedTuple):
    """What `Layer.double_backward` gives: ds_dx and ds_ddy of the shape and dtype of x; ds_dgamma (C,) or None."""

    ds_dx: Array
    ds_dgamma: Array | None
    ds_ddy: Array


class Layer(ABC):
    """One built layer. Methods raise the framework's own errors for bad input; they never fix it up silently."""

    @abstractmethod
    def forward(self, x: Array, training: bool) -> Array:
        """Normalise x, of the configured rank and dtype; the result has the shape and dtype of x.

        In training, batch statistics normalise and (unless the convention says otherwise) running statistics move.
        """

    @abstractmethod
    def backward(self, dy: Array) -> Gradients:
        """Gradients of sum(y * dy) for the latest `forward`, in the mode which that had; dy is like y.

        x is not changed by the caller between the forward and its backward. Parameters have gradients in a frozen
        layer too.
        """

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        """As `forward`, with a mask: boolean, of the shape of x with size 1 on the channel axis, true where x counts.

        The adapter brings the mask to the form in which the implementation takes it. `backward` works after it as ever.
        """
        raise NotImplementedError("this adapter has no forward_masked(); declare Capabilities(masks=False)")

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        """As `forward`, of a batch that is split along axis 0: each shard is normalised by the statistics of all.

        This is what replicas do that train together. Each shard is a view of one array; a y comes back for each.
        `running_statistics` gives those of the first replica afterwards.

        Args:
            shards: the parts of x, in the order of the batch.
            training: as of `forward`.
            masks: a mask for each shard, as of `forward_masked`; given only where `Capabilities.shards` has "masked".
        """
        raise NotImplementedError("this adapter has no forward_shards(); declare Capabilities(shards=frozenset())")

    def backward_shards(self, dys: Sequence[Array]) -> ShardGradients:
        """Gradients of the sum of y * dy over all shards of the latest `forward_shards`."""
        raise NotImplementedError("this adapter has no backward_shards(); declare Capabilities(shards=frozenset())")

    def shard_statistics(self) -> Sequence[RunningStatistics]:
        """The running statistics that the replica of each shard of the latest `forward_shards` holds now; copies."""
        raise NotImplementedError("this adapter has no shard_statistics(); declare Capabilities(shards=frozenset())")

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        """Gradients of s = sum(dx * v_dx) + sum(dgamma * v_dgamma) + sum(dbeta * v_dbeta), of x, gamma and dy.

        dx, dgamma and dbeta are those of the latest `forward` and this dy, in the mode which that had. dy and v_dx are
        like y; v_dgamma and v_dbeta are vectors of the dtype of the parameters, None for no such term.
        """
        raise NotImplementedError(
            "this adapter has no double_backward(); declare Capabilities(second_order=frozenset())"
        )

    def saved_statistics(self) -> SavedStatistics:
        """What the latest training forward keeps for its backward, as it gave it: vectors of the parameters' format."""
        raise NotImplementedError(
            "this adapter has no saved_statistics(); declare no `forward` in Capabilities(saved_statistics=...)"
        )

    def backward_from(self, dy: Array, mean: Array, variance: Array) -> Gradients:
        """As `backward`, from the exact statistics of the batch in the place of those that the forward kept.

        mean and variance (biased, without eps) are float64 vectors of shape (C,). The adapter gives the implementation
        what it takes, such as 1 / sqrt(variance + eps), in the format in which its forward gives it.
        """
        raise NotImplementedError(
            "this adapter has no backward_from(); declare no `backward` in Capabilities(saved_statistics=...)"
        )

    @abstractmethod
    def running_statistics(self) -> RunningStatistics:
        """The running statistics as they are now; copies, not views of the layer's memory."""

    @abstractmethod
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set both running statistics, each of shape (C,) and with any strides; the arrays stay the caller's."""

    @abstractmethod
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Set gamma and beta, each of shape (C,) and with any strides; None for one that the layer does not have.

        May be called at any time; the next forward uses them. The arrays stay the caller's.
        """

    def state(self) -> Mapping[str, Array]:
        """Everything that a saved model holds of this layer, as the framework itself names it; copies, not views.

        Whether a layer is frozen is no part of it.
        """
        raise NotImplementedError("this adapter has no state(); declare Capabilities(state=False)")

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load what `state` gave of another layer of the same configuration, over whatever this layer holds."""
        raise NotImplementedError("this adapter has no load_state(); declare Capabilities(state=False)")

    def freeze(self) -> None:
        """Use the running statistics from now on, in training too, and never move them."""
        raise NotImplementedError("this adapter has no freeze(); declare Capabilities(freeze=False)")

    def overwritten(self, but: Collection[str] = ()) -> None:  # noqa: B027 - most frameworks do not count writes
        """The caller has written over its arrays: over those that went into this layer, and those that came out of it.

        A framework that counts writes into its tensors, to refuse a backward that needs old values, is told so here.

        Args:
            but: arrays that were left alone, such as `x of forward`.
        """

    def update_statistics(self) -> None:  # noqa: B027 - most layers have nothing to run
        """Run the explicit update of the running statistics.

        Called after each training forward where the convention's `statistics_move` is "explicit", and never otherwise.
        """


class Adapter(ABC):
    """One implementation of batch normalisation.

    Attributes:
        name: as it is called in reports, for example `torch.nn` or `keras[jax]`.
        convention: the choices that the implementation makes.
        capabilities: what it can do.
        framework: adapters of one framework may share a process.
        environment: environment variables that must be set before the framework is imported. In a value `{device}`
            is the device, and `{cache}` the run's own directory for what frameworks compile, shared by its processes
            (of `bnconform check`, by all that it does) and gone with it; where there is none, the variable is left out.
        requires: import names that must be importable, else the implementation is shown as not installed.
        install: the command that installs them, shown when one is missing.
        distributions: what is judged, as package indexes name it; `requires` where this is empty.
        group: "default"; or what only runs when a name or a pattern asks for it: "more" for implementations beyond the
            default matrix, "examples" for pitfalls.
    """

    name: ClassVar[str]
    convention: ClassVar[Convention]
    capabilities: ClassVar[Capabilities] = Capabilities()
    framework: ClassVar[str] = ""
    environment: ClassVar[Mapping[str, str]] = {}
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str] = ""
    distributions: ClassVar[tuple[str, ...]] = ()
    group: ClassVar[Literal["default", "more", "examples"]] = "default"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @abstractmethod
    def build(self, config: LayerConfig) -> Layer:
        """A fresh layer; with `config.eps` or `config.momentum` None, that argument is left to the framework."""

    def build_original(self, config: LayerConfig) -> Layer:
        """A fresh layer of what `build` compiles or exports, as it is without that.

        Raises:
            NotImplementedError: there is no such layer; `Capabilities.original` is False then.
        """
        raise NotImplementedError("this adapter has no build_original(); declare Capabilities(original=False)")

    def supports(self, config: LayerConfig) -> str | None:
        """None, or in a sentence why this configuration is not supported although each capability is declared.

        It is asked once for a configuration: the answer must not depend on anything else.
        """
        return None

    def code(self, config: LayerConfig) -> LayerCode | None:
        """What `build` and its layer call, as a user of the framework writes it, for `bnconform repro`.

        None where nobody wrote it. No framework is imported here.
        """
        return None

    def set_threads(self, count: int) -> None:
        """Compute with this many threads from now on, in layers built later; 1 is how a process starts.

        Raises:
            NotImplementedError: the adapter does not say how; `Capabilities.threads` is False then.
        """
        raise NotImplementedError("this adapter has no set_threads(); declare Capabilities(threads=False)")

    def versions(self) -> Mapping[str, str]:
        """Versions of the distributions that are installed, by name."""
        from importlib.metadata import PackageNotFoundError, version

        versions = {}
        for name in self.distributions or self.requires:
            try:
                versions[name] = version(name.replace("_", "-"))
            except PackageNotFoundError:
                continue
        return versions
