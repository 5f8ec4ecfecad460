"""`tf_keras.layers.BatchNormalization` as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.keras_code import POLICIES
from bn_adapters.tensorflow_code import taped_step
from bn_conformance.layer_code import LayerCode, Lines, StepCall
from bn_reference.specification.config import LayerConfig


class LegacyCode(LayerCode):
    """The layer, called eagerly."""

    imports = ("import tensorflow as tf", "import tf_keras")
    array = "tf.cast(value, tf.float64).numpy()"

    def __init__(self, config: LayerConfig, fused: bool) -> None:
        super().__init__(config)
        self.fused = fused

    def build(self) -> Lines:
        config = self.config
        given = [f"axis={config.channel_axis}", f"fused={self.fused}"]
        given += [f"momentum={config.keep!r}"] if config.keep is not None else []
        given += [f"epsilon={config.eps!r}"] if config.eps is not None else []
        given += [f"scale={config.gamma}", f"center={config.beta}"]
        policy = POLICIES.get((config.dtype, config.parameter_dtype), config.dtype)
        shape = [config.num_channels if axis == config.channel_axis else None for axis in range(config.rank)]
        yield f'layer = tf_keras.layers.BatchNormalization({", ".join(given)}, dtype="{policy}")'
        yield f"layer.build({shape})"

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield f"layer.{name}.assign({name})"

    def set_statistics(self) -> Lines:
        yield "layer.moving_mean.assign(running_mean)"
        yield "layer.moving_variance.assign(running_var)"

    def step(self, call: StepCall) -> Lines:
        forward = [f"y_out = layer(x_tensor, training={call.training})"]
        sources = {f"d{name}": f"layer.{name}" for name in self.parameters}
        return taped_step(call, forward, sources, self.config.dtype)

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = layer.moving_mean, layer.moving_variance"
