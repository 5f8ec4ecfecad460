"""Random samples: every shape of data that a right algorithm must survive, drawn from one seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from tests.support.samples.sample import Sample

from bn_conformance.cases.recipes import RowsOfData, dtype_of
from bn_reference.arithmetic.formats import FORMATS

KINDS = ("normal", "uniform", "lognormal", "outlier", "two-valued", "nearly-constant", "constant", "trend")


def rows_of(random: Any, kind: str, channels: int, count: int) -> RowsOfData:
    """Rows of scale 1 (with ties, tails, outliers, trends); channels differ."""
    shape = channels, count
    z = random.normal(size=shape)
    if kind == "uniform":
        return np.asarray(random.uniform(-1.7, 1.7, size=shape))
    if kind == "lognormal":
        return np.asarray(np.exp(z))
    if kind == "outlier":
        rows = np.zeros(shape)
        rows[np.arange(channels), random.integers(0, count, channels)] = random.uniform(1, 100, channels)
        return rows
    if kind == "two-valued":
        return np.asarray(np.sign(z))
    if kind == "nearly-constant":
        return np.asarray(1.0 + 1e-3 * z)
    if kind == "constant":
        return np.repeat(random.uniform(0.1, 2.0, size=(channels, 1)), count, axis=1)
    if kind == "trend":
        return np.asarray(np.linspace(-1.7, 1.7, count) + 0.1 * z)
    return np.asarray(z)


def random_sample(
    seed: int,
    dtype: str,
    parameter_dtype: str | None = None,
    *,
    largest_count: int = 600,
    channels: int = 4,
    kinds: tuple[str, ...] = KINDS,
    offset: float | None = None,
    scale: float | None = None,
    count: int | None = None,
    eps: float | None = None,
) -> Sample:
    """One sample; what is not given is drawn: n from 2 up, mean / sigma from 0 to 1e4, scales over half the format."""
    random = np.random.default_rng([seed, len(dtype), ord(dtype[0])])
    known = FORMATS[dtype]
    parameters = parameter_dtype or dtype
    kind = kinds[int(random.integers(len(kinds)))]
    count = count or int(np.exp(random.uniform(np.log(2), np.log(largest_count + 1))))
    drawn_offset = random.choice([0.0, 1.0, -1.0]) * 10.0 ** random.uniform(-1, 1.5 if dtype == "float16" else 4)
    span = 4.0 if dtype == "float16" else known.max_exponent / 5
    drawn_scale = random.choice([1.0, 2.0 ** random.uniform(-span, 4.0 if dtype == "float16" else span)])
    offset, scale = drawn_offset if offset is None else offset, drawn_scale if scale is None else scale
    if eps is None:
        eps = float(random.choice([2.0**-10, 1e-5, 1e-3, scale * scale * 2.0**-8]))
        eps = eps if dtype != "float16" else max(eps, 2.0**-10)

    def kept(values: RowsOfData, name: str) -> RowsOfData:
        return values.astype(dtype_of(name)).astype(np.float64)

    x = kept(scale * (offset + rows_of(random, kind, channels, count)), dtype)
    dy = kept(random.choice([1.0, 2.0**-6, 2.0**6]) * (random.normal(size=x.shape) + random.choice([0.0, 1.0])), dtype)
    spread = np.clip(x.var(axis=1), known.smallest_normal, FORMATS[parameters].largest / 4)
    return Sample(
        name=f"{kind}/{dtype}/n={count}/offset={offset:.3g}/scale={scale:.3g}/eps={eps:.3g}/seed={seed}",
        dtype=dtype,
        parameter_dtype=parameters,
        eps=eps,
        x=x,
        dy=dy,
        gamma=kept(random.choice([-1.0, 1.0], channels) * random.uniform(0.2, 3.0, channels), parameters),
        beta=kept(random.choice([0.0, 1.0, 10.0]) * random.normal(size=channels), parameters),
        running_mean=kept(x[:, 0] * random.uniform(0.5, 1.5, channels), parameters),
        running_variance=kept(spread * random.uniform(0.5, 1.5, channels), parameters),
    )


def random_samples(count: int, start: int = 0, only: str | None = None, **choices: Any) -> Iterator[Sample]:
    """Samples over all formats, most of them float32; of `only` one format, where it is given, those among them."""
    alone = [(dtype, None) for dtype in ("float32", "float32", "float64", "float16", "bfloat16")]
    formats = (*alone, ("float16", "float32"), ("bfloat16", "float32"), ("float32", "float64"))
    for seed in range(start, start + count):
        dtype, parameters = formats[seed % len(formats)]
        if only in (None, dtype):
            yield random_sample(seed, dtype, parameters, **choices)


def conditioned(seed: int, dtype: str, count: int, condition: float) -> Sample:
    """Normal data whose mean / deviation is `condition` in every channel, with deviations that are no round numbers.

    (With a variance of exactly 1 raw moments are saved by rounding: their result is a multiple of a large power of 2.)
    """
    base = random_sample(seed, dtype, count=count, offset=0.0, scale=1.0, eps=2.0**-10, kinds=("normal",))
    normalised = (base.x - base.x.mean(axis=1, keepdims=True)) / base.x.std(axis=1, keepdims=True)
    deviation = np.random.default_rng([7, seed]).uniform(0.7, 1.9, (base.channels, 1))
    x = (deviation * (normalised + condition)).astype(dtype_of(dtype)).astype(np.float64)
    name = f"{base.name}/condition={condition:g}"
    return replace(base, name=name, x=x, running_mean=x[:, 0] * 0.75, beta=base.beta + 1.5)
