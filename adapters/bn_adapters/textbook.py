"""The textbook's batch normalisation in NumPy: a computational graph walked forward, then backward.

The algorithm and its conventions are those of the course-note code that this project began from (a pair of functions
over x of shape (N, D)): the running variance starts at 0 and takes in variance *plus* eps, inference then adds no eps,
the variance is biased, and momentum is the weight of the old statistic. Each node of the graph is one line, and the
backward pass visits the same nodes in the opposite order.

The textbook knows only rank 2. Other ranks and layouts are an extension of this adapter, not of the textbook: the
channel axis is moved to the end and all other axes are folded into one, which changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bn_adapters.textbook_code import TextbookCode
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
from bn_conformance.layer_code import LayerCode

DEFAULT_MOMENTUM = 0.9
DEFAULT_EPS = 1e-5


class Graph(NamedTuple):
    """The nodes of a training forward pass that its backward pass needs; n is the number of values per channel."""

    centred: Array  # (n, C), x minus its mean
    deviation: Array  # (C,), root of variance plus eps
    inverse: Array  # (C,), 1 / deviation
    normalised: Array  # (n, C)
    gamma: Array  # (C,)


class TextbookLayer(Layer):
    """The pair of textbook functions together with the dictionary of arrays that a caller keeps for them."""

    def __init__(self, config: LayerConfig) -> None:
        channels, dtype = config.num_channels, np.dtype(config.dtype)
        self.channel_axis = config.channel_axis
        self.eps = DEFAULT_EPS if config.eps is None else config.eps
        self.momentum = DEFAULT_MOMENTUM if config.keep is None else config.keep
        self.gamma: Array = np.ones(channels, dtype)
        self.beta: Array = np.zeros(channels, dtype)
        self.running_mean: Array = np.zeros(channels, dtype)
        self.running_var: Array = np.zeros(channels, dtype)
        self.graph: Graph | None = None

    def forward(self, x: Array, training: bool) -> Array:
        rows = self._to_rows(x)
        y = self._train(rows) if training else self._infer(rows)
        return self._from_rows(y, x.shape)

    def _train(self, x: Array) -> Array:
        mean = np.mean(x, axis=0)
        centred = x - mean
        square = centred**2
        stabilised = np.mean(square, axis=0) + self.eps
        deviation = np.sqrt(stabilised)
        inverse = 1.0 / deviation
        normalised = centred * inverse
        self.graph = Graph(centred, deviation, inverse, normalised, self.gamma)
        # The node that enters the running variance is the one that holds eps already.
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * stabilised
        return np.asarray(self.gamma * normalised + self.beta)

    def _infer(self, x: Array) -> Array:
        self.graph = None
        normalised = (x - self.running_mean) / np.sqrt(self.running_var)
        return np.asarray(self.gamma * normalised + self.beta)

    def backward(self, dy: Array) -> Gradients:
        if self.graph is None:
            raise RuntimeError("the textbook has gradients of a training forward only; call forward(x, True) first")
        graph, rows = self.graph, self._to_rows(dy)
        n = rows.shape[0]
        dbeta = np.sum(rows, axis=0)
        dgamma = np.sum(rows * graph.normalised, axis=0)
        dnormalised = rows * graph.gamma
        # normalised = centred * inverse, inverse = 1 / deviation, deviation = sqrt(stabilised)
        dinverse = np.sum(dnormalised * graph.centred, axis=0)
        ddeviation = -dinverse / graph.deviation**2
        dstabilised = ddeviation / (2 * graph.deviation)
        # Two paths lead to centred: straight, and through its square (each element has weight 1/n in the mean).
        dcentred = dnormalised * graph.inverse + (dstabilised / n) * (2 * graph.centred)
        dmean = -np.sum(dcentred, axis=0)
        dx = dcentred + dmean / n
        return Gradients(self._from_rows(dx, dy.shape), dgamma, dbeta)

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self.running_mean.copy(), self.running_var.copy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.running_mean, self.running_var = mean.copy(), variance.copy()

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        if gamma is not None:
            self.gamma = gamma.copy()
        if beta is not None:
            self.beta = beta.copy()

    def state(self) -> Mapping[str, Array]:
        # There is no layer object in the textbook: what a caller would save are the arrays that it passes in.
        names = ("gamma", "beta", "running_mean", "running_var")
        return {name: getattr(self, name).copy() for name in names}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.set_parameters(state["gamma"], state["beta"])
        self.set_running_statistics(state["running_mean"], state["running_var"])

    def _to_rows(self, x: Array) -> Array:
        """The array as (n, C): a view where the memory allows it."""
        moved = np.moveaxis(x, self.channel_axis, -1)
        n = int(np.prod(moved.shape[:-1]))  # not -1, which NumPy cannot infer for an empty array
        return moved.reshape(n, moved.shape[-1])

    def _from_rows(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """The inverse of `_to_rows` for a result of the given shape."""
        moved = shape[: self.channel_axis] + shape[self.channel_axis + 1 :] + (shape[self.channel_axis],)
        return np.moveaxis(rows.reshape(moved), -1, self.channel_axis)


class TextbookNumpy(Adapter):
    """The course-note pair of functions, as a baseline that many ports began from."""

    name = "textbook.numpy"
    framework = "numpy"
    requires = ("numpy",)
    install = "pip install bnconform"
    convention = Convention(
        running_variance="biased",
        initial_running_variance=0.0,
        momentum_weighs="old",
        default_momentum=DEFAULT_MOMENTUM,
        default_eps=DEFAULT_EPS,
        eps_in_running_variance=True,
        eps_in_inference=False,
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"}),  # in float16 every node would round: nobody runs it so
        layouts=frozenset({"first", "last", "between"}),
        gradients=frozenset({"training"}),  # the textbook keeps no graph in inference
        affine=frozenset({"both"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return TextbookLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return TextbookCode(config, DEFAULT_EPS, DEFAULT_MOMENTUM)
