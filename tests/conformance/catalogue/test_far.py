"""Far places: each odd question is asked under every condition of a layer, and catches what the usual places miss."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from tests.measure.conditions_met import QUESTIONS, asking, share_met

from bn_conformance.adapter import Capabilities, Convention, LayerConfig
from bn_conformance.cases.literals import with_own_values
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.tensors import data_of
from bn_conformance.cases.views import REPEATING
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.far import LONG, ONE_NUMBER, SETTINGS, SOME_ASKED, STOPS
from bn_conformance.catalogue.odd_calls import ODD_CALLS
from bn_conformance.catalogue.odd_data import ODD_DATA
from bn_conformance.catalogue.tour import TOURS
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.attack import Hunt
from bn_conformance.mutation.conditions import GRAMMAR, Condition, Residue, Same, Where, Within, drawn
from bn_conformance.mutation.occasions import Occasion
from bn_conformance.mutation.sampling import Mutant
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import to_float64, to_quad

VECTORS = ("gamma", "beta")

FAR = [case for case in all_cases().values() if "/far-" in case.id]


def places_of(question: str) -> list[LayerConfig]:
    """The layers that a question is asked of, far and usual."""
    far = [case.config for case in FAR if case.id.endswith(f"-{question}")]
    return [*far, *(case.config for case in all_cases().values() if case.id.endswith(f"/{question}"))]


@pytest.mark.parametrize("group", ["rank", "layout", "format", "parameters", "channels"])
@pytest.mark.parametrize(
    "question", ["same-arrays", "state-missing", "channels-training", "dy-longer", "masks", "frozen"]
)
def test_a_question_is_asked_under_every_condition_of_a_layer(question: str, group: str) -> None:
    layers = places_of(question)
    unmet = [
        condition.text
        for condition in GRAMMAR[group]
        if not any(Where((condition,)).holds(Occasion(config=layer)) for layer in layers)
    ]
    one_channel = ["C = 1"] if question in ("channels-training", "dy-longer") else []
    assert unmet == [text for text in one_channel if group == "channels"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_meets_most_conditions_that_are_drawn(question: str) -> None:
    usual, far = asking(question)
    wheres = [drawn(str(number), GRAMMAR) for number in range(200)]
    assert share_met(usual, wheres) < 0.4
    assert share_met([*usual, *far], wheres) > 0.75


def test_every_tour_and_setting_is_made_at_every_stop_that_allows_it() -> None:
    names = {case.id.rpartition("/far-")[2] for case in FAR}
    for slug, stop in STOPS.items():
        impossible = {"unlike", "not-finite", "counted"} if stop.place.channels == 1 else set()
        impossible |= {"no-pixels"} if stop.place.rank == 2 else set()
        impossible |= {"other-rank"} if stop.place.axis != 1 else set()
        impossible |= {"one-entry"} if stop.place.count == stop.place.shape[0] else set()
        assert {name for name in {**TOURS, **ODD_DATA, **ODD_CALLS} if f"{slug}-{name}" not in names} == impossible
        assert {f"{slug}-weights-{name}" for name in SETTINGS} <= names
    assert {f"{slug}-{name}" for slug, stop in SOME_ASKED.items() for name in stop.tours} <= names
    assert {f"{slug}-seams" for slug in LONG} <= names


def test_sums_of_one_number_are_asked_where_channels_are_last_and_in_float64() -> None:
    asked = [case for case in FAR if "-long-" in case.id]
    places = {(case.config.rank, case.config.channel_axis, case.config.dtype) for case in asked}
    assert places == {(4, 3, "float32"), (2, 1, "float64")}
    assert {case.id.rpartition("-long-")[2] for case in asked} == {"constant", "dy-constant"}
    assert all(prod(batch.shape[:-1]) > 1 << 16 for case in asked for batch in case.batches)


def test_numbers_that_memory_repeats_are_asked_of_every_format_and_layout_in_x_in_dy_and_in_both() -> None:
    cases = of_question("repeats")
    assert {(case.config.dtype, case.config.parameter_dtype) for case in cases} == {
        (case.config.dtype, case.config.parameter_dtype) for case in FAR
    }
    assert {case.config.layout for case in cases} == {"first", "between", "last"}
    for case in cases:
        views = [(batch.view in REPEATING, batch.dy_view in REPEATING) for batch in case.batches if batch.judge]
        assert {(True, False), (True, True), (False, True)} <= {*views}, case.id


def test_every_pair_of_formats_with_wider_parameters_is_asked_about_them_at_ranks_2_to_5() -> None:
    ranks = {case.config.rank for case in of_question("wide-parameters")}
    assert ranks == {2, 3, 4, 5}
    assert {case.config.rank for case in of_question("save-wide-parameters")} == ranks


def test_far_cases_are_sweeps_and_have_the_settings_memory_and_age_of_their_stop() -> None:
    for case in FAR:
        slug, stop = next(
            (slug, stop)
            for slug, stop in {**STOPS, **SOME_ASKED, **LONG, **ONE_NUMBER}.items()
            if f"/far-{slug}-" in case.id
        )
        assert case.sweep
        assert (case.config.rank, case.config.channel_axis) == (stop.place.rank, stop.place.axis)
        assert (case.config.gamma, case.config.beta) == (stop.config.get("gamma", True), stop.config.get("beta", True))
        aged = stop.before < 10 or sum(not batch.judge for batch in case.batches) >= 10
        assert aged or case.config.num_channels == 0, slug


def test_the_hundredth_call_is_the_hundredth_at_each_stop() -> None:
    late = [case for case in FAR if "-hundredth-" in case.id]
    assert len(late) > 10
    assert {sum(not batch.judge for batch in case.batches) for case in late} == {99}


def test_a_layer_of_literals_is_asked_at_far_places_with_its_own_values() -> None:
    literal = Capabilities(literals=frozenset({"eps", "momentum"}))
    own = [case for case in FAR if not unsupported_reason(case, literal, Convention())]
    asked = [case for case in FAR if not unsupported_reason(case, Capabilities(), Convention())]
    assert len(own) > 0.8 * len(asked)
    assert {with_own_values(case, literal, Convention()).config.eps for case in own} == {None}


def test_no_case_sets_a_vector_of_a_layer_that_has_none_and_calls_that_bad_input() -> None:
    wrong = [case for case in FAR if case.family == "ERR" and case.id.rpartition("/")[2].split("-")[-2:][0] in VECTORS]
    assert {sets(case) for case in wrong} == {"gamma", "beta"}
    assert all(getattr(case.config, sets(case)) for case in wrong)


def sets(case: Case) -> str:
    return case.id.rpartition("/")[2].split("-")[-2]


def of_question(question: str) -> list[Case]:
    return [case for case in FAR if case.id.endswith(f"-{question}")]


def test_nan_is_at_positions_that_count_where_its_spread_is_the_question() -> None:
    for case in of_question("counted"):
        axis, batches = case.config.channel_axis, data_of(case).batches
        masked = [(to_quad(channels_first(data.x, axis)), data.mask) for data in batches if data.mask is not None]
        broken = [np.isnan(rows).any(axis=0) for rows, _ in masked]
        counted = [channels_first(mask, axis).reshape(-1) for _, mask in masked]
        assert not any((nan & ~counts).any() for nan, counts in zip(broken, counted, strict=True)), case.id
        assert sum(nan.any() for nan in broken) >= 2, case.id


def test_every_dy_of_a_tour_is_held_by_its_format() -> None:
    for case in of_question("parameters"):
        if case.clauses == ("FWD-3",):
            given = [to_float64(to_quad(data.dy)) for data in data_of(case).batches if data.dy is not None]
            assert all(np.isfinite(dy).all() for dy in given), case.id
            assert [bool(dy.all()) for dy in given[-6:]][1:] == [True, True, False, True, False], case.id


def test_a_y_beyond_its_format_is_beyond_it_at_every_place() -> None:
    for case in of_question("results-overflow"):
        y = Goldens().steps(case, Convention())[-2].training
        assert y is not None
        assert np.isinf(y["y"].rounded(np.dtype(np.float16))).any(), case.id


def test_parameters_of_more_digits_are_those_of_a_layer_that_has_some() -> None:
    assert all(case.config.gamma or case.config.beta for case in of_question("wide-parameters"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deviation", "condition"),
    [
        ("statistics-known-by-array", Same("affine", "none")),
        ("load-not-strict", Same("format", "float64")),
        ("gamma-0-gives-beta", Residue("batch", 8)),
        ("dy-by-rows", Same("wider", True)),
        ("one-variance-0-is-untrained", Within("eps", 0.0, 1e-6)),
        ("more-channels-cut", Within("momentum", 0.5)),
        ("dy-known-by-array", Within("channels", 512)),
        ("empty-batch-counts", Same("layout", "between")),
        ("hundredth-backward-without-variance-term", Within("channels", 1024)),
        ("seam-dropped-from-variance", Same("affine", "gamma")),
        ("counted-nan-is-zero", Within("momentum", 0.5)),
        ("repeats-read-as-zero", Same("format", "bfloat16")),
        ("sequential-sums", Same("layout", "last")),
        ("folded-scale-in-storage", Within("rank", 2, 3)),
        ("parameters-rounded", Within("rank", 3, 4)),
        ("momentum-in-float64", Within("channels", 1024)),
    ],
)
def test_a_mistake_at_an_odd_question_under_one_condition_is_caught(deviation: str, condition: Condition) -> None:
    hunt = Hunt([case.id for case in FAR])
    assert hunt.fate(Mutant(deviation, Where((condition,)))).caught_by
