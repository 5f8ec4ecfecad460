"""`flax.linen.BatchNorm` and `flax.nnx.BatchNorm`, called eagerly and compiled."""

from __future__ import annotations

from dataclasses import replace

from bn_adapters.flax_code import LinenCode, LinenCodeOnDevices, NnxCode, SynchronisedLinenCode
from bn_adapters.flax_linen import LinenLayer, LinenLayerOnDevices, SynchronisedLinenLayer, slow_linen_batch_norm
from bn_adapters.flax_nnx import NnxLayer
from bn_adapters.jax_functions import DEVICES_ENVIRONMENT, JAX_ENVIRONMENT
from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.layer_code import LayerCode


class _Flax(Adapter):
    framework = "jax"
    environment = JAX_ENVIRONMENT
    requires = ("jax", "flax")
    install = "pip install 'bnconform[jax]'"
    distributions = ("flax", "jax", "jaxlib")
    capabilities = Capabilities(
        dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        freeze=True,
        compiles=True,
        masks=True,
        second_order=frozenset({"training", "inference"}),
    )
    convention = Convention(
        running_variance="biased",
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-5,
        statistics_dtype="float32",
    )
    compiled = False


class FlaxLinen(_Flax):
    """`flax.linen.BatchNorm`, each operation compiled on its own."""

    name = "flax.linen"
    capabilities = replace(_Flax.capabilities, devices=("cpu", "cuda"))

    def build(self, config: LayerConfig) -> Layer:
        return LinenLayer(config, self.compiled)

    def code(self, config: LayerConfig) -> LayerCode:
        return LinenCode(config, self.compiled)


class FlaxLinenJit(FlaxLinen):
    """`flax.linen.BatchNorm` under `jax.jit`."""

    name = "flax.linen[jit]"
    capabilities = replace(FlaxLinen.capabilities, original=True)
    compiled = True

    def build_original(self, config: LayerConfig) -> Layer:
        return LinenLayer(config, compiled=False)


class FlaxSlowVariance(_Flax):
    """`flax.linen.BatchNorm(use_fast_variance=False)` under `jax.jit`."""

    name = "flax[slow-variance]"
    group = "more"

    def build(self, config: LayerConfig) -> Layer:
        return LinenLayer(config, True, slow_linen_batch_norm)

    def code(self, config: LayerConfig) -> LayerCode:
        return LinenCode(config, True, "use_fast_variance=False")


class FlaxSynchronised(_Flax):
    """`flax.linen.BatchNorm(axis_name=...)` under `jax.jit(jax.vmap(..., axis_name=...))`."""

    name = "flax.linen[sync]"
    group = "more"
    capabilities = replace(_Flax.capabilities, second_order=frozenset(), shards=frozenset({"equal", "masked"}))

    def build(self, config: LayerConfig) -> Layer:
        return SynchronisedLinenLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return SynchronisedLinenCode(config)


class FlaxOnDevices(FlaxSynchronised):
    """`flax.linen.BatchNorm(axis_name=...)` under `jax.jit(jax.shard_map(...))`, a CPU device for each shard."""

    name = "flax.linen[sync,devices]"
    environment = DEVICES_ENVIRONMENT

    def build(self, config: LayerConfig) -> Layer:
        return LinenLayerOnDevices(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return LinenCodeOnDevices(config)


class FlaxNnx(_Flax):
    """`flax.nnx.BatchNorm`, each operation compiled on its own."""

    name = "flax.nnx"

    def build(self, config: LayerConfig) -> Layer:
        return NnxLayer(config, self.compiled)

    def code(self, config: LayerConfig) -> LayerCode:
        return NnxCode(config, self.compiled)


class FlaxNnxJit(FlaxNnx):
    """`flax.nnx.BatchNorm` under `nnx.jit`."""

    name = "flax.nnx[jit]"
    capabilities = replace(FlaxNnx.capabilities, original=True)
    compiled = True

    def build_original(self, config: LayerConfig) -> Layer:
        return NnxLayer(config, compiled=False)
