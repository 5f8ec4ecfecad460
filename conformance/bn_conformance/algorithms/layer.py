"""An algorithm as a layer and as an adapter, with the calls that every implementation offers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
)
from bn_conformance.algorithms.algorithm import Algorithm
from bn_conformance.algorithms.outputs import GivenBatch, outputs
from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.channels import channels_back, channels_first
from bn_reference.arithmetic.quad import to_float64
from bn_reference.definition.running import eps_of, weights_of


class AlgorithmLayer(Layer):
    """A layer that computes by an algorithm.

    Args:
        algorithm: how it computes.
        config: the layer; its average is no cumulative one.
        convention: the default one, or with a biased running variance.
    """

    def __init__(self, algorithm: Algorithm, config: LayerConfig, convention: Convention | None = None) -> None:
        self.algorithm, self.config = algorithm, config
        self.parameters = dtype_of(config.parameter_dtype)
        self.unbiased = (convention or Convention()).running_variance == "unbiased"
        self.eps = float(to_float64(eps_of(config, Convention())))
        self.momentum = float(to_float64(weights_of(config, Convention(), 0).new))
        channels = config.num_channels
        self.gamma, self.beta = np.ones(channels, self.parameters), np.zeros(channels, self.parameters)
        self.mean, self.variance = np.zeros(channels, self.parameters), np.ones(channels, self.parameters)
        self.latest: tuple[GivenBatch, tuple[int, ...], bool] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        """y; in training the running statistics move.

        Raises:
            ValueError: x has another shape than the layer, or training has one value a channel.
            TypeError: x has another dtype.
        """
        config = self.config
        if x.ndim != config.rank or x.shape[config.channel_axis] != config.num_channels:
            raise ValueError(
                f"x has shape {x.shape}; allowed are rank {config.rank} and {config.num_channels} channels"
            )
        if x.dtype != dtype_of(config.dtype):
            raise TypeError(f"x is of dtype {x.dtype}; allowed is {config.dtype}, for which the layer was built")
        rows = channels_first(x, config.channel_axis).astype(np.float64)
        if training and rows.shape[1] < 2:
            raise ValueError(f"x has {rows.shape[1]} values a channel; training needs 2 or more")
        given = GivenBatch(
            dtype=config.dtype,
            parameter_dtype=config.parameter_dtype,
            eps=self.eps,
            x=rows,
            dy=np.zeros_like(rows),
            gamma=self.gamma.astype(np.float64),
            beta=self.beta.astype(np.float64),
            running_mean=self.mean.astype(np.float64),
            running_variance=self.variance.astype(np.float64),
        )
        self.latest = given, x.shape, training
        results = outputs(self.algorithm, given, self.momentum, self.unbiased)
        if training:
            self.mean, self.variance = results["running_mean"], results["running_var"]
        return self._shaped(results["y" if training else "inference_y"], x.shape)

    def backward(self, dy: Array) -> Gradients:
        """Gradients of the latest forward.

        Raises:
            RuntimeError: no forward came before.
            ValueError: dy has another shape than y.
        """
        if self.latest is None:
            raise RuntimeError("backward before forward; call forward first")
        given, shape, training = self.latest
        if dy.shape != shape:
            raise ValueError(f"dy has shape {dy.shape}; allowed is that of y, {shape}")
        rows = channels_first(dy, self.config.channel_axis).astype(np.float64)
        results = outputs(self.algorithm, replace(given, dy=rows), self.momentum, self.unbiased)
        dx, dgamma, dbeta = (results[name if training else f"inference_{name}"] for name in ("dx", "dgamma", "dbeta"))
        return Gradients(
            self._shaped(dx, shape), dgamma if self.config.gamma else None, dbeta if self.config.beta else None
        )

    def running_statistics(self) -> RunningStatistics:
        """Running mean and variance, copied."""
        return RunningStatistics(self.mean.copy(), self.variance.copy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set both running statistics."""
        self.mean, self.variance = mean.astype(self.parameters), variance.astype(self.parameters)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Set gamma and beta; None leaves one as it is."""
        self.gamma = self.gamma if gamma is None else gamma.astype(self.parameters)
        self.beta = self.beta if beta is None else beta.astype(self.parameters)

    def _shaped(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return np.ascontiguousarray(channels_back(rows, shape, self.config.channel_axis))


class AlgorithmAdapter(Adapter):
    """An algorithm as an implementation.

    Args:
        algorithm: how its layers compute.
    """

    name = "algorithm"
    convention = Convention()
    capabilities = Capabilities(
        dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        state=False,
    )

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__()
        self.algorithm = algorithm

    def build(self, config: LayerConfig) -> Layer:
        """A layer that computes by the algorithm."""
        return AlgorithmLayer(self.algorithm, config)
