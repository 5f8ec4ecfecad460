"""Everything that a layer gives along a sequence of steps, which a deviation must change somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bn_conformance.cases.masks import MaskRecipe
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.config import CUMULATIVE, LayerConfig
from bn_reference.specification.convention import Convention

DECLARED = (
    Convention(),
    Convention(
        running_variance="biased",
        initial_running_variance=0.0,
        momentum_weighs="old",
        statistics_move="explicit",
        eps_in_running_variance=True,
        eps_in_inference=False,
        eps_dtype="float32",
        momentum_dtype="float32",
        statistics_dtype="float32",
        default_momentum=0.9,
    ),
    Convention(debiasing="zero-debias", default_momentum=0.01),
)


def dtype_named(name: str) -> np.dtype:
    """bfloat16 of these tests is `ml_dtypes`', as in the suite."""
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


Outcome = list[np.ndarray]


def configurations() -> Iterator[tuple[LayerConfig, tuple[int, ...]]]:
    """Small layers that differ in what deviations look at: format, sizes, parameters, momentum."""
    common: dict[str, Any] = {"eps": 0.25, "momentum": 0.25}
    yield LayerConfig(num_channels=3, rank=4, **common), (2, 3, 3, 3)
    yield LayerConfig(num_channels=3, rank=4, channel_axis=3, **common), (3, 5, 3, 3)
    yield LayerConfig(num_channels=3, rank=4, channel_axis=3, **common), (2, 3, 5, 3)
    yield LayerConfig(num_channels=6, rank=4, **common), (1, 6, 4, 4)
    float64: dict[str, Any] = {"dtype": "float64", "parameter_dtype": "float64"}
    yield LayerConfig(num_channels=3, rank=4, eps=1e-3, momentum=0.1, **float64), (4, 3, 2, 4)
    yield LayerConfig(num_channels=3, rank=3, dtype="float16", parameter_dtype="float32", **common), (4, 3, 9)
    yield LayerConfig(num_channels=3, rank=3, dtype="float16", parameter_dtype="float16", **common), (4, 3, 9)
    yield LayerConfig(num_channels=3, rank=3, dtype="bfloat16", parameter_dtype="float32", **common), (4, 3, 9)
    yield LayerConfig(num_channels=301, rank=2, eps=None, momentum=None), (5, 301)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=CUMULATIVE), (1027, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=1e-7, momentum=0.0, beta=False), (257, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=1.0, gamma=False), (8, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=0.25, gamma=False, beta=False), (8, 2)
    yield LayerConfig(num_channels=1, rank=2, eps=0.25, momentum=0.25), (65540, 1)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=0.25), (1, 2)
    yield LayerConfig(num_channels=2, rank=2, eps=0.25, momentum=0.25), (0, 2)
    yield from crossed_configurations()


def crossed_configurations() -> Iterator[tuple[LayerConfig, tuple[int, ...]]]:
    """What deviations of one rank, one format or one size look at."""
    defaults: dict[str, Any] = {"eps": None, "momentum": None, "gamma": False, "beta": False}
    for rank, axis, shape in ((3, 1, (4, 3, 9)), (5, 2, (2, 3, 3, 2, 4))):
        place: dict[str, Any] = {"num_channels": 3, "rank": rank, "channel_axis": axis}
        yield LayerConfig(**place, **defaults), shape
        yield LayerConfig(**place, eps=0.25, momentum=CUMULATIVE), shape
    for dtype, wide in (("float16", "float32"), ("float64", "float64")):
        formats: dict[str, Any] = {"num_channels": 2, "rank": 2, "dtype": dtype, "parameter_dtype": wide, "eps": 0.25}
        yield LayerConfig(**formats, gamma=False, beta=False), (9, 2)
        for momentum in (0.0, None, CUMULATIVE):
            yield LayerConfig(**formats, momentum=momentum, beta=False), (9, 2)
        for count in (0, 1, 4099) if dtype == "float64" else (0, 1):
            yield LayerConfig(**formats), (count, 2)
    yield LayerConfig(num_channels=2, rank=2, dtype="float32", parameter_dtype="float64"), (9, 2)
    yield LayerConfig(num_channels=1026, rank=2), (3, 1026)
    yield LayerConfig(num_channels=2, rank=2, eps=0.0), (9, 2)
    yield LayerConfig(num_channels=3, rank=2, eps=100.0, momentum=0.97), (9, 3)


SCALES = (1.0, 1e-4, 1e6)

FAR = 1e7
"""A mean that is large beside any deviation of the data."""


