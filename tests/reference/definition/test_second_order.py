"""Second-order gradients: two ways of writing them, the exact oracle, and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import fmpq
from tests.support.figures import Figures
from tests.support.oracle import Channel, Exact, decoded, exact, exact_row, stored, upper
from tests.support.oracle_errors import (
    U,
    Worst,
    absolutes,
    channels_of,
    statistic_errors,
    total,
)
from tests.support.oracle_second_order import Second, Upstream, second, second_differences
from tests.support.samples.families import FAMILIES
from tests.support.second_order_algorithms import NAMES, second_sample, with_upstream

from bn_reference.arithmetic.quad import QUAD, to_float64, to_quad
from bn_reference.definition import graph, second_order
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import TIGHT


def second_allowed(channel: Channel, dy: list[Exact], up: Upstream) -> Second:
    """What a first-order analysis at u = 2**-113 allows the goldens, every term with its absolute value."""
    mean, root = statistic_errors(channel)
    count, inverse = channel.places, 1 / channel.deviation
    shift, weight = mean * inverse, abs(up.v_dgamma)
    factor, normalised = abs(channel.gamma) * inverse, absolutes(channel.normalised)
    relative = 6 * root + (2 * count + 20) * U

    def average(values: list[Any]) -> Any:
        return total(values) / count

    def both(extra: int) -> tuple[list[Any], Any, list[Any]]:
        """ds_dx, ds_dgamma and ds_ddy of absolute terms, the normalised values being that much larger."""
        sizes = [value + extra for value in normalised]
        along = [average([abs(a) * b for a, b in zip(rows, sizes, strict=True)]) for rows in (dy, up.v_dx)]
        terms = [
            [abs(a) + average(absolutes(list(rows))) + b * c for a, b in zip(rows, sizes, strict=True)]
            for rows, c in zip((dy, up.v_dx), along, strict=True)
        ]
        product = average([abs(a) * b for a, b in zip(up.v_dx, terms[0], strict=True)])
        ds_dx = [
            inverse * ((weight + factor * along[1]) * one + factor * (along[0] * other + size * product))
            for one, other, size in zip(*terms, sizes, strict=True)
        ]
        ds_ddy = [factor * one + weight * size + abs(up.v_dbeta) for one, size in zip(terms[1], sizes, strict=True)]
        return ds_dx, inverse * count * product, ds_ddy

    own, wide = both(0), both(1)
    if channel.given:
        shift, wide = fmpq(0), own
    common = average(own[0])

    def allowed(one: Any, other: Any) -> Any:
        return relative * one + 4 * shift * other

    return Second(
        [allowed(a + common, b) for a, b in zip(own[0], wide[0], strict=True)],
        allowed(own[1], wide[1]),
        [allowed(a, b) for a, b in zip(own[2], wide[2], strict=True)],
    )


def flat(values: Second) -> list[Any]:
    return [*values.ds_dx, values.ds_dgamma, *values.ds_ddy]


def golden_row(expected: dict[str, Expected], row: int) -> list[Exact]:
    return [value for name in NAMES for value in decoded(expected[name].values[row : row + 1])]


@pytest.mark.parametrize("inference", [False, True], ids=["training", "inference"])
@pytest.mark.parametrize("family", FAMILIES)
def test_goldens_agree_with_the_hessian_of_the_definition_and_with_differences(
    family: str, inference: bool, figures: Figures
) -> None:
    worst, apart = Worst(), 0.0
    for seed, base in enumerate(FAMILIES[family]):
        if base.count > 32 or base.eps == 0.0:
            continue
        sample = with_upstream(base, seed)
        expected = sample.expected(inference)
        for row, (channel, dy) in enumerate(channels_of(base, stored(base.eps, "float64"), inference)):
            up = Upstream(exact_row(sample.v_dx[row]), exact(sample.v_dgamma[row]), exact(sample.v_dbeta[row]))
            allowed, exact_gradients = second_allowed(channel, dy, up), second(channel, dy, up)
            where = f"{base.name}/{base.dtype}/n={base.count}/channel {row}"
            worst.take(where, golden_row(expected, row), flat(exact_gradients), flat(allowed))
            if base.count <= 9 and row == 0:
                quotients = second_differences(channel, dy, up)
                for quotient, derivative, limit in zip(
                    flat(quotients), flat(exact_gradients), flat(allowed), strict=True
                ):
                    if upper(limit):
                        apart = max(apart, float(upper(quotient - derivative) / upper(limit)))
    assert worst.elements
    assert apart < 1e-9
    mode = "inference" if inference else "training"
    figures(f"{family:20s} 2nd, {mode:9s} {worst}; differences {apart:.0e} of the allowed")


@pytest.mark.parametrize("gamma", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 33])
def test_the_two_ways_of_writing_it_agree(count: int, gamma: bool) -> None:
    sample = second_sample(count, "float64", count=count, offset=3.0, scale=1.0, kinds=("normal",))
    rows = [to_quad(values) for values in (sample.base.x, sample.base.dy)]
    scale = to_quad(sample.base.gamma) if gamma else None
    nodes = graph.forward(rows[0], scale, None, to_quad(0.25))
    vectors = (to_quad(sample.v_dgamma), to_quad(sample.v_dbeta))
    upstream = second_order.Upstream(to_quad(sample.v_dx), *vectors)
    one = second_order.second_order(rows[1], nodes, scale, upstream)
    other = second_order.second_order_closed_form(rows[1], nodes, scale, upstream)
    for name, first, then in zip(NAMES, one, other, strict=True):
        apart = np.max(np.abs(first - then)) / (1 + np.max(np.abs(then)))
        assert apart < to_quad(1e-30), (name, float(apart))


def test_a_layer_without_gamma_is_one_with_a_gamma_of_one() -> None:
    sample = second_sample(3, count=8)
    golden, dy = sample.base.golden(), sample.base.dy_quad
    ones, none = (
        type(golden)(golden.config, golden.convention, golden.x, type(golden.parameters)(gamma, None))
        for gamma in (to_quad(np.ones(sample.base.channels)), None)
    )
    for name in NAMES:
        first, then = (layer.second_order(dy, to_quad(sample.v_dx))[name] for layer in (ones, none))
        assert np.array_equal(to_float64(first.values), to_float64(then.values))
        assert np.array_equal(to_float64(first.bound(TIGHT).allowed), to_float64(then.bound(TIGHT).allowed))


def test_an_empty_batch_has_a_second_order_without_values() -> None:
    golden, nothing = second_sample(3, count=8).base.golden(), np.zeros((4, 0), QUAD)
    empty = type(golden)(golden.config, golden.convention, nothing, golden.parameters)
    found = empty.second_order(nothing, nothing)
    assert found["ds_dx"].values.shape == found["ds_ddy"].values.shape == (4, 0)
    assert to_float64(found["ds_dgamma"].values).tolist() == [0.0] * 4


def test_masked_training_has_no_second_order_here() -> None:
    golden = second_sample(3, count=8).base.golden()
    masked = type(golden)(golden.config, golden.convention, golden.x, golden.parameters, mask=np.ones(8, np.bool_))
    with pytest.raises(ValueError, match="takes no mask"):
        masked.second_order(golden.x, golden.x)
