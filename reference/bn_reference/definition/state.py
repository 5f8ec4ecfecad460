"""The state of a layer: running statistics, gamma and beta, and the formats that it keeps them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_reference.arithmetic.formats import Format, compute_format, format_of
from bn_reference.arithmetic.quad import QUAD, Quad, bytes_of, to_quad
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention


@dataclass(frozen=True)
class Statistics:
    """Running statistics of a layer: vectors of shape (C,) in binary128.

    Attributes:
        mean, variance: the statistics.
        mean_error, variance_error: absolute errors that they may have; 0 where they are known.
        updates: how many updates made them.
    """

    mean: Quad
    variance: Quad
    mean_error: Quad
    variance_error: Quad
    updates: int = 0

    @property
    def key(self) -> tuple[bytes | None, ...]:
        """What tells them from other statistics: their numbers and errors, not how many updates made them."""
        return tuple(bytes_of(part) for part in (self.mean, self.variance, self.mean_error, self.variance_error))

    @classmethod
    def known(cls, mean: Any, variance: Any, updates: int = 0) -> Statistics:
        """Statistics without an error: set by a case, or read from the implementation."""
        mean, variance = to_quad(mean), to_quad(variance)
        return cls(mean, variance, np.zeros(mean.shape, QUAD), np.zeros(mean.shape, QUAD), updates)

    @classmethod
    def initial(cls, channels: int, convention: Convention) -> Statistics:
        """Statistics of a fresh layer."""
        variance = np.full(channels, convention.initial_running_variance)
        return cls.known(np.zeros(channels), variance)


@dataclass(frozen=True)
class GammaBeta:
    """gamma and beta as the layer stores them: vectors of shape (C,) in binary128; None where the layer has none."""

    gamma: Quad | None
    beta: Quad | None


@dataclass(frozen=True)
class LayerFormats:
    """Formats of one layer: of x and y, of parameters, of running statistics, and of sound arithmetic."""

    storage: Format
    parameters: Format
    statistics: Format
    compute: Format

    @classmethod
    def of(cls, config: LayerConfig, convention: Convention) -> LayerFormats:
        """The formats of a layer under a convention."""
        storage, parameters = format_of(config.dtype), format_of(config.parameter_dtype)
        kept = {"parameter": parameters, "float32": compute_format(parameters), "float64": format_of("float64")}
        return cls(storage, parameters, kept[convention.statistics_dtype], compute_format(storage))
