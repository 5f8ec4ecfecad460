"""Large cases: apart from all others, judged by blocks as others are judged at once, within their time and memory."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isclose
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.support.good_numpy import EVERYTHING
from tests.support.large_cost import measured

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Batch, Case
from bn_conformance.cases.recipes import Recipe
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.cli import main
from bn_conformance.comparison.array import judge
from bn_conformance.comparison.blocks import GOLDEN_SHARE, Block
from bn_conformance.hosting import wire
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens, by_blocks
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.mutation.power import judged_cases
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item, Quantity
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.deviations import catalogue
from bn_reference.golden.blockwise import Tensor
from bn_reference.golden.expected import Expected
from bn_reference.specification.clauses import clauses
from bn_reference.specification.grades import GRADES, Grade

IMAGES, COUNTED = large_cases()


# Where they run.


def test_large_cases_are_large_and_no_other_is() -> None:
    assert all(case.large for case in large_cases().values())
    assert not any(case.large for case in all_cases().values())
    assert not all_cases().keys() & large_cases().keys()


@pytest.mark.parametrize("patterns", [(), ("*",), ("num/*",), ("num/*", "fwd/nc/float32/random")])
def test_a_large_case_runs_nowhere_by_default(patterns: tuple[str, ...]) -> None:
    assert not large_cases().keys() & set(select_cases((), patterns))
    assert not large_cases().keys() & set(select_cases(("NUM-8",), patterns[:1]))


def test_a_large_case_runs_where_it_is_named() -> None:
    assert select_cases((), ("*/large-*",)) == list(large_cases())
    assert select_cases((), (COUNTED, "fwd/nc/float32/random")) == ["fwd/nc/float32/random", COUNTED]
    assert select_cases(("NUM-8",), ("*/large-*",)) == list(large_cases())


def test_power_is_not_measured_on_large_cases() -> None:
    assert not large_cases().keys() & set(judged_cases())
    assert judged_cases(("*/large-*", "fwd/nc/float32/random")) == ["fwd/nc/float32/random"]
    with pytest.raises(SelectionError, match="not measured on large cases"):
        judged_cases(("*/large-*",))


def test_large_cases_are_listed_and_said_to_be() -> None:
    done = CliRunner().invoke(main, ["list", "--cases"])
    assert IMAGES in done.stdout
    assert "and 2 large ones, which run only where --case names them" in done.stdout


def test_implementations_that_compile_get_large_cases_too() -> None:
    assert not any(unsupported_reason(case, replace(EVERYTHING, compiles=True)) for case in large_cases().values())


# Data.


@pytest.mark.parametrize("kind", ["normal", "beside"])
@pytest.mark.parametrize(("shape", "axis"), [((50, 3, 2, 5), 1), ((50, 2, 5, 3), 3), ((500, 3), 1)])
def test_data_that_are_made_in_parts_are_the_same(
    kind: str, shape: tuple[int, ...], axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(kind=kind, seed=3, offset=2.0, scale=1.5)
    whole = recipe.tensor(shape, axis, "float32")
    monkeypatch.setattr("bn_conformance.cases.recipes.AT_A_TIME", 64)
    np.testing.assert_array_equal(recipe.tensor(shape, axis, "float32"), whole)


# The same judge.

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


def close(one: Any, other: Any, bound: float) -> bool:
    """Whether two entries of records agree to what bounds in float64 and other orders of summation leave."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=2.0**-36, abs_tol=bound * GOLDEN_SHARE) or (one != one and other != other)
    return bool(one == other)


def differing(one: Quantity, other: Quantity) -> list[str]:
    """What two records say differently; the error in ULPs follows from the rest."""
    pairs = ((key, mine, vars(other)[key]) for key, mine in vars(one).items() if key != "ulp")
    return [f"{one.name}.{key}: {mine} {to}" for key, mine, to in pairs if not close(mine, to, one.bound or 0.0)]


