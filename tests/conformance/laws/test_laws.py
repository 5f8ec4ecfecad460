"""Laws: a right layer keeps every one, a layer that breaks one is told so, and the bounds say what is allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer
from tests.support.judge_layers import adapter_of, failing, goldens, judge_all, lines
from tests.support.single_precision import FoldedInSingle, TwoPassInSingle, WelfordInSingle

from bn_conformance.adapter import Array, Convention, LayerConfig
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.law import COARSE_X, cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.laws.differences import step_of
from bn_conformance.laws.statements import LAWS, shuffle
from bn_conformance.laws.trials import InexactData, base_of
from bn_conformance.mutation.bench import OPPOSITE, Bench
from bn_conformance.mutation.catch import is_caught
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import same
from bn_conformance.observing.observe import observe
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item
from bn_reference.deviations import catalogue
from bn_reference.specification.clauses import clauses
from bn_reference.specification.grades import TIGHT

FAMILY = tuple(cases())


def judged(law: str, deviation: str | None, where: str = "nchw/float32") -> Item:
    deviations = [] if deviation is None else [catalogue()[deviation]]
    return Bench().judge(deviations, all_cases()[f"law/{where}/{law}"])


def test_every_law_has_its_clause_and_cases() -> None:
    assert [law.clause for law in LAWS.values()] == [id_ for id_ in clauses() if id_.startswith("LAW-")]
    assert {law for case in FAMILY for law in case.laws} == LAWS.keys()


def test_laws_bring_no_shape_of_their_own() -> None:
    others = {case.signature for case in all_cases().values() if case.family != "LAW"}
    assert {case.signature for case in FAMILY} <= others


def test_a_right_layer_keeps_every_law() -> None:
    with np.errstate(all="ignore"):
        items = judge_all(PlainAdapter(), FAMILY, Threshold.STABLE)
    assert not lines(failing(items))
    assert not [item.case for item in items if not any(entry.name.startswith("law.") for entry in item.quantities)]


class OneEps(PlainAdapter):
    """A layer for which one eps is supported."""

    def supports(self, config: LayerConfig) -> str | None:
        return None if config.eps == 2.0**-10 else "eps is 2**-10"


def test_a_layer_that_a_law_builds_may_be_declined() -> None:
    (item,) = judge_all(OneEps(), [all_cases()["law/nchw/float32/scale"]])
    assert (item.outcome, item.declined, item.message) == ("unsupported", True, "eps is 2**-10")


@pytest.mark.parametrize("layer", [TwoPassInSingle, WelfordInSingle, FoldedInSingle])
def test_a_right_layer_in_single_precision_keeps_every_law(layer: type[TwoPassInSingle]) -> None:
    narrow = [case for case in FAMILY if "/float32/" in case.id]
    assert not lines(failing(judge_all(adapter_of(layer), narrow, Threshold.STABLE)))


def test_laws_hold_under_another_convention() -> None:
    bench = Bench(OPPOSITE)
    items = [bench.judge([], case) for case in FAMILY if "/nchw/" in case.id]
    assert not lines(item for item in items if item.outcome not in ("exact", "tight"))


@pytest.mark.parametrize(
    ("law", "deviation"),
    [
        ("sum-of-dx", "dx-without-mean-term"),
        ("sum-of-dx", "mean-not-subtracted"),
        ("dx-orthogonal-to-xhat", "dx-without-variance-term"),
        ("dx-orthogonal-to-xhat", "dx-variance-term-doubled"),
        ("shift", "variance-uncentred"),
        ("shift", "running-var-about-running-mean"),
        ("scale", "eps-in-numerator"),
        ("scale", "dx-without-normaliser"),
        ("permuted-positions", "tail-of-8-dropped"),
        ("permuted-positions", "statistics-per-sample"),
        ("permuted-channels", "gamma-reversed"),
        ("permuted-channels", "beta-of-first-channel"),
        ("independent-channels", "statistics-of-channel-pairs"),
        ("layouts", "pixels-transposed"),
        ("affine", "inference-uses-batch"),
        ("linear-in-dy-in-training", "dx-through-float16"),
        ("linear-in-dy-in-inference", "inference-gradient-through-batch"),
        ("finite-differences-in-training", "dgamma-and-dbeta-swapped"),
        ("finite-differences-in-training", "dx-past-statistics"),
        ("finite-differences-in-inference", "dbeta-is-a-mean"),
    ],
)
def test_a_law_catches_what_breaks_it(law: str, deviation: str) -> None:
    item = judged(law, deviation)
    assert is_caught(item), f"{item.outcome} {[(entry.name, entry.ratio) for entry in item.quantities]}"
    name = f"law.{law.removesuffix('-in-training').removesuffix('-in-inference')}"
    assert all(entry.name.startswith(name) for entry in item.quantities if entry.outcome == "wrong")


def test_a_broken_law_names_its_clause_and_the_worst_channel() -> None:
    (worst,) = [entry for entry in judged("sum-of-dx", "dx-without-mean-term").quantities if entry.outcome == "wrong"]
    assert worst.clauses[0] == "LAW-1"
    assert worst.index is not None
    assert len(worst.index) == 1
    assert worst.ulp is None
    assert worst.excess is not None
    assert worst.excess > 3


def test_what_a_law_allows_is_the_sum_of_the_bounds_of_dx() -> None:
    case = all_cases()["law/nchw/float32/sum-of-dx"]
    (quantity,) = judged("sum-of-dx", None).quantities
    (step,) = goldens().steps(case, Convention())
    assert step.training is not None
    allowed = step.training["dx"].bound(TIGHT).allowed.sum(axis=1)
    assert quantity.index is not None
    assert quantity.bound == pytest.approx(float(allowed[quantity.index[0]]), rel=1e-12)


def test_an_output_of_another_format_is_a_fault_and_no_crash() -> None:
    item = judged("scale", "y-in-float64")
    assert item.outcome == "wrong"
    assert "law.scale" in {entry.name for entry in item.quantities}
    assert "float64" in item.message


def test_data_that_are_not_exact_are_a_defect_of_the_case() -> None:
    case = replace(all_cases()["law/nchw/bfloat16/shift"], laws=())
    fine = replace(case, steps=(replace(case.batches[0], x=replace(COARSE_X, scale=2.0**-9)),))
    base = base_of(fine, data_of(fine))
    with pytest.raises(InexactData, match="not exact in bfloat16"):
        LAWS["shift"].setups(base)


def test_the_layers_of_laws_are_dropped_and_watched() -> None:
    case = all_cases()["law/nc/float32/shift"]
    host = LocalHost(PlainAdapter())
    observation = observe(case, data_of(case), host, explicit_update=False)
    assert len(observation.laws["shift"]) == 2
    assert not host.layers


def test_a_shuffle_is_a_permutation_that_moves() -> None:
    for count in (1, 2, 3, 5, 8, 49, 77, 100):
        order = shuffle(count)
        assert sorted(order) == list(range(count))
        assert count == 1 or any(order != np.arange(count))


def test_the_step_of_a_difference_is_a_power_of_two_near_the_cube_root_of_the_roundoff() -> None:
    for dtype, bits in (("float16", 11), ("bfloat16", 8), ("float32", 24), ("float64", 53)):
        step = step_of(dtype)
        assert np.frexp(step)[0] == 0.5
        assert 0.5 <= step / 2.0 ** (-bits / 3) <= 2.0


@pytest.mark.parametrize("mode", ["training", "inference"])
def test_the_truncation_of_a_difference_is_allowed_for(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bn_conformance.laws.differences.step_of", lambda dtype: 0.125)
    item = judged(f"finite-differences-in-{mode}", None, "nchw/float64")
    assert item.outcome in ("exact", "tight"), item.quantities


def test_observations_whose_laws_differ_are_not_the_same() -> None:
    case = all_cases()["law/nc/float32/shift"]
    observation = observe(case, data_of(case), LocalHost(PlainAdapter()), explicit_update=False)
    first, _ = observation.laws["shift"]
    assert same(observation, replace(observation))
    assert not same(observation, replace(observation, laws={"shift": (first, first)}))


class RoundsBatches(TwoPassInSingle):
    """Gives y of a batch of several entries a unit in the last place more, as a kernel with another path for it."""

    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        y = super().finish(rows, shape)
        return np.nextafter(y, np.float32(np.inf)) if shape[0] > 1 else y


class ByTheBatch(TwoPassInSingle):
    """Adds what the batch has of entries."""

    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return np.asarray(super().finish(rows, shape) + np.float32(shape[0]), np.float32)


@pytest.mark.parametrize(
    ("layer", "outcome", "verdict"),
    [(TwoPassInSingle, "exact", "pass"), (RoundsBatches, "tight", "pass"), (ByTheBatch, "wrong", "warn")],
)
def test_an_entry_alone_gives_the_same_bits_or_is_told_to_differ(
    layer: type[GoodLayer], outcome: str, verdict: str
) -> None:
    case = next(case for case in FAMILY if case.laws == ("first-entry-alone",))
    (item,) = judge_all(adapter_of(layer), [replace(case, judges=frozenset())])
    law = next(quantity for quantity in item.quantities if quantity.name == "law.first-entry-alone.y")
    assert (law.outcome, item.verdict) == (outcome, verdict)
