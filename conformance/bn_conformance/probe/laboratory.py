"""The laboratory: builds fresh layers of one implementation for experiments, and checks every answer before its use.

The data are small, and candidates differ hugely on them: six channels of eight values each. eps and momentum are 1/4,
which no format rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from bn_conformance.adapter import Array, Capabilities, Convention, LayerConfig
from bn_conformance.cases.recipes import DataRecipe, dtype_of, seed_of
from bn_conformance.hosting.host import Host, HostLost
from bn_conformance.hosting.operations import (
    BackwardCall,
    BuildCall,
    ForwardCall,
    FreezeCall,
    Returned,
    RunningStatisticsCall,
    SetParametersCall,
    SetRunningStatisticsCall,
    UpdateStatisticsCall,
)
from bn_conformance.hosting.wire import NotAnArray
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden

CHANNELS, COUNT = 5, 8
"""Of an x, as most cases have them: for a measurement after a check, what compiles has done so already."""

EPS, MOMENTUM = 0.25, 0.25
MOST_FAILURES = 3
"""Losses of the implementation's process after which nothing more is tried."""

GAMMA = DataRecipe(kind="positive", seed=seed_of("probe gamma"))
BETA = DataRecipe(kind="centred", seed=seed_of("probe beta"), offset=3.0)
MEAN = DataRecipe(kind="centred", seed=seed_of("probe mean"), offset=-1.0)
VARIANCE = DataRecipe(kind="positive", seed=seed_of("probe variance"), scale=0.5)


class Unmeasurable(Exception):
    """The property cannot be measured on this implementation; the message says why."""


class BadAnswer(Exception):
    """An answer that is no result at all, such as an array of another shape.

    Attributes:
        clause: the clause that it breaks.
    """

    def __init__(self, clause: str, message: str) -> None:
        super().__init__(message)
        self.clause = clause


