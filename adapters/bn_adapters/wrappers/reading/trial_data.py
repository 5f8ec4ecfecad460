"""Data on which code is read, and what batch normalisation makes of them, in plain float64.

This recognises what is what. It judges nothing: code that is wrong by a few per cent is read as code that is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.wrappers.trial import CHANNELS
from bn_conformance.adapter import Array

EPS, MOMENTUM = 0.5, 0.25
"""Values that show: eps as large as the variances, and a momentum whose direction cannot be mistaken."""

ALIKE = 0.98
"""Correlation from which on two results are taken for the same thing."""

_SPACE = 2
"""Size of an axis of space: smaller than the number of channels, so that a kernel that takes it for them stays within
the memory of its vectors."""

_GAMMA = (1.5, -0.5, 2.0)
_BETA = (0.25, 3.0, -1.0)
_MEAN = (-1.0, 2.5, 0.5)
_VARIANCE = (4.0, 0.5, 1.5)


@dataclass(frozen=True)
class TrialData:
    """An x with its channels on an axis, and vectors that are all different.

    Attributes:
        x, dy: of one rank and dtype.
        axis: of the channels.
        vectors: gamma, beta, running mean and running variance, by role, each of shape (3,).
    """

    x: Array
    dy: Array
    axis: int
    vectors: dict[str, Array]

    @classmethod
    def of(cls, rank: int, axis: int, dtype: str = "float64", batch: int = 6) -> TrialData:
        """The data of a rank."""
        random = np.random.Generator(np.random.PCG64(rank))
        shape = [batch, *[_SPACE] * (rank - 2)]
        shape.insert(axis, CHANNELS)
        x = random.standard_normal(shape) + 0.5
        scale = np.asarray([1.0, 0.5, 3.0]).reshape([CHANNELS if place == axis else 1 for place in range(rank)])
        dy = random.standard_normal(x.shape) + 0.25
        names = ("weight", "bias", "running_mean", "running_var")
        vectors = dict(zip(names, (np.array(one, dtype) for one in (_GAMMA, _BETA, _MEAN, _VARIANCE)), strict=True))
        return cls((x * scale).astype(dtype), dy.astype(dtype), axis, vectors)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes over which means are taken."""
        return tuple(place for place in range(self.x.ndim) if place != self.axis)

    @property
    def count(self) -> int:
        """Values of a channel."""
        return self.x.size // CHANNELS

    @property
    def batch_mean(self) -> Array:
        """Of each channel."""
        return np.asarray(self.x.mean(self.axes, dtype=np.float64))

    @property
    def batch_variance(self) -> Array:
        """Of each channel, biased."""
        return np.asarray(self.x.var(self.axes, dtype=np.float64))

    def column(self, vector: Any) -> Array:
        """A vector in a shape that broadcasts to x."""
        return np.asarray(vector).reshape([-1 if place == self.axis else 1 for place in range(self.x.ndim)])

    def normalised(self, training: bool, eps: float) -> Array:
        """x without its mean, over its deviation."""
        mean, variance = (
            (self.batch_mean, self.batch_variance)
            if training
            else (self.vectors["running_mean"], self.vectors["running_var"])
        )
        return np.asarray((self.x - self.column(mean)) / self.column(np.sqrt(variance + eps)))

    def y(self, training: bool, eps: float, gamma: Any = None, beta: Any = None) -> Array:
        """The result; gamma and beta as they are given, else 1 and 0."""
        scale = 1.0 if gamma is None else self.column(gamma)
        shift = 0.0 if beta is None else self.column(beta)
        return np.asarray(scale * self.normalised(training, eps) + shift)

    def gradients(self, training: bool, eps: float, gamma: Any = None) -> tuple[Array, Array, Array]:
        """dx, dgamma and dbeta."""
        normalised = self.normalised(training, eps)
        dbeta, dgamma = self.dy.sum(self.axes), (self.dy * normalised).sum(self.axes)
        inner = self.dy
        if training:
            inner = inner - self.column(dbeta) / self.count - normalised * self.column(dgamma) / self.count
        variance = self.batch_variance if training else self.vectors["running_var"]
        scale = self.column((1.0 if gamma is None else np.asarray(gamma)) / np.sqrt(variance + eps))
        return inner * scale, dgamma, dbeta


def alike(got: Any, expected: Array) -> float:
    """How alike two results are: 1 less the size of their difference, relative to the spread of the expected one.

    Never above 1, and minus infinity for what has another shape or is not finite.
    """
    got = np.asarray(got)
    if got.shape != expected.shape or got.dtype.kind not in "fiu":
        return -np.inf
    got = got.astype(np.float64)
    if not np.isfinite(got).all():
        return -np.inf
    spread = float(np.abs(expected).max()) or 1.0
    return 1.0 - float(np.abs(got - expected).max()) / spread


def as_vector(value: Any) -> Array | None:
    """A value as a vector of one number a channel, float64; None where it has another number of them."""
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.size != CHANNELS or max(array.shape, default=0) != CHANNELS:
        return None
    return array.reshape(-1).astype(np.float64)


def nice(value: float, digits: int = 6) -> float:
    """A measured number as a person would have written it, with the fewest digits that still fit what was measured."""
    for count in range(1, digits):
        rounded = float(f"{value:.{count}g}")
        if abs(rounded - value) <= abs(value) * 10.0**-digits:
            return rounded
    return value