@pytest.mark.parametrize("case_id", SAMPLE)
def test_a_judge_by_blocks_says_what_the_judge_says(case_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, at_once, blocks = all_cases()[case_id], Goldens(), Goldens()
    tried = [(name, work, convention) for name in CHANGES for work in (None, np.float32) for convention in CONVENTIONS]
    tried = [entry for entry in tried if not entry[0] or catalogue()[entry[0]].under(entry[2]) is not None]
    expected = [judged(case, name, work, convention, at_once) for name, work, convention in tried]
    monkeypatch.setattr("bn_conformance.cases.model.LARGE", 1)
    monkeypatch.setattr(Tensor, "blocks", lambda self: _few(self))
    assert any(by_blocks(case, batch) for batch in case.batches)
    for entry, one in zip(tried, expected, strict=True):
        other = judged(case, *entry, blocks)
        assert (one.outcome, one.verdict, one.message) == (other.outcome, other.verdict, other.message), entry
        found = [text for pair in zip(one.quantities, other.quantities, strict=True) for text in differing(*pair)]
        assert not found, (entry, found)


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
    found = judge("y", Parts((), (0,)), got, 1, ())
    assert (found.outcome, found.index, found.judged, found.total) == ("tight", (1, 0), 2, 2)


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
    found = judge("y", Parts(*[(0,)] * 4), got, 1, ())
    assert (found.outcome, found.index, found.error, found.excess) == ("wrong", (1, 0), 3.0, 1.5)


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


# The wire.


@pytest.mark.parametrize("piece", [9, 33, 300, 3000])
def test_a_long_array_crosses_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PIECE", piece)
    message: dict[str, Any] = {
        "op": "forward",
        "x": [np.arange(400, dtype=np.float32).reshape(20, 20), np.arange(7, dtype=np.int8)],
        "none": {"y": np.zeros((0, 3)), "text": '"data":"', 'a"data': "AAAA" * 200},
        "last": np.arange(333, dtype=np.uint8),
    }
    text = wire.to_line(message)
    line = wire.read_line(io.BytesIO(text + b"another\n"))
    assert (len(line.cut) > 0) == (piece < 3000)
    assert piece == 3000 or len(line.text) < 0.5 * len(text)
    found = wire.from_line(line)
    assert found["none"] | {"y": 0} == message["none"] | {"y": 0}
    for one, other in zip([*found["x"], found["last"]], [*message["x"], message["last"]], strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
        assert one.flags.writeable


@pytest.mark.parametrize("spoil", [b"!", b"=", b"#0#", b"#9#AAAA", b"\xff"])
def test_a_long_array_that_is_malformed_is_named(spoil: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PIECE", 90)
    text = wire.to_line({"x": np.arange(400, dtype=np.float32)})
    for place in (text.index(b'"data":"') + 8, len(text) // 2, len(text) - 8):
        line = wire.read_line(io.BytesIO(text[:place] + spoil + text[place + 1 :]))
        with pytest.raises(wire.WireError):
            wire.from_line(line)


# Time and memory.


@pytest.mark.slow
def test_ten_million_values_are_judged_in_half_a_minute_and_six_times_their_memory() -> None:
    cost = measured(IMAGES)
    print(f"\n{cost}")
    assert set(cost.levels.values()) <= {"exact", "tight"}
    assert {"step0.y", "step0.dx", "step0.dgamma", "step0.dbeta", "step0.running_mean"} <= cost.levels.keys()
    assert cost.processor < 30
    assert cost.times < 6


@pytest.mark.slow
@pytest.mark.parametrize(("case_id", "more"), [(IMAGES, {"step0.dbeta"}), (COUNTED, set())])
def test_one_running_sum_of_float32_is_wrong(case_id: str, more: set[str]) -> None:
    cost = measured(case_id, "tests.support.large_layers:OneRunningSum")
    print(f"\n{cost}")
    assert {"step0.y", "step0.running_mean"} | more <= {name for name, level in cost.levels.items() if level == "wrong"}
    assert cost.processor < 60
    assert cost.times < 6