def data(shape: tuple[int, ...], seed: int, axis: int, offset: float = 0.5) -> np.ndarray:
    """Normal numbers; outliers in channel 0, and channel 1 is constant for one of the seeds."""
    x = np.random.default_rng(seed).normal(offset, 1.0, shape)
    if x.size > 2 and x.shape[0] > 1:
        x.reshape(-1)[0] = 60.0
        if seed == 2:
            np.moveaxis(x, axis, 0)[1 % shape[axis]] = 3.0
        if seed == 3:
            np.moveaxis(x, axis, 0)[-1].flat[0] = np.nan
    return x


def run(
    layer_type: type[PlainLayer],
    config: LayerConfig,
    sizes: tuple[int, ...],
    convention: Convention,
    scale: float = 1.0,
    work: np.dtype | None = None,
    equal: bool = False,
    far: float = 0.0,
) -> Outcome:
    """Everything that a sequence of steps gives; where the layer raises, what it gave before that."""
    found: Outcome = []

    def record(layer: PlainLayer, *arrays: np.ndarray | None) -> None:
        found.extend(np.array(part, np.float64) for part in (*arrays, *layer.running_statistics()) if part is not None)

    def step(layer: PlainLayer, seed: int, training: bool, dy_scale: float = 1.0, more: int = 0) -> None:
        axis, storage, shape = config.channel_axis, layer.storage, (sizes[0] + more, *sizes[1:])
        with np.errstate(all="ignore"):
            x = (data(shape, seed, axis) * scale + far).astype(storage)
            dy = (data(shape, seed + 10, axis, 0.25) * dy_scale).astype(storage)
            dy = np.full_like(dy, 0.5) if seed == 5 else np.zeros_like(dy) if seed == 6 else dy
            y = layer.forward(x, training)
            record(layer, y)
            layer.update_statistics()
            record(layer, *layer.backward(dy))
            if seed in (1, 2):
                vectors = np.linspace(0.5, 1.5, config.num_channels), np.linspace(1.0, -2.0, config.num_channels)
                weights = (
                    data(shape, seed + 20, axis, 0.25).astype(storage),
                    *(v.astype(layer.parameters) for v in vectors),
                )
                second = layer.double_backward(dy, *weights)
                record(layer, second.ds_dx, second.ds_dgamma, second.ds_ddy)

    def masked(layer: PlainLayer, training: bool, hidden: float, kind: str) -> None:
        axis, storage = config.channel_axis, layer.storage
        x = (data(sizes, 1, axis) * scale).astype(storage)
        mask = MaskRecipe(kind=kind, seed=3, hidden=hidden).array(sizes, axis)
        x = np.where(mask, x, hidden).astype(storage)
        record(layer, layer.forward_masked(x, mask, training))
        layer.update_statistics()
        record(layer, *layer.backward(data(sizes, 11, axis, 0.25).astype(storage)))

    def between(layer: PlainLayer) -> None:
        """Changes behind a forward and its gradients again, then a frozen layer that is set, masked and saved."""
        axis, storage, channels = config.channel_axis, layer.storage, config.num_channels
        x, dy = ((data(sizes, seed, axis) * scale).astype(storage) for seed in (1, 11))
        one, other = (np.linspace(*ends, channels).astype(layer.parameters) for ends in ((0.7, 1.9), (-1.3, 2.1)))
        some, more = (np.full(channels, value).astype(layer.statistics_dtype) for value in (2.0, 5.0))
        mask = MaskRecipe(seed=3).array(sizes, axis)
        for training in (True, False):
            for loads in (False, True):
                layer.set_running_statistics(some, some)
                layer.set_parameters(one, other)
                layer.forward(x, training)
                layer.update_statistics()
                layer.set_parameters(other, one)
                if loads:
                    layer.load_state(layer.state())
                else:
                    layer.set_running_statistics(more, more)
                record(layer, *layer.backward(dy))
                record(layer, *layer.double_backward(dy, x, one, other))
                record(layer, *layer.backward(dy))
        fresh = layer_type(config, convention, dtype_named, work)
        fresh.load_state(layer.state())
        record(fresh, fresh.forward(x, False))
        layer.forward_masked(x, mask, True)
        record(layer, *layer.backward(dy), *layer.backward(dy))
        broken = x.copy()
        broken.reshape(-1)[:1] = np.nan
        record(fresh, fresh.forward_masked(broken, mask, True))
        layer.forward(x, True)
        layer.freeze()
        record(layer, *layer.backward(dy))
        layer.set_running_statistics(more, some)
        record(layer, layer.forward(x, True), layer.forward_masked(x, mask, True))
        fresh.load_state(layer.state())
        record(fresh, fresh.forward(x, True))

    def unusual(layer: PlainLayer) -> None:
        """dy far from 1, vectors that are broken in one channel, and batches that a layer may refuse."""
        step(layer, 1, True, 1e-30)
        step(layer, 1, True, 1e20)
        ones = np.ones(config.num_channels)
        for broken in (np.nan, np.inf, -0.5):
            vector = ones.copy()
            vector[0] = broken
            layer.set_running_statistics(ones.astype(layer.statistics_dtype), vector.astype(layer.statistics_dtype))
            step(layer, 1, False)
            layer.set_parameters(vector.astype(layer.parameters), ones.astype(layer.parameters))
            step(layer, 1, False)
            layer.set_parameters(ones.astype(layer.parameters), ones.astype(layer.parameters))
        refused = (*sizes[:-1], 0) if config.rank > 2 and config.channel_axis == 1 else sizes, (2, *sizes)
        for shape in refused:
            try:
                record(layer, layer.forward(np.ones(shape).astype(layer.storage), True))
            except (ValueError, TypeError, RuntimeError):
                record(layer)

    def sharded(layer: PlainLayer) -> None:
        """A batch in shards of several sizes, empty ones and such of one entry among them."""
        entries, axis, storage = sizes[0], config.channel_axis, layer.storage
        x, dy = ((data(sizes, seed, axis) * scale).astype(storage) for seed in (4, 11))
        for ends in ([1], [entries // 2], [entries - 1], [0, 1]):
            record(layer, *layer.forward_shards(np.split(x, ends), True))
            layer.update_statistics()
            dxs, dgamma, dbeta = layer.backward_shards(np.split(dy, ends))
            record(layer, *dxs, dgamma, dbeta, *(part for pair in layer.shard_statistics() for part in pair))
        mask = MaskRecipe(kind="thinned").array(sizes, axis)
        record(layer, *layer.forward_shards(np.split(x, [entries // 2]), True, np.split(mask, [entries // 2])))

    with np.errstate(all="ignore"):
        channels = config.num_channels
        layer = layer_type(config, convention, dtype_named, work)
        record(layer)
        try:
            step(layer, 0, False)
            step(layer, 1, True)
            gamma, beta = np.linspace(-1.5, 2.0, channels), np.linspace(0.7, -0.3, channels)
            gamma[-1:] = 0.0
            layer.set_parameters(gamma.astype(layer.parameters), beta.astype(layer.parameters))
            step(layer, 1, False)
            step(layer, 2, True)
            if sizes[0] > 1:
                masked(layer, True, 7.0, "random")
                masked(layer, False, 7.0, "random")
                masked(layer, True, 7.0, "samples")
                masked(layer, True, np.nan, "random")
            ones, twos = np.ones(channels, layer.parameters), np.full(channels, 2.0, layer.parameters)
            layer.set_parameters(*((twos, twos) if equal else (ones, twos)))
            step(layer, 4, True, 1e-9)
            step(layer, 2, True, 1e6)
            step(layer, 5, False)
            step(layer, 8, True, more=3)
            mean, variance = np.full(channels, 2.001), np.full(channels, 2.0)
            layer.set_running_statistics(mean.astype(layer.statistics_dtype), variance.astype(layer.statistics_dtype))
            layer.set_parameters(*((twos, twos) if equal else (twos, ones * 0)))
            step(layer, 1, False)
            mean[:], variance[:] = 2.0, 1e-6
            layer.set_running_statistics(mean.astype(layer.statistics_dtype), variance.astype(layer.statistics_dtype))
            step(layer, 1, False)
            variance[:] = 1e5
            layer.set_running_statistics(mean.astype(layer.statistics_dtype), variance.astype(layer.statistics_dtype))
            step(layer, 1, False)
            step(layer, 6, True)
            other = layer_type(config, convention, dtype_named, work)
            step(other, 7, True)
            step(other, 7, False)
            other.set_parameters(twos, ones)
            layer.forward((data(sizes, 1, config.channel_axis)).astype(layer.storage), True)
            other.forward((data(sizes, 8, config.channel_axis)).astype(layer.storage), True)
            record(layer, *layer.backward(data(sizes, 9, config.channel_axis).astype(layer.storage)))
            step(layer, 1, False)
            layer.set_parameters(twos, ones)
            step(layer, 1, False)
            step(other, 1, False)
            other.load_state(layer.state())
            step(other, 1, False)
            step(other, 2, True)
            other.freeze()
            step(other, 1, True)
            step(other, 2, True)
            step(other, 3, False)
            layer.frozen = False
            step(layer, 3, True)
            if sizes[0] > 1:
                sharded(layer_type(config, convention, dtype_named, work))
                between(layer_type(config, convention, dtype_named, work))
                unusual(layer_type(config, convention, dtype_named, work))
            masked(layer, True, 7.0, "none")
        except (ValueError, TypeError, RuntimeError):
            pass
    return found
