"""Mistakes in strides and in who owns which memory."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients, LayerConfig, RunningStatistics


@caught_by("LAYOUT-3")
class DyInTheOrderOfX(GoodLayer):
    order: str = "C"

    def forward(self, x: Array, training: bool) -> Array:
        self.order = "F" if x.flags.f_contiguous and not x.flags.c_contiguous else "C"
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        if self.order == "F":
            dy = np.frombuffer(dy.tobytes(order="A"), dy.dtype).reshape(dy.shape, order="F")
        return super().backward(dy)


@caught_by("LAYOUT-3")
class IgnoresStridesOfDy(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        if not dy.flags.c_contiguous and self.latest is not None and dy.strides[-1] == 2 * dy.itemsize:
            assert isinstance(dy.base, np.ndarray)
            dy = dy.base.reshape(-1)[: dy.size].reshape(dy.shape)
        return super().backward(dy)


@caught_by("LAYOUT-3")
class IgnoresTheSignOfStrides(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        forwards = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in x.strides)
        return super().forward(x[forwards], training)


@caught_by("LAYOUT-3")
class IgnoresStridesOfVectors(GoodLayer):
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(self.read(gamma), self.read(beta))

    def read(self, vector: Array | None) -> Array | None:
        if vector is None or vector.flags.c_contiguous or not isinstance(vector.base, np.ndarray):
            return vector
        return vector.base[: vector.size]


@caught_by("LAYOUT-3")
class IgnoresStridesOfStatistics(GoodLayer):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        read = [part if part.base is None else np.asarray(part.base)[: part.size] for part in (mean, variance)]
        super().set_running_statistics(*read)


@caught_by("PURE-1")
class WritesBetweenTheElements(GoodLayer):
    """A kernel that clears whole cache lines of a strided x."""

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if isinstance(x.base, np.ndarray) and x.base.shape[-1] == 2 * x.shape[-1]:
            x.base[..., 1::2] = 0
        return y


@caught_by("PURE-3")
class SavedTensorsAreShared(GoodLayer):
    """Of all layers the latest forward counts."""

    shared: ClassVar[list[tuple[Array, Array, bool] | None]] = [None]

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        self.shared[0] = self.latest
        return y

    def backward(self, dy: Array) -> Gradients:
        self.latest = self.shared[0]
        return super().backward(dy)


@caught_by("PURE-3")
class RunningStatisticsAreShared(GoodLayer):
    held: ClassVar[dict[str, Array]] = {}

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.held[self.key] = self.running_mean

    @property
    def key(self) -> str:
        return f"{self.config}"

    def forward(self, x: Array, training: bool) -> Array:
        self.running_mean = self.held.get(self.key, self.running_mean)
        y = super().forward(x, training)
        self.held[self.key] = self.running_mean
        return y

    def running_statistics(self) -> RunningStatistics:
        self.running_mean = self.held[self.key]
        return super().running_statistics()

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        super().set_running_statistics(mean, variance)
        self.held[self.key] = self.running_mean


@caught_by("PURE-3")
class ParametersAreShared(GoodLayer):
    """Gamma lives with the kernel that was compiled for a configuration."""

    kernels: ClassVar[dict[str, Array]] = {}

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, beta)
        self.kernels[f"{self.config}"] = self.gamma

    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        self.gamma = self.kernels.get(f"{self.config}", self.gamma)
        return super().dx_in_training(dy, xhat, inverse)


@caught_by("PURE-3")
class ScratchOfTheShape(GoodLayer):
    """Normalised values wait for the backward in memory that is kept by shape."""

    scratch: ClassVar[dict[tuple[int, ...], Array]] = {}

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        assert self.latest is not None
        rows = self.latest[0]
        self.scratch.setdefault(rows.shape, np.empty_like(rows))[...] = rows
        return y

    def backward(self, dy: Array) -> Gradients:
        assert self.latest is not None
        self.latest = self.scratch[self.latest[0].shape], *self.latest[1:]
        return super().backward(dy)


@caught_by("PURE-4")
class BackwardOverwritesX(GoodLayer):
    x: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.x = x
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        if self.x is not None and self.x.flags.writeable:
            self.x[...] = gradients.dx
        return gradients


@caught_by("PURE-4")
class NextForwardOverwritesDy(GoodLayer):
    dy: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        if self.dy is not None and self.dy.flags.writeable:
            self.dy[...] = 0
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        self.dy = dy
        return super().backward(dy)


class _Reuses(GoodLayer):
    """Gives results in memory that the next result of the same kind and shape is written to."""

    def reused(self, name: str, result: Array) -> Array:
        kept: Array | None = getattr(self, f"kept_{name}", None)
        if kept is None or kept.shape != result.shape:
            setattr(self, f"kept_{name}", result)
            return result
        kept[...] = result
        return kept


@caught_by("PURE-4")
class ReusesTheMemoryOfY(_Reuses):
    def forward(self, x: Array, training: bool) -> Array:
        return self.reused("y", super().forward(x, training))


@caught_by("PURE-4")
class ReusesTheMemoryOfDx(_Reuses):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        return gradients._replace(dx=self.reused("dx", gradients.dx))


@caught_by("PURE-4")
class ReusesTheMemoryOfDgamma(_Reuses):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        assert gradients.dgamma is not None
        return gradients._replace(dgamma=self.reused("dgamma", gradients.dgamma))


@caught_by("PURE-4")
class BackwardOverwritesY(GoodLayer):
    y: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.y = super().forward(x, training)
        return self.y

    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        if self.y is not None:
            self.y[...] = gradients.dx
        return gradients


@caught_by("PURE-4")
class AllLayersWriteToOneY(GoodLayer):
    outputs: ClassVar[dict[tuple[int, ...], Array]] = {}

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if training and y.dtype == np.float32:
            kept = self.outputs.setdefault(y.shape, y)
            kept[...] = y
            return kept
        return y
