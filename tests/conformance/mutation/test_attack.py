"""The attack: equal seeds draw equal mutants, some case catches them, and a survivor comes with what would show it."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from math import prod

import pytest
from click.testing import CliRunner

from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.cli import main
from bn_conformance.mutation.attack import MOST_COUNTED, Fate, attack, first_catches
from bn_conformance.mutation.conditions import GRAMMAR, Residue, Same, Where, Within
from bn_conformance.mutation.explained import LENGTHS, MOST, explanation_of
from bn_conformance.mutation.fitting import can_be_fitted, fitted, occasions_of
from bn_conformance.mutation.power import Power, judged_cases
from bn_conformance.mutation.sampling import Mutant, sample
from bn_conformance.mutation.survivors import Attacked, attacked_json, attacked_markdown, attacked_text, reason_of
from bn_reference.deviations import catalogue

AWKWARD = "fwd/nc/float32/eps-0.001"
FORWARD, WIDE = "fwd/nc/float32/random", "layout/nc-4x33/float32/size"
BY_WIDTH = Mutant("eps-outside-root", Where((Within("channels", 20),)))
NARROW_EPS = Mutant("eps-in-float32", Where((Same("format", "float32"),)))
IDLE = Mutant("dx-without-mean-term", Where((Same("training", False),)))


def test_equal_seeds_draw_equal_mutants() -> None:
    assert sample(700, 3) == sample(700, 3)
    assert sample(50, 3) != sample(50, 4)
    assert sample(50, 3) == sample(700, 3)[:50]
    assert {mutant.deviation for mutant in sample(40, 3, ["eps-outside-root"])} == {"eps-outside-root"}
    assert len({mutant.text for mutant in sample(40, 3, ["eps-outside-root"])}) > 20


def test_pairs_of_conditions_are_drawn_where_they_are_asked_for_and_change_no_other_mutant() -> None:
    alone, paired = sample(300, 3), sample(300, 3, pairs=True)
    two = [place for place, mutant in enumerate(paired) if len(mutant.where.conditions) == 2]
    assert all(len(mutant.where.conditions) == 1 for mutant in alone)
    assert 60 < len(two) < 110
    assert all(alone[place] == paired[place] for place in range(300) if place not in two)
    assert all(alone[place].where.conditions == paired[place].where.conditions[1:] for place in two)


def test_a_deviation_that_is_added_changes_no_other_mutant() -> None:
    names = ["eps-outside-root", "dx-without-mean-term", "never-moves"]
    assert set(sample(2, 1, names[:2])) <= set(sample(3, 1, names))


def test_a_mutant_is_caught_survives_or_never_acts() -> None:
    assert list(attack([BY_WIDTH], [FORWARD, WIDE], 1)) == [Fate(BY_WIDTH, caught_by=WIDE)]
    (survivor,) = attack([BY_WIDTH], [FORWARD], 1)
    assert survivor.survives
    assert survivor.shown_by == f"{FORWARD}, C >= 20"
    assert reason_of(survivor) == (
        "no case meets the condition; the one above is made for it; 1 case catches the deviation itself, none under "
        "this condition"
    )
    (idle,) = attack([IDLE], ["grad/nc/float32/random", "eval/nc/float32/random"], 1)
    assert idle.is_idle
    assert not idle.survives
    assert idle.tried > 0
    assert reason_of(idle).endswith("it gives what the reference layer gives, bit for bit")


def test_a_case_of_a_wrong_rank_is_fitted_to_nothing() -> None:
    mutant = Mutant("any-rank-accepted", Where((Within("rank", 5, 6), Within("channels", 32, 64))))
    assert list(attack([mutant], judged_cases(["err/nc/*", "err/nchw/*"]), 1)) == [Fate(mutant)]


def test_a_mutant_whose_error_right_layers_may_have_is_within_the_bounds() -> None:
    (within,) = attack([NARROW_EPS], [AWKWARD], 1)
    assert within.is_within
    assert not within.survives
    assert not within.is_idle
    assert 0 < within.ratio < 1
    assert (within.acts_in, within.level) == (AWKWARD, "tight")
    assert reason_of(within).endswith(f"times what tight allows (tight), in {AWKWARD}")


def test_every_dy_of_a_wrong_shape_is_fitted_to_other_ranks_and_places_of_the_channels() -> None:
    wheres = [Where((condition,)) for group in ("rank", "layout") for condition in GRAMMAR[group]]
    fits = [fitted(all_cases()[name], where) for name in judged_cases(["err/*/dy-*"]) for where in wheres]
    assert sum(like is not None for like in fits) > len(fits) // 2
    for like in filter(None, fits):
        batch = data_of(like).batches[-1]
        assert batch.dy is not None
        assert batch.dy.ndim == batch.x.ndim


def test_a_case_that_expects_a_refusal_is_fitted_too() -> None:
    mutant = Mutant("one-value-gives-nan", Where((Within("channels", 64, 128),)))
    (survivor,) = attack([mutant], ["edge/nc-1x5/float32/one-value"], 1)
    assert survivor.survives
    assert survivor.shown_by.endswith("C in [64, 128)")


@pytest.mark.parametrize(
    "condition",
    [
        Within("rank", 5, 6),
        Same("layout", "between"),
        Same("format", "bfloat16"),
        Same("wider", True),
        Same("affine", "none"),
        Within("eps", 0.0, 1e-6),
        Within("momentum", 0.5),
        Within("channels", 128, 256),
        Residue("channels", 16),
        Residue("batch", 2, None),
        Within("batch", 1, 2),
        Within("space", 1, 2),
        Within("width", 16),
        Within("count", 512, 1024),
        Within("number", 11),
        Same("resized", True),
        Same("memory", "permuted"),
        Within("offset", 30.0),
        Within("largest", 1e4),
        Same("constant", True),
    ],
)
def test_a_case_is_fitted_to_a_condition(condition: Within | Residue | Same) -> None:
    case, where = all_cases()["grad/nchw/float32/random"], Where((condition,))
    like = fitted(case, where)
    assert like is not None
    assert not any(where.holds(occasion) for occasion in occasions_of(case, data_of(case)))
    assert any(where.holds(occasion) for occasion in occasions_of(like, data_of(like)))


def test_a_case_that_asks_for_something_particular_is_not_fitted() -> None:
    assert can_be_fitted(all_cases()[FORWARD])
    assert not can_be_fitted(all_cases()["num/nc-2x8/float32/exact"])


def test_the_text_lists_survivors_with_what_would_show_them() -> None:
    fates = Fate(BY_WIDTH, shown_by=f"{FORWARD}, C >= 20", tried=1, catching=2), Fate(IDLE)
    text = attacked_text(Attacked(fates, 1, 1, 2.0))
    assert text.startswith(f"SURVIVES eps-outside-root where C >= 20\n  would be shown by: {FORWARD}, C >= 20\n  why: ")
    assert text.endswith("surviving: 1 (100.0%), of them 1 without an explanation on record")
    assert "caught: 0 of the 1 that act; 1 never act under their condition" in text
    assert "surviving under one condition: 1 of 1 that act; under two together: 0 of 0" in text
    why = (
        "no case meets the condition; the one above is made for it; 2 cases catch the deviation itself, none under this"
    )
    why += " condition"
    row = f"| eps-outside-root | C >= 20 | {FORWARD}, C >= 20 | {why} |  |"
    assert row in attacked_markdown(Attacked(fates, 1, 1, 2.0)).splitlines()
    often = Fate(BY_WIDTH, shown_by=FORWARD, catching=MOST_COUNTED)
    assert reason_of(often).endswith("; at least 100 cases catch the deviation itself, none under this condition")


def test_what_acts_within_the_bounds_is_told_with_its_ratio() -> None:
    attacked = Attacked((Fate(NARROW_EPS, tried=2, acts_in=FORWARD, ratio=0.25, level="tight"),), 1, 1, 2.0)
    text = attacked_text(attacked)
    assert text.startswith(
        "WITHIN THE BOUNDS eps-in-float32 where format float32\n  why: 2 inputs that meet the condition; on "
    )
    assert f"on them its error is at most 0.25 times what tight allows (tight), in {FORWARD}\n" in text
    assert "within the bounds: 1 act with errors that pass, at the level that is told" in text
    assert "| within the bounds |" in attacked_markdown(attacked)
    assert json.loads(attacked_json(attacked))["within_bounds"][0]["ratio"] == 0.25


def test_the_command_exits_with_1_where_an_unexplained_mutant_survives() -> None:
    arguments = [
        "eps-outside-root",
        "--conditional",
        "6",
        "--seed",
        "2",
        "--case",
        FORWARD,
        "-n",
        "1",
        "--format",
        "json",
    ]
    done = CliRunner().invoke(main, ["power", *arguments])
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["seed"], told["cases"]) == (2, 1)
    assert told["caught"] + told["idle"] + len(told["survivors"]) + len(told["within_bounds"]) == 6
    assert {survivor["deviation"] for survivor in told["survivors"]} == {"eps-outside-root"}


@pytest.mark.parametrize(("channels", "explained"), [(4, False), (5, True), (256, True)])
def test_what_needs_more_numbers_than_a_case_has_is_explained(channels: int, explained: bool) -> None:
    mutant = Mutant("count-in-16-bits", Where((Same("training", True), Within("channels", channels))))
    assert bool(explanation_of(mutant)) is explained
    assert not explanation_of(Mutant("gamma-absolute", mutant.where))
    assert not explanation_of(Mutant("count-in-16-bits", Where((Residue("channels", 8),))))


def test_no_input_of_the_matrix_has_more_numbers_than_an_explanation_says() -> None:
    assert max(prod(batch.shape) for case in all_cases().values() for batch in case.batches) <= MOST


@pytest.mark.parametrize("pattern", sorted(LENGTHS))
def test_a_deviation_of_long_sums_does_not_act_below_the_length_that_is_said(pattern: str) -> None:
    names = [name for name in catalogue() if fnmatchcase(name, pattern)]
    assert names
    short = [case_id for case_id in judged_cases() if is_long_and_below(all_cases()[case_id], LENGTHS[pattern])]
    assert short
    *_, power = first_catches(names, short)
    assert isinstance(power, Power)
    assert not any(power.first(name) for name in names)


def is_long_and_below(case: Case, length: int) -> bool:
    """Whether a case of many values has fewer a channel than a length."""
    axis = case.config.channel_axis
    return case.family == "NUM" and all(
        2048 < prod(batch.shape) // max(batch.shape[axis], 1) < length for batch in case.batches
    )


def test_a_layer_that_loads_what_the_mistake_has_not_saved_ends_no_attack() -> None:
    (mutant,) = (one for one in sample(2000, 9) if one.text == "frozen-is-saved where call = 1")
    (fate,) = attack([mutant], ["state/nc/float32/load-into-trained"])
    assert not fate.caught_by


def test_a_number_below_0_is_a_mistake() -> None:
    done = CliRunner().invoke(main, ["power", "--conditional", "-1"])
    assert done.exit_code == 2
    assert "--conditional is -1; allowed are numbers from 1" in done.stderr
