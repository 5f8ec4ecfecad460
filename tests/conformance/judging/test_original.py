"""A compiled layer beside its original: what each refuses, and of which kind their results are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from bn_conformance.adapter import Adapter, Array, Capabilities, Layer, LayerConfig
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import run_case
from bn_conformance.judging.original import judge_original
from bn_conformance.mutation.bench import lenient_policy
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import Observation
from bn_conformance.results.records import Item
from bn_reference.layer.layer import PlainLayer

ONE_VALUE, CHANGED = "jit/nc-1x5/float32/one-value", "jit/nc/float32/changed"


class Pair(PlainAdapter):
    """A layer with another as its original."""

    def __init__(self, layer: type[PlainLayer] = PlainLayer, original: type[PlainLayer] = PlainLayer) -> None:
        super().__init__(base=layer)
        self.original = PlainAdapter(base=original)

    def build_original(self, config: LayerConfig) -> Layer:
        return self.original.build(config)


def judged(adapter: Adapter, case: str) -> Item:
    with np.errstate(all="ignore"):
        return run_case("pair", all_cases()[case], LocalHost(adapter), adapter.convention, Goldens(), lenient_policy())


class TakesOneValue(PlainLayer):
    def check_count(self, count: int) -> None:
        """Refuse nothing."""


class GivesFloat64(PlainLayer):
    def deliver(self, values: Array, dtype: Any) -> Array:
        return np.asarray(values, np.float64)


class KeepsStatistics(PlainLayer):
    def moves(self, training: bool) -> bool:
        return False


class SpoilsLater(PlainLayer):
    calls = 0

    def scale_and_shift(self, normalised: Array, mode: Any) -> Array:
        self.calls += 1
        y = super().scale_and_shift(normalised, mode)
        return y if self.calls == 1 else y / 0.0


def test_equal_layers_are_alike() -> None:
    assert judged(Pair(), CHANGED).verdict == "pass"
    assert judged(Pair(), ONE_VALUE).outcome == "refused"
    assert judged(Pair(TakesOneValue, TakesOneValue), ONE_VALUE).verdict == "pass"


@pytest.mark.parametrize(
    ("adapter", "case", "said"),
    [
        (Pair(TakesOneValue), ONE_VALUE, "it takes what the original refuses: forward raised ValueError"),
        (Pair(PlainLayer, TakesOneValue), ONE_VALUE, "the original takes what this refuses"),
        (Pair(PlainLayer, GivesFloat64), CHANGED, "y has shape (8, 5) and dtype float32; the original gives (8, 5)"),
        (Pair(PlainLayer, KeepsStatistics), CHANGED, "running statistics move; those of the original do not"),
        (Pair(KeepsStatistics), CHANGED, "running statistics stay; those of the original do not"),
        (Pair(PlainLayer, SpoilsLater), CHANGED, "at [0, 0]; the original gives"),
    ],
)
def test_a_layer_that_is_unlike_its_original_fails(adapter: Adapter, case: str, said: str) -> None:
    item = judged(adapter, case)
    assert item.verdict == "fail"
    assert said in " ".join(quantity.message for quantity in item.quantities)
    assert {clause for quantity in item.quantities for clause in quantity.clauses} <= {"JIT-1", "JIT-2"}


def test_without_an_original_nothing_is_judged() -> None:
    assert judge_original(Observation()) == ()


def test_an_adapter_without_an_original_is_not_asked_and_says_what_to_declare() -> None:
    assert unsupported_reason(all_cases()[CHANGED], Capabilities()) == (
        "the original of a compiled layer is not declared"
    )
    with pytest.raises(NotImplementedError, match=r"original=False"):
        Adapter.build_original(cast(Adapter, None), LayerConfig(num_channels=1, rank=2))


def test_a_case_runs_its_original_first_and_drops_its_layers() -> None:
    built: list[str] = []

    class Told(Pair):
        def build(self, config: LayerConfig) -> Layer:
            built.append("layer")
            return super().build(config)

        def build_original(self, config: LayerConfig) -> Layer:
            built.append("original")
            return super().build_original(config)

    adapter = Told()
    host = LocalHost(adapter)
    with np.errstate(all="ignore"):
        run_case("pair", all_cases()[CHANGED], host, adapter.convention, Goldens(), lenient_policy())
    expected: Sequence[str] = ["original", "layer"]
    assert built == expected
    assert host.layers == {}