class Laboratory:
    """Layers of one implementation.

    Args:
        open_host: opens a host; called again after its process was lost.
        capabilities: what the implementation can do.
        declared: its declared convention, used only where a field could not be measured.
    """

    def __init__(self, open_host: Callable[[], Host], capabilities: Capabilities, declared: Convention) -> None:
        self._open, self.can, self.declared = open_host, capabilities, declared
        self.measured: dict[str, Any] = {}
        """Fields of the convention that have been measured so far."""
        self.narrow = False
        """Whether float64 layers turned out to compute in less."""
        self.built = False
        """Whether a layer could ever be built."""
        self.still = False
        """Whether no training step moves the running statistics."""
        self._host: Host | None = None
        self._losses: list[HostLost] = []

    @property
    def host(self) -> Host:
        """The host, opened again where its process was lost.

        Raises:
            HostLost: it was lost too often, or cannot be opened.
        """
        if len(self._losses) >= MOST_FAILURES:
            raise HostLost(
                self._losses[-1].outcome, f"given up after {MOST_FAILURES} losses: {self._losses[-1].message}"
            )
        if self._host is None:
            self._host = self._open()
        return self._host

    def lost(self, loss: HostLost) -> None:
        """Note that the host's process is gone."""
        self._losses.append(loss)
        self._host = None

    @property
    def convention(self) -> Convention:
        """The convention: what has been measured so far, and what is declared for the rest."""
        known = dict(self.measured)
        inside = known.get("eps_in_running_variance", self.declared.eps_in_running_variance)
        if not inside and not known.get("eps_in_inference", self.declared.eps_in_inference):
            known["eps_in_inference"] = True
        return replace(self.declared, **known)

    @property
    def formats(self) -> list[tuple[str, str]]:
        """Pairs (format of x, format of the parameters) that the implementation can do."""
        return [(name, name) for name in sorted(self.can.dtypes)] + sorted(self.can.mixed)

    @property
    def main(self) -> tuple[str, str]:
        """The format of most experiments: float32 where there is one."""
        return ("float32", "float32") if "float32" in self.can.dtypes or not self.formats else self.formats[0]

    def widest(self) -> tuple[str, str]:
        """The format in which numbers are measured best."""
        return ("float64", "float64") if "float64" in self.can.dtypes and not self.narrow else self.main

    def need_statistics(self) -> None:
        """Stop where there are no running statistics.

        Raises:
            Unmeasurable: the implementation declares none.
        """
        if not self.can.statistics:
            raise Unmeasurable("there are no running statistics")

    def need_mode(self, mode: Literal["training", "inference"]) -> None:
        """Stop where a mode is not batch normalisation.

        Raises:
            Unmeasurable: the implementation does not declare it.
        """
        if mode not in self.can.modes:
            raise Unmeasurable(f"{mode} is not declared")

    def need_moving(self) -> None:
        """Stop where nothing moves the statistics.

        Raises:
            Unmeasurable: no training step moves them, or there are none.
        """
        self.need_statistics()
        if self.still:
            raise Unmeasurable("the running statistics never move")

    def config(self, formats: tuple[str, str] | None = None, **changes: Any) -> LayerConfig:
        """A layer of the fewest axes that the implementation knows."""
        dtype, parameters = formats or self.main
        rank = min(self.can.ranks)
        axis = 1 if "first" in self.can.layouts or rank == 2 else rank - 1
        affine = next(parts for parts in ("both", "none", "gamma", "beta") if parts in self.can.affine)
        settings: dict[str, Any] = {
            "num_channels": CHANNELS,
            "rank": rank,
            "channel_axis": axis,
            "dtype": dtype,
            "parameter_dtype": parameters,
            "eps": None if "eps" in self.can.literals else EPS,
            "momentum": None if "momentum" in self.can.literals else MOMENTUM,
            "gamma": affine in ("both", "gamma"),
            "beta": affine in ("both", "beta"),
        }
        return LayerConfig(**(settings | changes))

    def subject(self, config: LayerConfig, parameters: bool = True) -> ProbedLayer:
        """A fresh layer; its gamma and beta are set if `parameters`, else they stay at their defaults."""
        subject = ProbedLayer(self, config, parameters)
        self.built = True
        return subject


