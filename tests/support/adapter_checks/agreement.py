"""An adapter against plain float64 NumPy, with tolerances by dtype; its defaults, measured.

These are sanity checks of adapters and not the judge: that is the matrix, whose tolerances are derived.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest

from bn_conformance.adapter import Adapter, Array, Capabilities, Convention, Gradients, LayerConfig

TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-2, "bfloat16": 6e-2}
CHANNELS = 3


class Plain(NamedTuple):
    """Batch normalisation of one batch in float64, and the statistics that it divided by."""

    y: Array
    dx: Array
    dgamma: Array
    dbeta: Array
    mean: Array
    variance: Array


def plain(
    x: Array, dy: Array, gamma: Array, beta: Array, eps: float, axis: int, statistics: tuple[Array, Array] | None
) -> Plain:
    """y and gradients; statistics are constants where they are given, those of the batch where they are None."""
    x, dy = np.moveaxis(x, axis, -1).astype(np.float64), np.moveaxis(dy, axis, -1).astype(np.float64)
    rows = tuple(range(x.ndim - 1))
    mean, variance = (x.mean(rows), x.var(rows)) if statistics is None else statistics
    scale = gamma / np.sqrt(variance + eps)
    normalised = (x - mean) / np.sqrt(variance + eps)
    dbeta, dgamma = dy.sum(rows), (dy * normalised).sum(rows)
    dx = scale * dy
    if statistics is None:
        dx = scale * (dy - dy.mean(rows) - normalised * (dy * normalised).mean(rows))
    y = gamma * normalised + beta
    return Plain(np.moveaxis(y, -1, axis), np.moveaxis(dx, -1, axis), dgamma, dbeta, mean, variance)


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def configurations(capabilities: Capabilities, thin: bool = False) -> list[LayerConfig]:
    """Every declared combination of dtypes, rank, channel axis and parameters; thin: every value of each once."""
    pairs = [(dtype, dtype) for dtype in sorted(capabilities.dtypes)] + sorted(capabilities.mixed)
    pairs.sort(key=lambda pair: pair != ("float32", "float32"))
    places = [place for rank in sorted(capabilities.ranks) for place in _places(rank, capabilities)]
    affines = sorted(capabilities.affine, key=lambda affine: (affine != "both", affine))
    found = []
    for pair, (rank, axis), affine in product(pairs, places, affines):
        config = LayerConfig(
            num_channels=CHANNELS,
            rank=rank,
            channel_axis=axis,
            dtype=pair[0],
            parameter_dtype=pair[1],
            gamma=affine in ("both", "gamma"),
            beta=affine in ("both", "beta"),
        )
        unusual = (pair != pairs[0]) + ((rank, axis) != places[0]) + (affine != affines[0])
        if not thin or unusual <= 1:
            found.append(config)
    return found


def _places(rank: int, capabilities: Capabilities) -> list[tuple[int, int]]:
    """A rank with each channel axis that is declared; at rank 2 channels are first and last, and any layout will do."""
    configs = [LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis) for axis in range(1, rank)]
    return [(rank, one.channel_axis) for one in configs if rank == 2 or one.layout in capabilities.layouts]


def name_of(config: LayerConfig) -> str:
    """A test id that spells the axes."""
    parameters = (
        "both" if config.gamma and config.beta else "gamma" if config.gamma else "beta" if config.beta else "none"
    )
    return f"rank{config.rank}-axis{config.channel_axis}-{config.dtype}-{config.parameter_dtype}-{parameters}"


def assert_same(got: Array, expected: Array, what: str) -> None:
    """Bit for bit."""
    __tracebackhide__ = True
    assert np.array_equal(got, expected), f"{what}: got {got}, expected {expected}"


def assert_close(got: Array | None, expected: Array, dtype: str, tolerance: float, what: str) -> None:
    __tracebackhide__ = True
    assert got is not None, f"{what} is missing"
    assert got.dtype == numpy_dtype(dtype), f"{what} has dtype {got.dtype}"
    assert got.shape == expected.shape, f"{what} has shape {got.shape}"
    error = np.abs(got.astype(np.float64) - expected).max() / (1 + np.abs(expected).max())
    assert error <= tolerance, f"{what} is off by {error}"


def assert_same_gradients(one: Gradients, another: Gradients) -> None:
    """Bit for bit, and the same ones missing."""
    __tracebackhide__ = True
    for name, a, b in zip(Gradients._fields, one, another, strict=True):
        assert (a is None) == (b is None), f"{name} is None in inference or in a frozen layer, and not in the other"
        if a is not None and b is not None:
            assert_same(a, b, f"{name} of the frozen layer, which must be that of inference")


def check_agreement(adapter: Adapter, config: LayerConfig, tolerance: float | None = None) -> None:
    """A training and an inference step, their gradients, the running statistics, state and freezing."""
    __tracebackhide__ = True  # what a failure says is enough; the code of this check is not the reader's
    convention, capabilities = adapter.convention, adapter.capabilities
    tolerance = TOLERANCE[config.dtype] if tolerance is None else tolerance
    generator = np.random.default_rng(7)

    def draw(shape: tuple[int, ...], dtype: str, centre: float = 0.0) -> Array:
        return generator.normal(centre, 1.0, shape).astype(numpy_dtype(dtype))

    shape = tuple(4 if a == 0 else CHANNELS if a == config.channel_axis else 2 for a in range(config.rank))
    count = int(np.prod(shape)) // CHANNELS
    layer = adapter.build(config)
    gamma, beta = draw((CHANNELS,), config.parameter_dtype, 1.0), draw((CHANNELS,), config.parameter_dtype)
    layer.set_parameters(gamma if config.gamma else None, beta if config.beta else None)
    gamma64 = gamma.astype(np.float64) if config.gamma else np.ones(CHANNELS)
    beta64 = beta.astype(np.float64) if config.beta else np.zeros(CHANNELS)
    eps, momentum = config.eps, config.momentum
    assert eps is not None
    assert isinstance(momentum, float)

    before = layer.running_statistics()
    initial = convention.initial_running_variance
    assert np.all(before.mean.astype(np.float64) == 0), f"running mean of a fresh layer: got {before.mean}, expected 0"
    assert np.all(before.variance.astype(np.float64) == initial), (
        f"running variance of a fresh layer: got {before.variance}, expected {initial} as the convention declares"
    )

    x, dy = draw(shape, config.dtype, 0.5), draw(shape, config.dtype)
    for training in (True, False):
        mode = "training" if training else "inference"
        if not training:
            given = draw((CHANNELS,), config.parameter_dtype), np.abs(draw((CHANNELS,), config.parameter_dtype, 2.0))
            layer.set_running_statistics(*given)
        statistics = None if training else (given[0].astype(np.float64), given[1].astype(np.float64))
        mode_eps = eps if training or convention.eps_in_inference else 0.0
        expected = plain(x, dy, gamma64, beta64, mode_eps, config.channel_axis, statistics)
        y = layer.forward(x, training)
        assert_close(y, expected.y, config.dtype, tolerance, f"y in {mode}")
        if mode in capabilities.gradients:
            found = layer.backward(dy)
            assert_close(found.dx, expected.dx, config.dtype, tolerance, f"dx in {mode}")
            for name, present in (("dgamma", config.gamma), ("dbeta", config.beta)):
                if present:
                    wanted = getattr(expected, name)
                    assert_close(getattr(found, name), wanted, config.parameter_dtype, tolerance, f"{name} in {mode}")
                else:
                    what = f"{name} of a layer without {name[1:]}"
                    assert getattr(found, name) is None, f"{what} is an array; backward gives None where there is none"
        after = layer.running_statistics()
        if training:
            entering = expected.variance * (count / (count - 1) if convention.running_variance == "unbiased" else 1.0)
            entering = entering + (eps if convention.eps_in_running_variance else 0.0)
            new = momentum if convention.debiasing == "none" else 1.0  # the first batch is all that a debiased one has
            mean = new * expected.mean
            variance = (1 - new) * convention.initial_running_variance + new * entering
            assert_close(after.mean, mean, config.parameter_dtype, tolerance, "running mean")
            assert_close(after.variance, variance, config.parameter_dtype, tolerance, "running variance")
        else:
            assert_same(after.mean, given[0], "running mean after inference, from where it was set")
            assert_same(after.variance, given[1], "running variance after inference, from where it was set")

    if capabilities.state:
        other = adapter.build(config)
        other.load_state(layer.state())
        assert_same(other.forward(x, False), y, "y in inference of a layer that loaded the state")
    if capabilities.freeze:
        layer.freeze()
        assert_same(layer.forward(x, True), y, "y in training of the frozen layer, which must be that of inference")
        if "inference" in capabilities.gradients:
            assert_same_gradients(layer.backward(dy), found)
        assert_same(layer.running_statistics().variance, given[1], "running variance of the frozen layer")


def check_defaults(adapter: Adapter, rank: int = 4) -> None:
    """The default eps and momentum and the weight that momentum is, measured from a layer built without them."""
    __tracebackhide__ = True
    convention: Convention = adapter.convention
    config = LayerConfig(num_channels=1, rank=rank, channel_axis=1, eps=None, momentum=None)
    spread = 2.0**-8
    x = np.where(np.arange(8) % 2, 1 + spread, 1 - spread).astype(np.float32).reshape((8, *[1] * (rank - 1)))
    layer = adapter.build(config)
    y = float(np.abs(layer.forward(x, True)).mean())
    eps = spread**2 * (y**-2 - 1)
    assert eps == pytest.approx(convention.default_eps, rel=1e-3), f"the default eps is {eps:.3g}, not as declared"
    new = float(layer.running_statistics().mean[0])  # it started at 0, and the mean of x is 1
    if convention.debiasing == "zero-debias":  # two steps have the weights keep / (1 + keep) and 1 / (1 + keep)
        layer.forward(x - 1, True)
        first = float(layer.running_statistics().mean[0])
        new = 1 - first / (1 - first)
    default = new if convention.momentum_weighs == "new" else 1 - new
    # float32 has few digits of 1 - keep ** 2, which a debiased average is divided by
    rel = 1e-6 if convention.debiasing == "none" else 1e-4
    declared = pytest.approx(convention.default_momentum, rel=rel)
    assert default == declared, f"the default momentum is {default:.6g}, not as declared (momentum_weighs counts too)"


def check_hyperparameters_in_float64(adapter: Adapter, rank: int = 4) -> None:
    """An eps and a momentum that float32 would round are used unrounded."""
    config = LayerConfig(num_channels=1, rank=rank, dtype="float64", parameter_dtype="float64", eps=0.1, momentum=0.3)
    x = np.array([-1.0, 1.0] * 4).reshape((8, *[1] * (rank - 1)))
    layer = adapter.build(config)
    assert np.abs(layer.forward(x, True)) == pytest.approx(1 / np.sqrt(1.1), rel=1e-14)
    layer.forward(x + 1, True)
    assert layer.running_statistics().mean == pytest.approx(0.3, rel=1e-14)
