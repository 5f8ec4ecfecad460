"""Detection power: mutants are caught with a ratio, survivors are named, the reference layer passes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module

import pytest
from click.testing import CliRunner

from bn_conformance.catalogue import all_cases
from bn_conformance.cli import main
from bn_conformance.mutation.bench import Bench, BrokenDeviation
from bn_conformance.mutation.catch import Catch, is_caught, worst_wrong_ratio
from bn_conformance.mutation.kill_matrix import power_text
from bn_conformance.mutation.measuring import measure
from bn_conformance.mutation.power import Power, judged_cases
from bn_conformance.results.outcomes import ItemVerdict
from bn_reference.deviations import catalogue
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

CASE = "fwd/nchw/float32/random"


def measured(names: list[str], case_ids: list[str], processes: int = 1) -> Power:
    *_, last = measure(names, case_ids, processes)
    assert isinstance(last, Power)
    return last


def test_a_deviation_is_caught_with_its_ratio() -> None:
    (catch,) = Bench().catches(all_cases()[CASE], [catalogue()["eps-outside-root"]])
    assert (catch.deviation, catch.case, catch.fails) == ("eps-outside-root", CASE, True)
    assert 3 < catch.ratio < float("inf")


def test_what_is_no_number_has_an_infinite_ratio() -> None:
    item = Bench().judge([catalogue()["never-moves"]], all_cases()["stat/nc/float32/moves-once"])
    assert is_caught(item)
    assert worst_wrong_ratio(item) == float("inf")


def test_a_grade_that_means_nothing_somewhere_explains_nothing_there() -> None:
    """In bfloat16 with exact statistics the storage grades say nothing of the dgamma of some channels."""
    case = all_cases()["num/nc-2x8/bfloat16-p-float32/exact-statistics"]
    (catch,) = Bench().catches(case, [catalogue()["reciprocal-root-of-16-bits-in-backward"]])
    assert catch.fails
    assert catch.ratio > 3


def test_a_change_without_effect_survives() -> None:
    nothing = replace(catalogue()["eps-outside-root"], name="nothing", layer=PlainLayer)
    assert not list(Bench().catches(all_cases()[CASE], [nothing]))


class Unfinished(PlainLayer):
    """Its code names what is not there."""

    def root(self, values: Array) -> Array:
        return nump.sqrt(values)  # type: ignore[name-defined]  # noqa: F821


class Refuses(PlainLayer):
    """It refuses what others take."""

    def root(self, values: Array) -> Array:
        raise ValueError("no root")


def test_a_deviation_that_does_not_run_is_no_catch() -> None:
    unfinished = replace(catalogue()["eps-outside-root"], name="unfinished", layer=Unfinished)
    said = r"deviation unfinished does not run on \S+: forward raised NameError: .*nump.* \(test_power.py, line \d+\)"
    with pytest.raises(BrokenDeviation, match=said):
        list(Bench().catches(all_cases()[CASE], [unfinished]))
    (catch,) = Bench().catches(all_cases()[CASE], [replace(unfinished, name="refuses", layer=Refuses)])
    assert catch.fails


def test_a_warning_is_not_enough_for_a_clause_that_must_hold() -> None:
    name = "eps-outside-root"
    result = Power({name: catalogue()[name]}, {name: (Catch(name, CASE, 9.0, fails=False),)}, 1)
    assert result.surviving == [name]


def test_a_deviation_that_is_caught_by_a_hair_is_named() -> None:
    name = "eps-outside-root"
    result = Power({name: catalogue()[name]}, {name: (Catch(name, CASE, 1.5, fails=True),)}, 1)
    assert (result.surviving, result.fragile) == ([], [name])


def test_the_command_exits_with_1_where_something_survives() -> None:
    done = CliRunner().invoke(
        main, ["power", "running-var-biased", "eps-outside-root", "--case", CASE, "-n", "1", "--format", "json"]
    )
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["caught"], told["survivors"]) == (1, ["running-var-biased"])
    assert told["deviations"]["eps-outside-root"]["first"] == CASE


def test_the_text_ends_with_the_mutation_score_and_the_surviving_mutants() -> None:
    deviations = {name: catalogue()[name] for name in ("eps-outside-root", "running-var-biased")}
    caught = (Catch("eps-outside-root", CASE, 9.0, fails=True),)
    text = power_text(Power(deviations, {"eps-outside-root": caught, "running-var-biased": ()}, 1), 2.0)
    assert text.endswith("mutation score: 1 of 2 caught (50.0%)\nsurviving mutants: 1: running-var-biased")
    assert [line.rpartition("  ")[2] for line in text.splitlines()[1:3]] == [f"{CASE} (9)", "SURVIVES"]


def test_with_first_the_search_ends_with_one_catch_and_a_survivor_is_still_named() -> None:
    options = ["--first", "--case", "fwd/nc*/float32/random", "-n", "1", "--format", "json"]
    done = CliRunner().invoke(main, ["power", "running-var-biased", "eps-outside-root", *options])
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["whole"], told["caught"], told["survivors"]) == (False, 1, ["running-var-biased"])
    assert told["deviations"]["eps-outside-root"]["first"] == "fwd/nc/float32/random"
    assert told["deviations"]["eps-outside-root"]["families"].keys() == {"FWD"}


@pytest.mark.parametrize(
    ("arguments", "searched"),
    [((), "first"), (("--everywhere",), "everywhere"), (("eps-*",), "everywhere"), (("eps-*", "--first"), "first")],
)
def test_named_deviations_are_judged_everywhere_and_all_of_them_up_to_the_first_catch(
    arguments: tuple[str, ...], searched: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = import_module("bn_conformance.commands.power")
    asked: list[str] = []

    def noted(how: str, *_: object) -> Iterator[Power]:
        asked.append(how)
        yield Power({name: catalogue()[name] for name in ("eps-outside-root",)}, {"eps-outside-root": ()}, 1)

    monkeypatch.setattr(command, "measure", partial(noted, "everywhere"))
    monkeypatch.setattr(command, "first_catches", partial(noted, "first"))
    assert CliRunner().invoke(main, ["power", *arguments]).exit_code == 1
    assert asked == [searched]


def test_the_text_says_where_the_search_ended_early_and_calls_nothing_fragile_then() -> None:
    name = "eps-outside-root"
    early = Power({name: catalogue()[name]}, {name: (Catch(name, CASE, 1.5, fails=True),)}, 1, is_whole=False)
    assert "each up to the first case that catches it" in power_text(early, 2.0)
    assert "caught, but nowhere" not in power_text(early, 2.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no-such",), "no deviation matches"),
        (("--case", "nothing*"), "no case matches"),
        (("--first", "--conditional", "3"), "leave out --conditional and --against"),
        (("--everywhere", "--conditional", "3"), "leave out --conditional and --against"),
        (("--pairs",), "give --conditional N"),
    ],
)
def test_a_mistake_in_the_options_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(main, ["power", *arguments])
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.parametrize("pattern", ["fwd/nc/*", "fwd/nc?*/*", "fwd/nd*", "fwd/nh*", "fwd/nl*", "stat/nc*"])
def test_the_reference_layer_is_not_caught(pattern: str) -> None:
    for case in judged_cases([pattern]):
        assert Bench().judge([], all_cases()[case]).verdict == ItemVerdict.PASS.value, case


def test_a_family_is_left_once_one_of_its_cases_catches_clearly() -> None:
    name, cases = "eps-outside-root", ["fwd/nc/float32/random", "fwd/nchw/float32/random", "stat/nc/float32/moves-once"]
    result = measured([name], cases)
    assert [catch.case for catch in result.catches[name]] == cases[:1]
    assert result.by_family(name).keys() == {"FWD"}


@pytest.mark.slow
def test_a_level_that_names_a_deviation_is_enough() -> None:
    name = "sequential-gradient-sums"
    result = measured([name], ["num/nc-65536x3/float32/long-dy-constant"])
    assert (result.surviving, result.fragile) == ([], [])
    assert not any(catch.fails for catch in result.catches[name])


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("parameters-kept-by-reference", "pure/nc/float32/overwritten"),
        ("statistics-kept-by-reference", "pure/nc/float32/overwritten"),
        ("saved-y-by-reference", "pure/nc/float32/overwritten"),
        ("fold-survives-load", "state/nc/float32/load-into-used"),
        ("output-rounded-towards-zero", "num/nc-2x8/bfloat16/rounded-once"),
        ("nan-hidden", "edge/nc/float32/nan-in-training"),
    ],
)
def test_what_is_hard_to_see_is_caught(name: str, case: str) -> None:
    result = measured([name], [case])
    assert (result.surviving, result.fragile) == ([], [])


def test_what_was_judged_before_says_nothing_of_what_a_deviation_gives_next() -> None:
    bench, case = Bench(), all_cases()["fwd/nchw/float64/random"]
    every = list(catalogue().values())
    assert list(bench.catches(case, every)) == list(bench.catches(case, every))


def test_an_input_that_is_overwritten_after_its_call_is_caught() -> None:
    """What each call gave is right: only the array that was handed in has changed."""
    (catch,) = Bench().catches(all_cases()["grad/nc/float32/random"], [catalogue()["x-overwritten-in-backward"]])
    assert catch.fails
