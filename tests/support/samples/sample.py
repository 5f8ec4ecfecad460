"""A sample: one batch with its parameters and a state, which every test of the reference starts from."""

from __future__ import annotations

from dataclasses import dataclass

from bn_conformance.algorithms.outputs import GivenBatch
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention

FORMAT_NAMES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Sample(GivenBatch):
    """A batch with a name, and its goldens."""

    name: str
    exact_statistics: bool = False

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
