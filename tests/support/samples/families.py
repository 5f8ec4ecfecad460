"""Families of data for the tests: what batches look like, by name, small enough for exact rational arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from tests.support.samples.sample import FORMAT_NAMES, Sample

from bn_conformance.cases.recipes import DataRecipe, RowsOfData, dtype_of, seed_of
from bn_reference.arithmetic.formats import FORMATS


def sample(
    name: str,
    x: DataRecipe,
    *,
    dtype: str = "float32",
    parameter_dtype: str | None = None,
    channels: int = 3,
    count: int = 16,
    eps: float = 2.0**-10,
    dy: DataRecipe | None = None,
    gamma: DataRecipe | None = None,
) -> Sample:
    """A batch from recipes, with random dy, gamma, beta and a state that resembles the batch's own statistics."""
    seed = seed_of(f"{name}/{dtype}/{channels}/{count}/{x}")
    parameters = parameter_dtype or dtype

    def rows(recipe: DataRecipe, width: int, kept: str) -> RowsOfData:
        values = recipe.rows(channels, width).astype(dtype_of(kept)).astype(np.float64)
        assert np.all(np.isfinite(values)), f"{name} overflows in {kept}"
        return values

    data = rows(replace(x, seed=seed), count, dtype)
    known = FORMATS[parameters]
    with np.errstate(over="ignore"):
        spread = np.clip(data.var(axis=1), known.smallest_normal, known.largest / 4)
    noise = DataRecipe(kind="positive", seed=seed + 3).rows(channels, 1)[:, 0]
    mean = (0.25 * data[:, 0] * noise).astype(dtype_of(parameters)).astype(np.float64)
    variance = (spread * noise).astype(dtype_of(parameters))
    return Sample(
        name=name,
        dtype=dtype,
        parameter_dtype=parameters,
        eps=eps,
        x=data,
        dy=rows(replace(dy or DataRecipe(), seed=seed + 1), count, dtype),
        gamma=rows(gamma or DataRecipe(kind="positive", seed=seed + 2), 1, parameters)[:, 0],
        beta=rows(DataRecipe(seed=seed + 4), 1, parameters)[:, 0],
        running_mean=mean,
        running_variance=variance.astype(np.float64),
    )


def _offsets(offset: float) -> Iterator[Sample]:
    name = f"offset-{offset:g}"
    recipe = DataRecipe(offset=offset)
    for dtype in FORMAT_NAMES:
        if dtype == "float16" and offset > 1e4:
            continue
        for count in (2, 7, 32):
            yield sample(name, recipe, dtype=dtype, count=count)


def _scales(name: str, scales: dict[str, float]) -> Iterator[Sample]:
    for dtype, scale in scales.items():
        yield sample(name, DataRecipe(scale=scale), dtype=dtype)
        yield sample(name, DataRecipe(scale=scale), dtype=dtype, count=5, eps=1e-5)
        yield sample(name, DataRecipe(scale=scale), dtype=dtype, count=4, eps=0.0)


def _kinds(name: str, *recipes: DataRecipe, count: int = 16) -> Iterator[Sample]:
    for dtype in FORMAT_NAMES:
        for recipe in recipes:
            yield sample(name, recipe, dtype=dtype, count=count)


def _wider_parameters() -> Iterator[Sample]:
    for dtype, parameters in (
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("float16", "float64"),
        ("float32", "float64"),
    ):
        yield sample("wider-parameters", DataRecipe(offset=3.0), dtype=dtype, parameter_dtype=parameters)


def _counts() -> Iterator[Sample]:
    for count in (2, 3, 63, 64, 65, 100):
        yield sample("counts", DataRecipe(offset=1.0), dtype="float64", count=count, channels=2)


def _small_and_large_dy() -> Iterator[Sample]:
    for dtype in FORMAT_NAMES:
        for scale in (2.0**-13, 2.0**12):
            yield sample("dy-scales", DataRecipe(), dtype=dtype, dy=DataRecipe(scale=scale))
        yield sample("dy-scales", DataRecipe(), dtype=dtype, dy=DataRecipe(kind="fill", offset=1.0))


FAMILIES: dict[str, tuple[Sample, ...]] = {
    **{f"offset-{offset:g}": tuple(_offsets(offset)) for offset in (0.0, 1.0, 1e2, 1e4, 1e6, 1e8)},
    "scale-subnormal": tuple(
        _scales(
            "scale-subnormal", {"float16": 2.0**-20, "bfloat16": 2.0**-129, "float32": 2.0**-140, "float64": 2.0**-1060}
        )
    ),
    "scale-tiny": tuple(
        _scales("scale-tiny", {"float16": 2.0**-10, "bfloat16": 2.0**-60, "float32": 2.0**-60, "float64": 2.0**-500})
    ),
    "scale-huge": tuple(
        _scales("scale-huge", {"float16": 2.0**7, "bfloat16": 2.0**60, "float32": 2.0**60, "float64": 2.0**500})
    ),
    "scale-near-overflow": tuple(
        _scales(
            "scale-near-overflow", {"float16": 2.0**12, "bfloat16": 2.0**124, "float32": 2.0**124, "float64": 2.0**1020}
        )
    ),
    "constant": tuple(
        _kinds(
            "constant",
            DataRecipe(kind="constant", scale=0.1),
            DataRecipe(kind="constant", offset=1e4, scale=3.0),
            count=9,
        )
    ),
    "one-value": tuple(_kinds("one-value", DataRecipe(), DataRecipe(offset=1e3), count=1)),
    "mixed-scales": tuple(_kinds("mixed-scales", DataRecipe(kind="mixed-scales", scale=2.0), count=12)),
    "outlier": tuple(
        _kinds("outlier", DataRecipe(kind="outlier", offset=1.0, scale=1e4), DataRecipe(kind="outlier"), count=24)
    ),
    "integers": tuple(_kinds("integers", DataRecipe(kind="integers", offset=7.0))),
    "plus-minus": tuple(
        _kinds("plus-minus", DataRecipe(kind="plus-minus", scale=2.0), DataRecipe(kind="plus-minus-fan"))
    ),
    "positive": tuple(_kinds("positive", DataRecipe(kind="positive"))),
    "network": tuple(_kinds("network", DataRecipe(kind="network", scale=2.0**-4))),
    "wider-parameters": tuple(_wider_parameters()),
    "counts": tuple(_counts()),
    "dy-scales": tuple(_small_and_large_dy()),
}
"""Every family that the oracle checks, by name."""
