"""`snt.BatchNorm` as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.tensorflow_code import taped_step
from bn_conformance.layer_code import LayerCode, Lines, StepCall

DATA_FORMATS = {"first": "NC...", "last": "N...C"}
"""By where the channels are."""

_NAMES = {"gamma": "scale", "beta": "offset"}


class SonnetCode(LayerCode):
    """Gradients by `tf.GradientTape`."""

    imports = ("import sonnet as snt", "import tensorflow as tf")
    array = "tf.cast(value, tf.float64).numpy()"

    def build(self) -> Lines:
        config = self.config
        given = [f"create_scale={config.gamma}, create_offset={config.beta}"]
        given += [f"decay_rate={config.keep!r}"] if config.keep is not None else []
        given += [f"eps={config.eps!r}"] if config.eps is not None else []
        shape = [config.num_channels if axis == config.channel_axis else 1 for axis in range(config.rank)]
        yield f'layer = snt.BatchNorm({", ".join(given)}, data_format="{DATA_FORMATS[config.layout]}")'
        yield f"layer(tf.zeros({shape}, tf.{config.dtype}), is_training=False)  # makes the variables"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield f"layer.{_NAMES[name]}.assign({name}.reshape(layer.{_NAMES[name]}.shape))"

    def set_statistics(self) -> Lines:
        yield "for moving, given in ((layer.moving_mean, running_mean), (layer.moving_variance, running_var)):"
        yield "    counter, hidden, average = moving.variables"
        yield "    average.assign(given.reshape(average.shape))"
        yield f"    hidden.assign(average * (1 - {self._decay()} ** int(counter)))"

    def _decay(self) -> str:
        return repr(0.999 if self.config.keep is None else self.config.keep)

    def step(self, call: StepCall) -> Lines:
        sources = {f"d{name}": f"layer.{_NAMES[name]}" for name in self.parameters}
        forward = [f"y_out = layer(x_tensor, is_training={call.training})"]
        yield from taped_step(call, forward, sources, self.config.dtype)
        for name in self.parameters if call.backward else ():
            yield f"d{name}_out = tf.reshape(d{name}_out, [-1])"
        if call.second and "gamma" in self.parameters:
            yield "ds_dgamma_out = tf.reshape(ds_dgamma_out, [-1])"

    def statistics(self) -> Lines:
        yield "running_mean_out = tf.reshape(layer.moving_mean.value, [-1])"
        yield "running_var_out = tf.reshape(layer.moving_variance.value, [-1])"
