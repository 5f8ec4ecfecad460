"""The batch normalisation of Flax as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.jax_code import AXIS, CodeOnDevices, FunctionCode, ShardedCode
from bn_conformance.layer_code import Lines
from bn_reference.specification.config import LayerConfig


def _options(config: LayerConfig) -> str:
    given = [f"axis={config.channel_axis}"]
    given += [f"momentum={config.keep!r}"] if config.keep is not None else []
    given += [f"epsilon={config.eps!r}"] if config.eps is not None else []
    given += [f"dtype=jnp.{config.dtype}", f"param_dtype=jnp.{config.parameter_dtype}"]
    given += [] if config.gamma else ["use_scale=False"]
    return ", ".join(given + ([] if config.beta else ["use_bias=False"]))


class _FlaxCode(FunctionCode):
    """A layer, called as it is or compiled; `more` is a further argument of its class."""

    def __init__(self, config: LayerConfig, compiled: bool, more: str = "") -> None:
        super().__init__(config)
        self.compiled = compiled
        self.options = _options(config) + (f", {more}" if more else "")


class LinenCode(_FlaxCode):
    """`flax.linen.BatchNorm`."""

    imports = (*FunctionCode.imports, "from flax import linen")

    def build(self) -> Lines:
        config = self.config
        shape = [config.num_channels if axis == config.channel_axis else 1 for axis in range(config.rank)]
        yield f"layer = linen.BatchNorm({self.options})"
        yield "variables = layer.init("
        yield f"    jax.random.key(0), jnp.zeros({shape}, jnp.{config.dtype}), use_running_average=False"
        yield ")"
        yield 'parameters, statistics = dict(variables.get("params", {})), dict(variables["batch_stats"])'
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        yield '    held = {"params": parameters, "batch_stats": statistics}'
        yield "    if not training:"
        yield "        return layer.apply(held, x_array, use_running_average=True, mask=mask), statistics"
        yield "    y, updated = layer.apply("
        yield '        held, x_array, use_running_average=False, mask=mask, mutable=["batch_stats"]'
        yield "    )"
        yield '    return y, updated["batch_stats"]'
        yield ""

    def set_statistics(self) -> Lines:
        dtype = "float64" if self.config.dtype == "float64" else "float32"
        for name, source in (("mean", "running_mean"), ("var", "running_var")):
            yield f'statistics["{name}"] = jnp.asarray({source}, jnp.{dtype})'

    def statistics(self) -> Lines:
        yield 'running_mean_out, running_var_out = statistics["mean"], statistics["var"]'


class SynchronisedLinenCode(ShardedCode, LinenCode):
    """`flax.linen.BatchNorm` that takes its means over the shards of a named axis."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config, True, f"axis_name={AXIS!r}")

    def build(self) -> Lines:
        yield from super().build()
        yield ""
        yield from self.mapped()


class LinenCodeOnDevices(CodeOnDevices, SynchronisedLinenCode):
    """The same with each shard on a device of its own."""


class NnxCode(_FlaxCode):
    """`flax.nnx.BatchNorm`."""

    imports = (*FunctionCode.imports, "from flax import nnx")

    def build(self) -> Lines:
        yield f"layer = nnx.BatchNorm({self.config.num_channels}, {self.options}, rngs=nnx.Rngs(0))"
        yield "graph, parameters, statistics = nnx.split(layer, nnx.Param, nnx.BatchStat)"
        yield "parameters, statistics = nnx.to_pure_dict(parameters), nnx.to_pure_dict(statistics)"
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        yield "    module = nnx.merge(graph, parameters, statistics)"
        yield "    y = module(x_array, use_running_average=not training, mask=mask)"
        yield "    return y, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))"
        yield ""

    def set_statistics(self) -> Lines:
        for name, source in (("mean", "running_mean"), ("var", "running_var")):
            yield f'statistics["{name}"] = jnp.asarray({source}, statistics["{name}"].dtype)'

    def statistics(self) -> Lines:
        yield 'running_mean_out, running_var_out = statistics["mean"], statistics["var"]'
