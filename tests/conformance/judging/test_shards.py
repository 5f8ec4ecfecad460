"""Batches in shards: right layers pass whatever merges their statistics, and what goes wrong is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.support.good_numpy import EVERYTHING, GoodLayer
from tests.support.judge_layers import adapter_of, failing, judge_all, lines

from bn_conformance.adapter import Array, Capabilities, Layer, LayerConfig, RunningStatistics, ShardGradients
from bn_conformance.cases.model import Batch, Case
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.build import DY, train
from bn_conformance.catalogue.document import case_to_json, from_json
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F32, Place
from bn_conformance.results.outcomes import Threshold

SYNC = [case for case in all_cases().values() if case.family == "SYNC"]
UNEQUAL, EMPTY, MASKED = (f"sync/nc/float32/{variant}" for variant in ("unequal", "empty-between", "masked"))
Masks = Sequence[Array] | None


class InFloat32(GoodLayer):
    """Merges counts, means and variances in float32, as kernels do."""

    work = np.dtype(np.float32)


class OneByOne(InFloat32):
    """Takes in one shard after the other, as Welford's algorithm takes in values."""

    def merge(
        self, counts: Sequence[Any], pairs: Sequence[tuple[Array, Array]], count: np.generic
    ) -> tuple[Array, Array]:
        (mean, variance), total = pairs[0], counts[0]
        squares = variance * total
        for size, (other, own) in zip(counts[1:], pairs[1:], strict=True):
            shift, both = other - mean, total + size
            mean = mean + shift * (size / both)
            squares = squares + own * size + shift * shift * (total * size / both)
            total = both
        return np.asarray(mean), np.asarray(squares / total)


class TwoReductions(InFloat32):
    """Adds up sums over shards, then squares of deviations from the mean of all."""

    def merged(self, rows: Array) -> tuple[Array, Array]:
        parts = self.parts(rows)
        count = rows.dtype.type(sum(part.shape[1] for part in parts))
        mean = np.asarray(sum(part.sum(axis=1) for part in parts) / count)
        squares = [np.square(part - mean[:, None]).sum(axis=1) for part in parts]
        return mean, np.asarray(sum(squares) / count)


def random_shards(count: int) -> Iterator[Case]:
    """Batches of several sizes, offsets and scales, each cut at random places."""
    draw = np.random.default_rng(7)
    family = Family("SYNC")
    for number in range(count):
        entries = int(draw.integers(2, 40))
        cuts = np.sort(draw.integers(0, entries + 1, int(draw.integers(1, 9))))
        shards = tuple(int(size) for size in np.diff([0, *cuts, entries]))
        place = Place("nc", (entries, 5), 1, F32)
        kind = ("normal", "outlier", "mixed-scales", "alternating")[number % 4]
        x = DataRecipe(kind=kind, seed=number, offset=float(draw.choice([0.0, 3.0, 1e3, 1e5])))
        yield family.case(place, f"random-{number}", "random shards", "SYNC-1", train(place, x, DY, shards=shards))


@pytest.mark.parametrize("layer", [GoodLayer, InFloat32, OneByOne, TwoReductions])
def test_right_layers_pass_every_case_on_shards(layer: type[GoodLayer]) -> None:
    cases = [case for case in SYNC if layer is GoodLayer or case.config.dtype != "float64"]
    wrong = failing(judge_all(adapter_of(layer), [*cases, *random_shards(60)], Threshold.STABLE))
    assert not wrong, lines(wrong)


def test_an_adapter_without_shards_says_what_to_declare() -> None:
    class Bare(GoodLayer):
        forward_shards = Layer.forward_shards
        backward_shards = Layer.backward_shards
        shard_statistics = Layer.shard_statistics

    layer = Bare(LayerConfig(num_channels=2, rank=2))
    for call in (lambda: layer.forward_shards([], True), lambda: layer.backward_shards([]), layer.shard_statistics):
        with pytest.raises(NotImplementedError, match=r"shards=frozenset"):
            call()


@pytest.mark.parametrize(
    ("case", "declared", "reason"),
    [
        (UNEQUAL, set(), "synchronised shards (unequal) are not declared"),
        (EMPTY, {"equal"}, "synchronised shards (empty and unequal) are not declared"),
        (EMPTY, {"unequal"}, "synchronised shards (empty) are not declared"),
        (EMPTY, {"unequal", "empty"}, None),
        (MASKED, {"equal"}, "synchronised shards (masked) are not declared"),
        (MASKED, {"equal", "masked"}, None),
    ],
)
def test_shards_that_are_not_declared_are_unsupported(case: str, declared: Any, reason: str | None) -> None:
    can = Capabilities(affine=EVERYTHING.affine, masks=True, shards=frozenset(declared))
    assert unsupported_reason(all_cases()[case], can) == reason


