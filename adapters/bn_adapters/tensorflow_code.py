"""Batch normalisation by TensorFlow's operations as its users call them, for `bnconform repro`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from bn_conformance.layer_code import LayerCode, Lines, StepCall

DATA_FORMATS = {(4, "first"): "NCHW", (4, "last"): "NHWC", (5, "first"): "NCDHW", (5, "last"): "NDHWC"}
"""By the rank of x and where its channels are."""


def taped_step(call: StepCall, forward: Lines, sources: Mapping[str, str], dtype: str) -> Lines:
    """A step with gradients by `tf.GradientTape`.

    Args:
        call: what is asked.
        forward: lines that make `y_out` of `x_tensor`.
        sources: the variables that gradients are taken of beside x, by the name of the gradient.
        dtype: of x.
    """
    yield f"x_tensor = tf.constant(x, tf.{dtype})"
    if not call.backward and not call.second:
        yield from forward
        return
    yield f"dy_tensor = tf.constant(dy, tf.{dtype})"
    names = ["dx", *sources]
    yield f"sources = [{', '.join(['x_tensor', *sources.values()])}]"
    inside = ""
    if call.second:
        yield "with tf.GradientTape(persistent=True) as outer:"
        yield "    outer.watch([*sources, dy_tensor])"
        inside = "    "
    yield f"{inside}with tf.GradientTape() as tape:"
    yield f"{inside}    tape.watch(sources)"
    yield from (f"{inside}    {line}" for line in forward)
    results = ", ".join(f"{name}_out" for name in names) + ("," if len(names) == 1 else "")
    yield f"{inside}{results} = tape.gradient(y_out, sources, dy_tensor)"
    if call.second:
        weights = [weight for weight in call.second if weight.removeprefix("v_") in names]
        yield f"outputs = [{', '.join(weight.removeprefix('v_') + '_out' for weight in weights)}]"
        yield f"weights = [{', '.join(weights)}]"
        yield "weights = [tf.cast(part, output.dtype) for part, output in zip(weights, outputs)]"
        wanted = ["x_tensor", *([sources["dgamma"]] if "dgamma" in sources else []), "dy_tensor"]
        left = ["ds_dx_out", *["ds_dgamma_out" for _ in wanted[2:]], "ds_ddy_out"]
        yield f"{', '.join(left)} = outer.gradient("
        yield f'    outputs, [{", ".join(wanted)}], weights, unconnected_gradients="zero"'
        yield ")"


def in_function(body: Lines, given: str, left: str) -> Lines:
    """Lines that define a compiled function of `given` and leave what it gives."""
    yield "@tf.function(jit_compile=True)"
    yield f"def compiled({given}):"
    yield from (f"    {line}" for line in body)
    yield f"    return {left}"
    yield f"{left} = compiled({given})"


class _OperationsCode(LayerCode):
    """Parameters and moving statistics as variables."""

    imports = ("import tensorflow as tf",)
    array = "tf.cast(value, tf.float64).numpy()"

    def build(self) -> Lines:
        channels, dtype = self.config.num_channels, f"tf.{self.config.parameter_dtype}"
        for name, make in (("scale", "ones"), ("offset", "zeros")):
            has = getattr(self.config, {"scale": "gamma", "offset": "beta"}[name])
            yield f"{name} = " + (f"tf.Variable(tf.{make}({channels}, {dtype}))" if has else "None")
        yield f"moving_mean = tf.Variable(tf.zeros({channels}, {dtype}))"
        yield f"moving_variance = tf.Variable(tf.ones({channels}, {dtype}))"

    def _assigned(self, variable: str, source: str) -> str:
        return f"{variable}.assign(tf.cast({source}, tf.{self.config.parameter_dtype}))"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield self._assigned(_NAMES[name], name)

    def set_statistics(self) -> Lines:
        yield self._assigned("moving_mean", "running_mean")
        yield self._assigned("moving_variance", "running_var")

    def step(self, call: StepCall) -> Lines:
        sources = {f"d{name}": _NAMES[name] for name in self.parameters}
        yield from taped_step(call, [*self.forward(call.training)], sources, self.config.dtype)
        if call.training:
            yield from self.moved()

    @abstractmethod
    def forward(self, training: bool) -> Lines:
        """Make `y_out` of `x_tensor`; in training also `mean` and `variance`."""

    @abstractmethod
    def moved(self) -> Lines:
        """Move the statistics by `mean` and `variance`."""

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = moving_mean, moving_variance"


class FusedCode(_OperationsCode):
    """`tf.compat.v1.nn.fused_batch_norm`."""

    def forward(self, training: bool) -> Lines:
        config = self.config
        given = ["x_tensor", "scale", "offset"]
        if not training or config.momentum not in (None, 1.0):
            given += ["mean=moving_mean", "variance=moving_variance"]
        if config.eps is not None:
            given += [f"epsilon={config.eps!r}"]
        if training and config.momentum not in (None, 1.0):
            given += [f"exponential_avg_factor={config.momentum!r}"]
        yield "y_out, mean, variance = tf.compat.v1.nn.fused_batch_norm("
        yield f"    {', '.join(given)},"
        yield f'    data_format="{DATA_FORMATS[config.rank, config.layout]}", is_training={training},'
        yield ")"

    def moved(self) -> Lines:
        yield "moving_mean.assign(mean)  # the operation has averaged already"
        yield "moving_variance.assign(variance)"


class RawFusedCode(_OperationsCode):
    """`tf.raw_ops.FusedBatchNormV3`, and its gradient as an operator."""

    def step(self, call: StepCall) -> Lines:
        config, training = self.config, call.training
        averaged = training and config.momentum not in (None, 1.0)
        held = "mean=moving_mean, variance=moving_variance" if averaged or not training else "mean=[], variance=[]"
        given = f'data_format="{DATA_FORMATS[config.rank, config.layout]}", is_training={training}'
        given += f", epsilon={config.eps!r}" if config.eps is not None else ""
        factor = f", exponential_avg_factor={config.momentum!r}" if averaged else ""
        yield f"x_tensor = tf.constant(x, tf.{config.dtype})"
        yield "y_out, mean, variance, first, second, third = tf.raw_ops.FusedBatchNormV3("
        yield f"    x=x_tensor, scale=scale, offset=offset, {held},"
        yield f"    {given}{factor},"
        yield ")"
        if not training:
            yield "first, second = tf.identity(moving_mean), tf.identity(moving_variance)"
        if call.backward:
            yield f"dy_tensor = tf.constant(dy, tf.{config.dtype})"
            yield "dx_out, dgamma_out, dbeta_out, _, _ = tf.raw_ops.FusedBatchNormGradV3("
            yield "    y_backprop=dy_tensor, x=x_tensor, scale=scale,"
            yield "    reserve_space_1=first, reserve_space_2=second, reserve_space_3=third,"
            yield f"    {given},"
            yield ")"
        if training:
            yield from self.moved()

    def forward(self, training: bool) -> Lines:
        raise NotImplementedError

    def moved(self) -> Lines:
        yield "moving_mean.assign(mean)  # the operation has averaged already"
        yield "moving_variance.assign(variance)"


class MomentsCode(_OperationsCode):
    """`tf.nn.moments` and `tf.nn.batch_normalization`, with moving averages of the caller's."""

    def forward(self, training: bool) -> Lines:
        config, wide = self.config, self.config.channel_axis != self.config.rank - 1
        shape = [-1 if axis == config.channel_axis else 1 for axis in range(config.rank)]

        def along(name: str) -> str:
            has = name not in ("scale", "offset") or getattr(config, {"scale": "gamma", "offset": "beta"}[name])
            return f"tf.reshape({name}, {shape})" if wide and has else name

        if training:
            yield f"mean, variance = tf.nn.moments(x_tensor, {list(config.reduced_axes)}, keepdims={wide})"
        pair = "mean, variance" if training else f"{along('moving_mean')}, {along('moving_variance')}"
        yield "y_out = tf.nn.batch_normalization("
        yield f"    x_tensor, {pair}, {along('offset')}, {along('scale')}, variance_epsilon={config.eps!r}"
        yield ")"

    def moved(self) -> Lines:
        for moving, batch in (("moving_mean", "mean"), ("moving_variance", "variance")):
            yield f"{moving}.assign_sub(({moving} - tf.reshape({batch}, [-1])) * (1.0 - {self.config.keep!r}))"


_NAMES = {"gamma": "scale", "beta": "offset"}
