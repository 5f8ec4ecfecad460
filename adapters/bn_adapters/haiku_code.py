"""`haiku.BatchNorm` as its users call it, for `bnconform repro`."""

from __future__ import annotations

from bn_adapters.jax_code import AXIS, CodeOnDevices, FunctionCode, ShardedCode
from bn_conformance.layer_code import Lines


class HaikuCode(FunctionCode):
    """A transformed function with state, under `jax.jit`."""

    imports = (*FunctionCode.imports, "import haiku as hk")
    names = ("scale", "offset")
    compiled = True
    axis = ""
    """The axis over which replicas take their means, as an argument; empty for none."""

    def build(self) -> Lines:
        config = self.config
        shape = [config.num_channels if axis == config.channel_axis else 2 for axis in range(config.rank)]
        eps = f", eps={config.eps!r}" if config.eps is not None else ""
        yield "@hk.without_apply_rng"
        yield "@hk.transform_with_state"
        yield f"def layer(x_array, training{', axis=None' if self.axis else ''}):"
        yield "    return hk.BatchNorm("
        yield f"        create_scale={config.gamma}, create_offset={config.beta}, decay_rate={config.keep!r}{eps},"
        yield from ["        cross_replica_axis=axis,"] if self.axis else []
        yield f'        data_format="{ {"first": "NC...", "last": "N...C"}[config.layout] }",'
        yield "    )(x_array, training)"
        yield ""
        yield f"parameters, statistics = layer.init(None, jnp.zeros({shape}, jnp.{config.dtype}), True)"
        yield 'parameters = dict(parameters.get("batch_norm", {}))'
        yield ""
        yield ""
        yield "def apply(parameters, statistics, x_array, training, mask):"
        yield '    held = {"batch_norm": parameters} if parameters else {}'
        yield f"    return layer.apply(held, statistics, x_array, training{self.axis})"
        yield ""

    def set_statistics(self) -> Lines:
        for name, source in (("mean", "running_mean"), ("var", "running_var")):
            yield f'held = statistics["batch_norm/~/{name}_ema"]  # the debiased average, and the hidden one'
            yield f'average = jnp.asarray({source}, held["average"].dtype).reshape(held["average"].shape)'
            yield f'hidden = (average * (1.0 - {self.config.keep!r} ** int(held["counter"]))).astype(average.dtype)'
            yield f'statistics["batch_norm/~/{name}_ema"] = {{**held, "average": average, "hidden": hidden}}'

    def statistics(self) -> Lines:
        for name in ("mean", "var"):
            yield f'running_{name}_out = statistics["batch_norm/~/{name}_ema"]["average"].reshape(-1)'


class SynchronisedHaikuCode(ShardedCode, HaikuCode):
    """`haiku.BatchNorm` that takes its means over the shards of a named axis."""

    axis = f", axis={AXIS!r}"

    def build(self) -> Lines:
        yield from super().build()
        yield ""
        yield from self.mapped()


class HaikuCodeOnDevices(CodeOnDevices, SynchronisedHaikuCode):
    """The same with each shard on a device of its own."""
