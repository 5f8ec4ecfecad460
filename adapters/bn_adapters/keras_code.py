"""`keras.layers.BatchNormalization` as its users call it, on each backend, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.jax_code import FunctionCode
from bn_adapters.tensorflow_code import in_function, taped_step
from bn_adapters.torch_code import autograd_step
from bn_conformance.layer_code import LayerCode, Lines, StepCall
from bn_reference.specification.config import LayerConfig

# A layer's dtype policy names the dtype of x and of the variables together; "mixed_*" is the only way to have two
# (keras/src/dtype_policies/dtype_policy.py, DTypePolicy._parse_name).
POLICIES = {("float16", "float32"): "mixed_float16", ("bfloat16", "float32"): "mixed_bfloat16"}
"""By the formats of x and of the parameters."""


def _built(config: LayerConfig, *more: str) -> Lines:
    policy = POLICIES.get((config.dtype, config.parameter_dtype), config.dtype)
    given = [f"axis={config.channel_axis}"]
    given += [f"momentum={config.keep!r}"] if config.keep is not None else []
    given += [f"epsilon={config.eps!r}"] if config.eps is not None else []
    given += [] if config.gamma else ["scale=False"]
    given += [*([] if config.beta else ["center=False"]), *more]
    shape = tuple(config.num_channels if axis == config.channel_axis else None for axis in range(config.rank))
    yield f'layer = keras.layers.BatchNormalization({", ".join(given)}, dtype="{policy}")'
    yield f"layer.build({shape})"


class _KerasCode(LayerCode):
    def build(self) -> Lines:
        return _built(self.config)

    def set_parameters(self, names: tuple[str, ...]) -> Lines:
        for name in names:
            yield f"layer.{name}.assign({name})"

    def set_statistics(self) -> Lines:
        yield "layer.moving_mean.assign(running_mean)"
        yield "layer.moving_variance.assign(running_var)"

    def call(self, call: StepCall) -> str:
        """An expression of y, of `x_tensor`."""
        mask = f", mask=keras.ops.convert_to_tensor(mask.squeeze({self.config.channel_axis}))" if call.masked else ""
        return f"layer(x_tensor, training={call.training}{mask})"

    def sources(self) -> dict[str, str]:
        """The variables gamma and beta, as the backend's own, by the name of their gradient."""
        return {f"d{name}": f"layer.{name}.value" for name in self.parameters}

    def statistics(self) -> Lines:
        yield "running_mean_out, running_var_out = layer.moving_mean.value, layer.moving_variance.value"


class KerasNumpyCode(_KerasCode):
    """On NumPy, where there are no gradients."""

    imports = ("import keras",)
    array = "np.asarray(value, np.float64)"

    def step(self, call: StepCall) -> Lines:
        yield f'x_tensor = keras.ops.convert_to_tensor(x, "{self.config.dtype}")'
        yield f"y_out = {self.call(call)}"


class KerasTensorflowCode(_KerasCode):
    """On TensorFlow."""

    imports = ("import keras", "import tensorflow as tf")
    array = "tf.cast(value, tf.float64).numpy()"

    def step(self, call: StepCall) -> Lines:
        return taped_step(call, [f"y_out = {self.call(call)}"], self.sources(), self.config.dtype)


