"""Batch normalisation as TensorFlow 1 code calls it: `tf.layers.batch_normalization` in a graph and a session.

A boolean placeholder says whether it trains, and the update of the moving statistics is an operation in the collection
`UPDATE_OPS` that nothing runs unless the user does. `tf-keras` still provides the layer, under
`TF_USE_LEGACY_KERAS=1`.

A graph and its session cost about 120 ms, so that layers of one configuration share them: the session holds the
variables of one layer at a time, the values of the others wait in NumPy arrays.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bn_adapters.layers_v1_code import LayersV1Code
from bn_adapters.recorded import recorded
from bn_adapters.tensorflow_tapes import TENSORFLOW_DISTRIBUTIONS, TENSORFLOW_ENVIRONMENT, tensorflow
from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
    SecondOrder,
)
from bn_conformance.layer_code import LayerCode

LAYERS_V1_ENVIRONMENT: Mapping[str, str] = {**TENSORFLOW_ENVIRONMENT, "TF_USE_LEGACY_KERAS": "1"}
"""Without `TF_USE_LEGACY_KERAS` there is no `tf.compat.v1.layers` in TensorFlow 2.16 and later."""


@dataclass(frozen=True)
class _Second:
    """Tensors of the second order.

    Attributes:
        weights: placeholders of what the gradients of x, gamma and beta are weighed with, by these names.
        gradients: of the weighed gradients with respect to x, gamma and dy, by these names.
    """

    weights: Mapping[str, Any]
    gradients: Mapping[str, Any]


class _Program:
    """The graph of one configuration, for any size of batch and space, and the session that runs it.

    With the gradients of the gradients a graph costs more than twice as much, so that they are in it only where `twice`
    is true. They cannot join it later: for those of tf.cond, which is how the fused layer tells its modes apart,
    TensorFlow adds outputs to the operation of the forward, which a session that has run does not see.
    """

    def __init__(self, config: LayerConfig, fused: bool | None, twice: bool) -> None:
        tf = tensorflow().compat.v1
        graph = tf.Graph()
        with graph.as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf.layers.batch_normalization warns that it is deprecated.
            shape = [config.num_channels if axis == config.channel_axis else None for axis in range(config.rank)]
            self.x = tf.placeholder(config.dtype, shape, name="x")
            self.dy = tf.placeholder(config.dtype, shape, name="dy")
            self.training = tf.placeholder(tf.bool, [], name="training")
            self.y = tf.layers.batch_normalization(self.x, training=self.training, fused=fused, **self._options(config))
            self.update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
            self._variables = {variable.op.name.rpartition("/")[2]: variable for variable in tf.global_variables()}
            wanted = {"x": self.x, **{name: self._variables[name] for name in self.parameters}}
            self.gradients = dict(zip(wanted, tf.gradients(self.y, list(wanted.values()), self.dy), strict=True))
            self.second = self._gradients_of_gradients(wanted) if twice else _Second({}, {})
            self._values = {
                name: tf.placeholder(variable.dtype.base_dtype, variable.shape)
                for name, variable in self._variables.items()
            }
            self._assign = tf.group(*(tf.assign(self._variables[name], value) for name, value in self._values.items()))
            initialise = tf.global_variables_initializer()
        options = tf.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1, device_count={"GPU": 0}
        )
        self._session = tf.Session(graph=graph, config=options)
        self._session.run(initialise)
        self.initial = self.read()
        self.holds: weakref.ref[_LayersV1Layer] | None = None

    def _gradients_of_gradients(self, wanted: Mapping[str, Any]) -> _Second:
        tf = tensorflow().compat.v1
        sources = {**{name: source for name, source in wanted.items() if name != "beta"}, "dy": self.dy}
        weights = {name: tf.placeholder(part.dtype, part.shape) for name, part in self.gradients.items()}
        found = tf.gradients(
            list(self.gradients.values()),
            list(sources.values()),
            list(weights.values()),
            unconnected_gradients="zero",  # of x in inference without gamma, for example
        )
        return _Second(weights, dict(zip(sources, found, strict=True)))

    @staticmethod
    def _options(config: LayerConfig) -> dict[str, Any]:
        options: dict[str, Any] = {"axis": config.channel_axis, "scale": config.gamma, "center": config.beta}
        if config.eps is not None:
            options["epsilon"] = config.eps
        if config.keep is not None:
            options["momentum"] = config.keep
        return options

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that the layer has, of `gamma` and `beta`."""
        return tuple(name for name in ("gamma", "beta") if name in self._variables)

    def run(self, fetches: Any, feed: Mapping[Any, Any]) -> Any:
        """Run the session."""
        return self._session.run(fetches, feed)

    def read(self) -> dict[str, Array]:
        """Values of all variables."""
        values: dict[str, Array] = self._session.run(self._variables)
        return values

    def write(self, values: Mapping[str, Array]) -> None:
        """Set all variables."""
        # Copies, because TensorFlow may keep the memory that it is fed as the variable's.
        self._session.run(self._assign, {self._values[name]: np.array(values[name]) for name in self._values})


@lru_cache(maxsize=256)
def _program(config: LayerConfig, fused: bool | None, twice: bool = False) -> _Program:
    return _Program(config, fused, twice)


