"""A large step is judged by blocks, and the verdict is that of one judgement of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isclose
from typing import Any

import numpy as np
import pytest

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Batch, Case
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.comparison.array import judge
from bn_conformance.comparison.blocks import GOLDEN_SHARE, Block
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens, by_blocks
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item, Quantity
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.deviations import catalogue
from bn_reference.golden.blockwise import Tensor
from bn_reference.golden.expected import Expected
from bn_reference.specification.clauses import clauses
from bn_reference.specification.grades import GRADES, Grade

IMAGES, _ = large_cases()

POLICY = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
CONVENTIONS = (Convention(), Convention(running_variance="biased", default_eps=2e-3, momentum_weighs="old"))


def judged(case: Case, deviation: str, work: Any, convention: Convention, goldens: Goldens) -> Item:
    deviations = [catalogue()[deviation]] if deviation else []
    adapter = PlainAdapter(deviations, convention, None if work is None else np.dtype(work))
    host = LocalHost(adapter)
    with np.errstate(all="ignore"):
        return run_case("plain", case, host, convention, goldens, POLICY)


SAMPLE = [
    "grad/nchw/float32/random",
    "grad/nhwc/bfloat16/random",
    "grad/nchw/float16/random",
    "grad/nchw/float64/random",
    "grad/nchw/bfloat16-p-float32/random",
    "fwd/ncl/float32/random",
    "stat/nchw/float32/start-0.25-2",
    "num/nchw/float32/offset-100",
    "num/nchw/float32/offset-10000",
    "num/nchw/float32/offset-1e+06",
    "num/nchw/float32/constant-0.1",
    "num/nchw/float32/scale-1e-12",
    "num/nc-2x8/float32/exact",
    "num/nc-2x8/float32/exact-statistics",
    "num/nc-4096x3/float32/long-offset-100",
    "num/nc-4096x3/float32/long-dy-constant",
]
CHANGES = ["", "dx-without-mean-term", "eps-outside-root", "raw-moments", "sequential-gradient-sums"]


def close(first: Any, second: Any, bound: float) -> bool:
    """Whether two entries of records agree to what bounds in float64 and other orders of summation leave."""
    if isinstance(first, float) and isinstance(second, float):
        return isclose(first, second, rel_tol=2.0**-36, abs_tol=bound * GOLDEN_SHARE) or (
            first != first and second != second
        )
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        return all(close(mine, to, bound) for mine, to in zip(first, second, strict=True))
    return bool(first == second)


def differing(first: Quantity, second: Quantity) -> list[str]:
    """What two records say differently; the error in ULPs follows from the rest."""
    pairs = ((key, value, vars(second)[key]) for key, value in vars(first).items() if key != "ulp")
    return [
        f"{first.name}.{key}: {value} {other_value}"
        for key, value, other_value in pairs
        if not close(value, other_value, first.bound or 0.0)
    ]


@pytest.mark.parametrize("case_id", SAMPLE)
def test_a_judge_by_blocks_says_what_the_judge_says(case_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, at_once, blocks = all_cases()[case_id], Goldens(), Goldens()
    tried = [(name, work, convention) for name in CHANGES for work in (None, np.float32) for convention in CONVENTIONS]
    tried = [entry for entry in tried if not entry[0] or catalogue()[entry[0]].under(entry[2]) is not None]
    expected = [judged(case, name, work, convention, at_once) for name, work, convention in tried]
    monkeypatch.setattr("bn_conformance.cases.model.LARGE_SIZE", 1)
    monkeypatch.setattr(Tensor, "blocks", lambda self: _few(self))
    assert any(by_blocks(case, batch) for batch in case.batches)
    for entry, at_once_item in zip(tried, expected, strict=True):
        by_blocks_item = judged(case, *entry, blocks)
        assert (at_once_item.outcome, at_once_item.verdict, at_once_item.message) == (
            by_blocks_item.outcome,
            by_blocks_item.verdict,
            by_blocks_item.message,
        ), entry
        differences = [
            text
            for pair in zip(at_once_item.quantities, by_blocks_item.quantities, strict=True)
            for text in differing(*pair)
        ]
        assert not differences, (entry, differences)


def _few(tensor: Tensor) -> Iterator[slice]:
    """Blocks of a quarter of the batch, the last of which is cut short."""
    step = max(1, tensor.values.shape[0] // 4 + 1)
    return (slice(start, start + step) for start in range(0, tensor.values.shape[0], step))


class Parts(Expected):
    """A golden of zeros in parts of one entry, in each of which other grades explain an error of 1."""

    whole = False

    def __init__(self, *explaining: Sequence[int]) -> None:
        self._explaining = explaining
        super().__init__(to_quad(np.zeros((1, 0))), lambda _: Bound(to_quad(np.zeros((1, 0))), np.ones(1, np.bool_)))

    def parts(self) -> Iterator[Expected]:
        return (Expected(to_quad(np.zeros((1, 1))), *self._part(at)) for at in range(len(self._explaining)))

    def _part(self, at: int) -> tuple[Any, slice, int]:
        def bound(grade: Grade) -> Bound:
            allowed = 2.0 if GRADES.index(grade) in self._explaining[at] else 0.5
            return Bound(to_quad(np.full((1, 1), allowed)), np.ones(1, np.bool_))

        return bound, slice(at, at + 1), at


@pytest.mark.parametrize(
    ("explaining", "level"),
    [
        ([(0, 1, 2), (0, 1, 2)], 0),
        ([(0, 1), (1, 2)], 1),
        ([(0, 3), (1, 3), (0, 1, 2, 3)], 3),
        ([(1, 4), (0, 2, 4), (1, 2, 4)], 4),
        ([(0, 2, 3), (1, 3)], 3),
        ([(0, 1), (2,)], None),
        ([(0,), (0, 1), (1,)], None),
    ],
)
def test_the_level_is_of_the_first_grade_that_explains_every_block(
    explaining: list[tuple[int, ...]], level: int | None
) -> None:
    got = np.ones((len(explaining), 1), np.float32)
    outcome = judge("y", Parts(*explaining), got, 1, ()).outcome
    assert outcome == ("wrong" if level is None else GRADES[level].level)


def test_blocks_that_are_exact_are_held_against_the_grade_of_the_others() -> None:
    got = np.array([[0.0], [1.0]], np.float32)
    quantity = judge("y", Parts((), (0,)), got, 1, ())
    assert (quantity.outcome, quantity.index, quantity.judged, quantity.total) == ("tight", (1, 0), 2, 2)


class Midpoint(Expected):
    """Halfway between 1 and the number after it, where `tight` allows less than that; and a 0, where all is allowed."""

    whole = False

    def __init__(self) -> None:
        super().__init__(to_quad(np.zeros((1, 0))), lambda _: Bound(to_quad(np.zeros((1, 0))), np.ones(1, np.bool_)))

    def parts(self) -> Iterator[Expected]:
        for at, (value, tight) in enumerate(((1.0 + 2.0**-24, 2.0**-30), (0.0, 1.0))):
            bounds = {grade: Bound(to_quad(np.full((1, 1), 1.0)), np.ones(1, np.bool_)) for grade in GRADES}
            bounds[GRADES[0]] = Bound(to_quad(np.full((1, 1), tight)), np.ones(1, np.bool_))
            yield Expected(to_quad(np.full((1, 1), value)), bounds.__getitem__, slice(at, at + 1), at)


def test_a_block_that_a_midpoint_makes_exact_is_held_against_grades_like_any() -> None:
    assert judge("y", Midpoint(), np.array([[1.0 + 2.0**-23], [0.5]], np.float32), 1, ()).outcome == "stable"
    assert judge("y", Midpoint(), np.array([[1.0 + 2.0**-23], [0.0]], np.float32), 1, ()).outcome == "exact"


def test_the_worst_element_is_that_of_all_blocks() -> None:
    got = np.array([[1.0], [3.0], [2.0], [3.0]], np.float32)
    quantity = judge("y", Parts(*[(0,)] * 4), got, 1, ())
    assert (quantity.outcome, quantity.index, quantity.error, quantity.excess) == ("wrong", (1, 0), 3.0, 1.5)


def test_one_block_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, init = [], Block.__init__

    def counting(self: Block, *given: Any) -> None:
        made.append(given)
        init(self, *given)

    monkeypatch.setattr(Block, "__init__", counting)
    bound = Bound(to_quad(np.full((1, 2), 0.5)), np.ones(1, np.bool_))
    assert (
        judge("y", Expected(to_quad(np.zeros((1, 2))), lambda _: bound), np.ones((2, 1), np.float32), 1, ()).outcome
        == "wrong"
    )
    assert len(made) == 1


def test_what_is_not_of_training_alone_is_not_judged_by_blocks() -> None:
    (batch,) = large_cases()[IMAGES].batches
    assert by_blocks(large_cases()[IMAGES], batch)
    assert not by_blocks(large_cases()[IMAGES], replace(batch, training=False))
    frozen = all_cases()["state/nchw/float32/freeze"]
    grown: Batch = replace(batch, shape=(1 << 20, 1))
    assert not by_blocks(frozen, grown)
