"""Goldens by blocks: the numbers and bounds are those of one block, and what cannot be had by blocks is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.samples.sample import FORMAT_NAMES

from bn_conformance.cases.recipes import DataRecipe, dtype_of
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import QUAD, Quad, to_float64, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.blockwise import LongGolden, Tensor
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import GRADES, STABLE

SHAPE = (23, 3, 2)
CONFIG = LayerConfig(num_channels=3, rank=3, channel_axis=1, eps=2.0**-10, momentum=0.25)
WIDER = 2.0**-45
"""What float64 may make of a bound: some roundings, and those of values that are small beside the mean."""


def tensors(dtype: str, offset: float) -> tuple[Any, Any, GammaBeta]:
    x = DataRecipe(kind="normal", seed=1, offset=offset).tensor(SHAPE, 1, dtype)
    dy = DataRecipe(kind="beside", seed=1, offset=0.5).tensor(SHAPE, 1, dtype)
    gamma, beta = (DataRecipe(kind="centred", seed=seed).vector(3, dtype) for seed in (3, 4))
    return x, dy, GammaBeta(to_quad(gamma), to_quad(beta))


def both(dtype: str, offset: float, block: int) -> tuple[dict[str, Expected], dict[str, Expected]]:
    x, dy, parameters = tensors(dtype, offset)
    config = replace(CONFIG, dtype=dtype, parameter_dtype=dtype)
    golden = Golden(config, Convention(), to_quad(channels_first(x, 1)), parameters)
    long = LongGolden(config, Convention(), Tensor(x, 1, block), parameters)
    known = Statistics.initial(3, Convention())
    at_once = golden.training(to_quad(channels_first(dy, 1))) | golden.update(known, STABLE)[1]
    return at_once, long.training(Tensor(dy, 1, block)) | long.update(known, STABLE)[1]


def whole(expected: Expected, what: Any) -> Quad:
    return np.concatenate([np.atleast_1d(what(part)) for part in expected.parts()], axis=-1)


@pytest.mark.parametrize("block", [1, 40, 10**6])
@pytest.mark.parametrize("dtype", FORMAT_NAMES)
def test_numbers_are_those_of_one_block(dtype: str, block: int) -> None:
    at_once, by_blocks = both(dtype, 4.0, block)
    for name, expected in at_once.items():
        values = whole(by_blocks[name], lambda part: part.values)
        apart = np.abs(values - expected.values) / np.maximum(np.abs(expected.values), to_quad(1e-2))
        assert float(apart.max()) < 2.0**-100, name


@pytest.mark.parametrize("offset", [2.0**power for power in range(-2, 21)])
@pytest.mark.parametrize("dtype", FORMAT_NAMES)
def test_bounds_are_those_of_one_block(dtype: str, offset: float) -> None:
    if dtype == "float16" and offset > 2.0**14:
        return
    at_once, by_blocks = both(dtype, offset, 14)
    for name, expected in at_once.items():
        for grade in GRADES:
            bound = expected.bound(grade)
            allowed = whole(by_blocks[name], lambda part, grade=grade: to_float64(to_quad(part.bound(grade).allowed)))
            apart = np.abs(allowed - to_float64(bound.allowed))
            assert np.all((apart <= offset * WIDER * to_float64(bound.allowed)) | np.isnan(allowed)), (name, grade)
            for part in by_blocks[name].parts():
                np.testing.assert_array_equal(part.bound(grade).meaningful, bound.meaningful, f"{name} {grade}")


@pytest.mark.parametrize(("dtype", "work"), [("float32", np.float64), ("bfloat16", np.float64), ("float64", QUAD)])
def test_bounds_are_in_float64_where_its_range_is_enough(dtype: str, work: Any) -> None:
    _, by_blocks = both(dtype, 1.0, 40)
    assert {part.bound(STABLE).allowed.dtype for part in by_blocks["y"].parts()} == {np.dtype(work)}


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**60, 2.0**125])
def test_bounds_in_float64_neither_overflow_nor_underflow(scale: float) -> None:
    x = DataRecipe(kind="normal", seed=1, scale=scale).tensor(SHAPE, 1, "float32")
    dy = DataRecipe(kind="normal", seed=2, scale=min(scale, 2.0**100)).tensor(SHAPE, 1, "float32")
    config, nothing = replace(CONFIG, eps=2.0**-120), GammaBeta(None, None)
    golden = Golden(config, Convention(), to_quad(channels_first(x, 1)), nothing)
    at_once = golden.training(to_quad(channels_first(dy, 1)))
    by_blocks = LongGolden(config, Convention(), Tensor(x, 1, 40), nothing).training(Tensor(dy, 1, 40))
    for name, expected in at_once.items():
        for grade in GRADES:
            allowed = whole(by_blocks[name], lambda part, grade=grade: to_float64(to_quad(part.bound(grade).allowed)))
            np.testing.assert_allclose(allowed, to_float64(expected.bound(grade).allowed), rtol=WIDER)


def test_a_block_is_of_whole_entries_and_one_at_least() -> None:
    tensor = Tensor(np.zeros((7, 3, 2), np.float32), 1, block=13)
    assert [(part.start, part.stop) for part in tensor.blocks()] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert len(list(replace(tensor, block=1).blocks())) == 7
    assert (tensor.channels, tensor.width, tensor.count) == (3, 2, 14)
    assert dtype_of("float32") == tensor.rows(slice(6, 8), np.float32).dtype
    assert tensor.rows(slice(6, 8), QUAD).shape == (3, 2)


def test_under_another_convention_the_batch_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[Tensor] = []
    blocks = Tensor.blocks

    def counted(tensor: Tensor) -> Iterator[slice]:
        passes.append(tensor)
        return blocks(tensor)

    monkeypatch.setattr(Tensor, "blocks", counted)
    x, dy, parameters = tensors("float32", 1.0)
    long = LongGolden(CONFIG, Convention(), Tensor(x, 1, 40), parameters)
    long.training(Tensor(dy, 1, 40))
    assert passes
    passes.clear()
    other, known = long.under(Convention(running_variance="biased")), Statistics.initial(3, Convention())
    biased, unbiased = (golden.update(known, STABLE)[0].variance for golden in (other, long))
    assert np.all(biased < unbiased)
    assert passes == []


def test_what_is_not_by_blocks_is_refused() -> None:
    x, dy, parameters = tensors("float32", 1.0)
    long = LongGolden(CONFIG, Convention(), Tensor(x, 1), parameters)
    with pytest.raises(TypeError, match="give a Tensor"):
        long.training(to_quad(channels_first(dy, 1)))
    with pytest.raises(TypeError, match="only in training"):
        long.inference(Statistics.initial(3, Convention()), None)