class ProbedLayer:
    """One layer under experiment. Whatever it answers is an array of the right shape, or `BadAnswer` is raised."""

    def __init__(self, laboratory: Laboratory, config: LayerConfig, parameters: bool) -> None:
        self.laboratory, self.config, self._host = laboratory, config, laboratory.host
        self.updates = 0
        self._layer = self._host.reserve()
        self._host.ask(BuildCall(config, self._layer))
        gamma, beta = (
            recipe.vector(CHANNELS, config.parameter_dtype) if parameters and has else None
            for recipe, has in ((GAMMA, config.gamma), (BETA, config.beta))
        )
        if gamma is not None or beta is not None:
            self._host.ask(SetParametersCall(self._layer, gamma, beta))
        self.parameters = GammaBeta(*(None if part is None else to_quad(part) for part in (gamma, beta)))

    @property
    def eps(self) -> float | None:
        """The eps that it was built with, or the declared default where that is a literal of the implementation."""
        return self.laboratory.declared.default_eps if self.config.eps is None else self.config.eps

    def data(self, name: str, count: int = COUNT, offset: float = 0.0, scale: float = 1.0) -> Array:
        """An x (or dy) of the layer's shape and format, bell-shaped around an offset."""
        recipe = DataRecipe(kind="centred", seed=seed_of(f"probe {name}"), offset=offset, scale=scale)
        return self.shaped(recipe.rows(CHANNELS, count))

    def shaped(self, rows: Array) -> Array:
        """Rows of shape (C, n) as an x of the layer: n on the batch axis."""
        shape = [rows.shape[1], *[1] * (self.config.rank - 1)]
        shape[self.config.channel_axis] = CHANNELS
        return np.ascontiguousarray(rows.T.reshape(shape).astype(dtype_of(self.config.dtype)))

    def forward(self, x: Array, training: bool) -> Array:
        """Forward alone; y."""
        clause = "FWD-1" if training else "EVAL-1"
        return _checked("y", self._host.ask(ForwardCall(self._layer, x, "contiguous", training)).y, x.shape, clause)

    def train(self, x: Array) -> Array:
        """A training step, with whatever makes the running statistics move; y."""
        y = self.forward(x, True)
        moment = self.laboratory.convention.statistics_move
        if moment == "explicit":
            self.update()
        elif moment == "backward":
            self.backward(self.data("dy", x.shape[0]))
        self.updates += 1
        return y

    def backward(self, dy: Array) -> tuple[Array, Array | None, Array | None]:
        """dx, dgamma and dbeta."""
        given = self._host.ask(BackwardCall(self._layer, dy, "contiguous"))
        dx = _checked("dx", given.dx, dy.shape, "GRAD-1")
        rest = (
            None if part is None else _checked(name, part, (CHANNELS,), clause)
            for name, part, clause in (("dgamma", given.dgamma, "GRAD-2"), ("dbeta", given.dbeta, "GRAD-3"))
        )
        return dx, *rest  # type: ignore[return-value]

    def update(self) -> None:
        """Run the explicit update."""
        self._host.ask(UpdateStatisticsCall(self._layer))

    def freeze(self) -> None:
        """Freeze the layer."""
        self._host.ask(FreezeCall(self._layer))

    def statistics(self) -> tuple[Array, Array]:
        """Running mean and variance."""
        mean, variance = self._host.ask(RunningStatisticsCall(self._layer))
        return tuple(
            _checked(name, part, (CHANNELS,), "DTYPE-1")
            for name, part in (("running_mean", mean), ("running_var", variance))
        )  # type: ignore[return-value]

    def set_statistics(self, mean: DataRecipe = MEAN, variance: DataRecipe = VARIANCE) -> Statistics:
        """Set the running statistics, or train where they cannot be set; returns what the layer then holds."""
        if self.laboratory.can.set_statistics:
            dtype = self.statistics()[1].dtype.name
            vectors = mean.vector(CHANNELS, dtype), variance.vector(CHANNELS, dtype)
            self._host.ask(SetRunningStatisticsCall(self._layer, *vectors))
        else:
            for place in range(20):
                self.train(self.data(f"to statistics {place}", offset=mean.offset))
        return self.known()

    def put(self, mean: Array, variance: Array) -> None:
        """Set running statistics to vectors, rounded to the format in which the layer keeps them."""
        dtype = self.statistics()[1].dtype
        self._host.ask(SetRunningStatisticsCall(self._layer, mean.astype(dtype), variance.astype(dtype)))

    def known(self) -> Statistics:
        """The running statistics as they are, as a state of the reference."""
        return Statistics.known(*self.statistics(), updates=self.updates)

    def golden(self, x: Array, convention: Convention | None = None, **changes: Any) -> Golden:
        """The golden of a batch under a convention, the laboratory's if None; `changes` are to the configuration."""
        config = replace(self.config, **changes)
        return Golden(config, convention or self.laboratory.convention, self.rows(x), self.parameters)

    def rows(self, x: Array) -> Quad:
        """An array of the layer's shape as rows in binary128."""
        return to_quad(channels_first(x, self.config.channel_axis))


def _checked(name: str, got: Returned, shape: tuple[int, ...], clause: str) -> Array:
    if isinstance(got, NotAnArray):
        raise BadAnswer(clause, f"{name} is {got.description}; expected an array of shape {shape}")
    if got.shape != shape:
        raise BadAnswer("DTYPE-1", f"{name} has shape {got.shape}; expected {shape}")
    if got.dtype.kind != "f" and got.dtype.name != "bfloat16":
        raise BadAnswer("DTYPE-1", f"{name} has dtype {got.dtype.name}; expected a floating-point format")
    return got
