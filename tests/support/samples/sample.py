"""A sample: one batch with its parameters and a state, which every test of the reference starts from."""

from __future__ import annotations

from dataclasses import dataclass

from bn_conformance.cases.recipes import RowsOfData
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

FORMAT_NAMES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One batch, and a state to update or to infer from; rows are (C, n) float64 that hold values of `dtype`."""

    name: str
    dtype: str
    parameter_dtype: str
    eps: float
    x: RowsOfData
    dy: RowsOfData
    gamma: RowsOfData
    beta: RowsOfData
    running_mean: RowsOfData
    running_variance: RowsOfData
    exact_statistics: bool = False

    @property
    def channels(self) -> int:
        return int(self.x.shape[0])

    @property
    def count(self) -> int:
        return int(self.x.shape[1])

    def config(self, momentum: float = 0.25) -> LayerConfig:
        return LayerConfig(
            num_channels=self.channels,
            rank=2,
            dtype=self.dtype,
            parameter_dtype=self.parameter_dtype,
            eps=self.eps,
            momentum=momentum,
        )

    def golden(self, convention: Convention | None = None, momentum: float = 0.25) -> Golden:
        parameters = GammaBeta(to_quad(self.gamma), to_quad(self.beta))
        chosen = convention or Convention()
        return Golden(self.config(momentum), chosen, to_quad(self.x), parameters, self.exact_statistics)

    @property
    def dy_quad(self) -> Quad:
        return to_quad(self.dy)

    @property
    def statistics(self) -> Statistics:
        return Statistics.known(self.running_mean, self.running_variance)