class _LayersV1Layer(Layer):
    def __init__(self, config: LayerConfig, fused: bool | None, forget_update: bool) -> None:
        self._built = (config, fused)
        self._shared = program = _program(config, fused)
        self._forget_update = forget_update
        self._waiting: Mapping[str, Array] = program.initial
        self._latest: tuple[Array, bool] | None = None
        self._then: Mapping[str, Array] = {}
        """Values of the variables at the latest forward."""

    def _program(self) -> _Program:
        """The program, its session holding this layer's variables."""
        program = self._shared
        holder = None if program.holds is None else program.holds()
        if holder is not self:
            if holder is not None:
                holder.put_aside(program.read())
            program.write(self._waiting)
            program.holds = weakref.ref(self)
        return program

    def put_aside(self, variables: Mapping[str, Array]) -> None:
        """Keep this layer's variables until its next call, while the session holds those of another layer."""
        self._waiting = variables

    def _assign(self, values: Mapping[str, Array]) -> None:
        program = self._program()
        program.write({**program.read(), **values})

    def forward(self, x: Array, training: bool) -> Array:
        program = self._program()
        # Gradients and updates are later runs with the same feed: it keeps x as it is now.
        self._latest, self._then = (np.array(x), training), program.read()
        y: Array = program.run(program.y, self._fed(program))
        return y

    def _fed(self, program: _Program) -> dict[Any, Any]:
        """What the latest forward feeds a program."""
        return dict(zip((program.x, program.training), recorded(self._latest), strict=True))

    def backward(self, dy: Array) -> Gradients:
        program = self._program()
        feed, now = {**self._fed(program), program.dy: dy}, program.read()
        # A run of the gradients runs the forward again: with the variables that it had.
        program.write(self._then)
        try:
            found = program.run(program.gradients, feed)
        finally:
            program.write(now)
        return Gradients(found["x"], found.get("gamma"), found.get("beta"))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        program = _program(*self._built, twice=True)
        program.write(self._then or program.initial)
        given = {"x": v_dx, "gamma": v_dgamma, "beta": v_dbeta}
        weights = {
            place: np.zeros(place.shape, place.dtype.as_numpy_dtype) if given[name] is None else given[name]
            for name, place in program.second.weights.items()
        }
        found = program.run(program.second.gradients, {**self._fed(program), program.dy: dy, **weights})
        return SecondOrder(found["x"], found.get("gamma"), found["dy"])

    def running_statistics(self) -> RunningStatistics:
        values = self._program().read()
        return RunningStatistics(values["moving_mean"], values["moving_variance"])

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._assign({"moving_mean": mean, "moving_variance": variance})

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        given = {"gamma": gamma, "beta": beta}
        self._assign({name: value for name in self._shared.parameters if (value := given[name]) is not None})

    def state(self) -> Mapping[str, Array]:
        return {f"batch_normalization/{name}": value for name, value in self._program().read().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self._assign({name.rpartition("/")[2]: value for name, value in state.items()})

    def update_statistics(self) -> None:
        if not self._forget_update:
            program = self._program()
            program.run(program.update_ops, self._fed(program))


class TensorflowLayersV1(Adapter):
    """`tf.layers.batch_normalization(training=placeholder)`, unfused, with `UPDATE_OPS` run after each step.

    Unfused is what the layer does by itself at rank 2 and 3, for float64, and for channels in between. Where it would
    use the fused kernel it is asked not to, because that moves the running variance by another estimator: see
    `TensorflowLayersV1Fused`.
    """

    name = "tf.layers-v1"
    framework = "tf-keras"
    environment = LAYERS_V1_ENVIRONMENT
    requires = ("tensorflow", "tf_keras")
    install = "pip install 'bnconform[tensorflow]'"
    distributions = (*TENSORFLOW_DISTRIBUTIONS, "tf-keras")
    convention = Convention(
        running_variance="biased",  # From tf.nn.moments.
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-3,
        statistics_move="explicit",
        # _assign_moving_average makes a float32 tensor of 1 - momentum, also for float64; eps stays a Python float.
        momentum_dtype="float32-new",
        statistics_dtype="float32",  # _param_dtype: "Raise parameters of fp16 batch norm to fp32", bfloat16 as well.
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        second_order=frozenset({"training", "inference"}),
        compiles=True,  # A graph for each configuration; its sizes are met in TensorFlow's other implementations.
    )
    fused: bool | None = False
    forget_update = False

    def build(self, config: LayerConfig) -> Layer:
        return _LayersV1Layer(config, self.fused, self.forget_update)

    def code(self, config: LayerConfig) -> LayerCode:
        return LayersV1Code(config, self.fused, self.forget_update)


class TensorflowLayersV1Forgotten(TensorflowLayersV1):
    """The pitfall: the same layer, with `UPDATE_OPS` never run, so that its running statistics never move."""

    name = "tf.layers-v1[no-update-ops]"
    group = "examples"
    forget_update = True


class TensorflowLayersV1Fused(TensorflowLayersV1):
    """The same layer where it uses the fused kernel by default: 4-D and 5-D, channels first or last, no float64."""

    name = "tf.layers-v1[fused]"
    convention = Convention(
        running_variance="unbiased",  # The fused kernel's; the layer takes it as it comes.
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-3,
        statistics_move="explicit",
        momentum_dtype="float32-new",
        statistics_dtype="float32",
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float32"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        ranks=frozenset({4, 5}),
        layouts=frozenset({"first", "last"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        second_order=frozenset({"training", "inference"}),
    )
    fused = None
