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


def _built(config: LayerConfig) -> Lines:
    policy = POLICIES.get((config.dtype, config.parameter_dtype), config.dtype)
    given = [f"axis={config.channel_axis}"]
    given += [f"momentum={config.keep!r}"] if config.keep is not None else []
    given += [f"epsilon={config.eps!r}"] if config.eps is not None else []
    given += [] if config.gamma else ["scale=False"]
    given += [] if config.beta else ["center=False"]
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
