"""`tf.layers.batch_normalization` as TensorFlow 1 code calls it, in a graph and a session, for `bnconform repro`."""

from __future__ import annotations

from bn_conformance.layer_code import LayerCode, Lines, StepCall
from bn_reference.specification.config import LayerConfig


class LayersV1Code(LayerCode):
    """The layer, with its update operations run after each step of training."""

    imports = ("import tensorflow as tf", "", "tf = tf.compat.v1", "tf.disable_eager_execution()")
    array = "np.asarray(value, np.float64)"

    def __init__(self, config: LayerConfig, fused: bool | None, forget_update: bool) -> None:
        super().__init__(config)
        self.fused, self.forget_update = fused, forget_update

    def build(self) -> Lines:
        config = self.config
        shape = [config.num_channels if axis == config.channel_axis else None for axis in range(config.rank)]
        given = [f"axis={config.channel_axis}", f"fused={self.fused}"]
        given += [f"momentum={config.keep!r}"] if config.keep is not None else []
        given += [f"epsilon={config.eps!r}"] if config.eps is not None else []
        given += [f"scale={config.gamma}", f"center={config.beta}"]
        yield "tf.reset_default_graph()"
        yield f'x_place, dy_place = (tf.placeholder("{config.dtype}", {shape}) for _ in range(2))'
        yield "training_place = tf.placeholder(tf.bool, [])"
        yield f"y_tensor = tf.layers.batch_normalization(x_place, training=training_place, {', '.join(given)})"
        yield "update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)"
        yield 'variables = {variable.op.name.rpartition("/")[2]: variable for variable in tf.global_variables()}'
        sources = ", ".join(["x_place", *(f'variables["{name}"]' for name in self.parameters)])
        yield f"gradients = tf.gradients(y_tensor, [{sources}], dy_place)"
        wanted = ", ".join(["x_place", *(['variables["gamma"]'] if config.gamma else []), "dy_place"])
        yield "weights = [tf.placeholder(part.dtype, part.shape) for part in gradients]"
        yield f'second = tf.gradients(gradients, [{wanted}], weights, unconnected_gradients="zero")'
        yield "session = tf.Session()"
        yield "session.run(tf.global_variables_initializer())"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield f'variables["{name}"].load({name}, session)'

    def set_statistics(self) -> Lines:
        yield 'variables["moving_mean"].load(running_mean, session)'
        yield 'variables["moving_variance"].load(running_var, session)'

    def step(self, call: StepCall) -> Lines:
        dtype = f"tf.{self.config.dtype}.as_numpy_dtype"
        yield f"feed = {{x_place: x.astype({dtype}), training_place: {call.training}}}"
        yield "y_out = session.run(y_tensor, feed)"
        if call.backward or call.second:
            yield f"feed[dy_place] = dy.astype({dtype})"
            names = ", ".join(f"d{name}_out" for name in ("x", *self.parameters))
            yield f"{names}{'' if self.parameters else ','} = session.run(gradients, feed)"
        if call.second:
            zeros = {"gamma": "np.zeros_like(gamma)", "beta": "np.zeros_like(beta)"}
            given = ["v_dx", *(f"v_d{n}" if f"v_d{n}" in call.second else zeros[n] for n in self.parameters)]
            yield f"feed |= dict(zip(weights, [{', '.join(given)}]))"
            left = ["ds_dx_out", *(["ds_dgamma_out"] if self.config.gamma else []), "ds_ddy_out"]
            yield f"{', '.join(left)} = session.run(second, feed)"
        if call.training and not self.forget_update:
            yield "session.run(update_ops, feed)"

    def statistics(self) -> Lines:
        yield 'running_mean_out = session.run(variables["moving_mean"])'
        yield 'running_var_out = session.run(variables["moving_variance"])'