class KerasSynchronisedCode(KerasTensorflowCode):
    """On TensorFlow with `synchronized=True`, a replica on a logical device for each shard."""

    sharded = True

    def build(self) -> Lines:
        yield "processor = tf.config.list_physical_devices('CPU')[0]"
        yield "tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 8)"
        yield ""
        yield "def replicated(sizes, held):"
        yield '    """A strategy with a replica for each shard, and the layer in its scope."""'
        yield "    devices, reduction = [f'CPU:{k}' for k in range(len(sizes))], tf.distribute.ReductionToOneDevice()"
        yield "    strategy = tf.distribute.MirroredStrategy(devices, cross_device_ops=reduction)"
        yield "    with strategy.scope():"
        yield from (f"        {line}" for line in _built(self.config, "synchronized=True"))
        yield "    if held is not None:"
        yield "        layer.set_weights(held.get_weights())"
        yield "    return strategy, layer"
        yield ""
        yield "strategy, layer = replicated([0], None)"

    def step(self, call: StepCall) -> Lines:
        dtype, squeezed = f"tf.{self.config.dtype}", f"mask.squeeze({self.config.channel_axis})"
        yield f"sizes = {list(call.shards) or '[len(x)]'}  # of the shards"
        yield "strategy, layer = replicated(sizes, layer)"
        yield "def spread(array, dtype):"
        yield "    parts = [tf.constant(part, dtype) for part in np.split(array, np.cumsum(sizes)[:-1])]"
        yield "    give = strategy.experimental_distribute_values_from_function"
        yield "    return give(lambda context: parts[context.replica_id_in_sync_group])"
        yield "def joined(value):"
        yield "    return tf.concat(strategy.experimental_local_results(value), 0)"
        given = [f"spread(x, {dtype})", *([f"spread(dy, {dtype})"] if call.backward else [])]
        given += [f"spread({squeezed}, tf.bool)"] if call.masked else []
        names = ["x_tensor", *(["dy_tensor"] if call.backward else []), *(["mask"] if call.masked else [])]
        masked = ", mask=mask" if call.masked else ""
        yield f"def step({', '.join(names)}):"
        y = f"layer(x_tensor, training={call.training}{masked})"
        if call.backward:
            yield f"    sources = [{', '.join(['x_tensor', *self.sources().values()])}]"
            yield "    with tf.GradientTape() as tape:"
            yield "        tape.watch(sources)"
            yield f"        y = {y}"
            yield "    return y, tape.gradient(y, sources, dy_tensor)"
        else:
            yield f"    return {y}, []"
        yield f"y, found = strategy.run(step, args=({', '.join(given)},))"
        yield "y_out = joined(y)"
        if call.backward:
            yield "dx_out = joined(found[0])"
            for place, name in enumerate(self.sources(), 1):
                yield f"{name}_out = strategy.reduce('SUM', found[{place}], axis=None)"


class KerasXlaCode(KerasTensorflowCode):
    """On TensorFlow under `tf.function(jit_compile=True)`."""

    def step(self, call: StepCall) -> Lines:
        lines = in_function([f"y_out = {self.call(call)}"], "x_tensor", "y_out")
        return taped_step(call, [*lines], self.sources(), self.config.dtype)


class KerasTorchCode(_KerasCode):
    """On PyTorch."""

    imports = ("import keras", "import torch", "", "torch.set_num_threads(1)")
    array = "value.detach().double().numpy()"

    def step(self, call: StepCall) -> Lines:
        return autograd_step(call, self.call(call), self.sources(), self.config.dtype)


class KerasJaxCode(FunctionCode):
    """On JAX: the layer's own call as a pure function, by `keras.StatelessScope`."""

    imports = (*FunctionCode.imports, "import keras")
    names = ("gamma", "beta")

    def build(self) -> Lines:
        yield from _built(self.config)
        held = ", ".join(f'"{name}": layer.{name}.value' for name in self.parameters)
        yield f"parameters = {{{held}}}"
        yield 'statistics = {"mean": layer.moving_mean.value, "variance": layer.moving_variance.value}'
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        yield "    variables = [(getattr(layer, name), value) for name, value in parameters.items()]"
        yield '    variables += [(layer.moving_mean, statistics["mean"])]'
        yield '    variables += [(layer.moving_variance, statistics["variance"])]'
        yield f"    masked = {{}} if mask is None else {{'mask': mask.squeeze({self.config.channel_axis})}}"
        yield "    with keras.StatelessScope(state_mapping=variables) as scope:"
        yield "        y = layer(x_array, training=training, **masked)"
        yield "    moved = [scope.get_current_value(part) for part in (layer.moving_mean, layer.moving_variance)]"
        yield '    return y, dict(zip(("mean", "variance"), moved))'
        yield ""

    def set_statistics(self) -> Lines:
        for name, source in (("mean", "running_mean"), ("variance", "running_var")):
            yield f'statistics["{name}"] = jnp.asarray({source}, statistics["{name}"].dtype)'

    def statistics(self) -> Lines:
        yield 'running_mean_out, running_var_out = statistics["mean"], statistics["variance"]'