def message_of(layer: type[GoodLayer], case: str = UNEQUAL) -> str:
    (item,) = judge_all(adapter_of(layer), [all_cases()[case]])
    assert item.verdict == "fail"
    return item.message


class OneY(GoodLayer):
    def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Sequence[Array]:
        return super().forward_shards(shards, training, masks)[:1]


class Scalar(GoodLayer):
    def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Any:
        return super().forward_shards(shards, training, masks)[0].shape[0]


class LongShard(GoodLayer):
    def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Sequence[Array]:
        first, second = super().forward_shards(shards, training, masks)
        return [np.concatenate([first, second]), second]


class NoArray(GoodLayer):
    def backward_shards(self, dys: Sequence[Array]) -> ShardGradients:
        dx, dgamma, dbeta = super().backward_shards(dys)
        return ShardGradients([dx[0], None], dgamma, dbeta)  # type: ignore[list-item]


class TwoFormats(GoodLayer):
    def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Sequence[Array]:
        first, second = super().forward_shards(shards, training, masks)
        return [first, second.astype(np.float64)]


class OneReplica(GoodLayer):
    def shard_statistics(self) -> Sequence[RunningStatistics]:
        return super().shard_statistics()[:1]


class NoReplica(GoodLayer):
    def shard_statistics(self) -> Any:
        return 3


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (OneY, "expected a list of 2 arrays, one a shard"),
        (Scalar, "expected a list of 2 arrays, one a shard"),
        (LongShard, "an array of shape (8, 5) (shard 0, of shape (7, 5))"),
        (NoArray, "None (shard 1)"),
        (TwoFormats, "arrays of dtypes float32, float64, one a shard"),
        (OneReplica, "there are running statistics of 1 replica for 2 shards"),
        (NoReplica, "expected a mean and a variance for each shard"),
    ],
)
def test_results_that_are_none_of_the_shards_are_said(layer: type[GoodLayer], said: str) -> None:
    assert said in message_of(layer)


def test_a_shard_that_is_written_to_is_seen() -> None:
    class Writes(GoodLayer):
        def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Sequence[Array]:
            found = super().forward_shards(shards, training, masks)
            shards[1][...] = 0
            return found

    (item,) = judge_all(adapter_of(Writes), [all_cases()[UNEQUAL]])
    assert "PURE-1" in {clause for quantity in item.quantities for clause in quantity.clauses}
    assert item.verdict == "fail"


@pytest.mark.parametrize("case", [UNEQUAL, MASKED])
def test_a_case_on_shards_is_a_document_and_back(case: str) -> None:
    steps = all_cases()[case].steps
    assert from_json(case_to_json(all_cases()[case])).steps == steps


def test_masks_of_a_case_on_shards_count_different_numbers_of_positions() -> None:
    steps = [(case.config, batch) for case in SYNC for batch in case.batches]
    found = [counts_of(config, batch) for config, batch in steps if batch.mask and batch.shards]
    assert len(found) > 10
    assert all(len({*counts}) == len(counts) for counts in found)
    assert any(0 in counts for counts in found)


def counts_of(config: LayerConfig, batch: Batch) -> list[int]:
    """How many positions count in each shard."""
    assert batch.mask is not None
    mask = batch.mask.array(batch.shape, config.channel_axis)
    return [int(part.sum()) for part in np.split(mask, np.cumsum(batch.shards or ())[:-1])]


class BlindToMasks(GoodLayer):
    def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Sequence[Array]:
        return super().forward_shards(shards, training)


class MasksOfOneShard(GoodLayer):
    def forward_shards(self, shards: Sequence[Array], training: bool, masks: Masks = None) -> Sequence[Array]:
        return super().forward_shards(shards, training, masks and [masks[0]] * len(masks))


@pytest.mark.parametrize("layer", [BlindToMasks, MasksOfOneShard])
def test_masks_of_shards_decide_under_a_clause_of_their_own(layer: type[GoodLayer]) -> None:
    (item,) = judge_all(adapter_of(layer), [all_cases()[MASKED]])
    assert item.verdict == "fail"
    judged = [quantity for quantity in item.quantities if not quantity.name.startswith("step0.shard")]
    assert {quantity.clauses[0] for quantity in judged if quantity.outcome == "wrong"} == {"SYNC-7"}


def test_shards_that_are_not_the_batch_are_refused() -> None:
    document = case_to_json(all_cases()[UNEQUAL])
    document["steps"][0]["shards"] = [3, 3]
    with pytest.raises(
        ValueError, match=r"shards of step 0 are \[3, 3\]; allowed are sizes that sum to that of axis 0"
    ):
        from_json(document)
