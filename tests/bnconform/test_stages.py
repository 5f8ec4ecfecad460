"""The two stages of a check from Python: many sizes and tours are asked where plain cases allow it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.good_numpy import GoodNumpy
from tests.support.inference_layers import EDGE, PLAIN, SWEEPS, HidesNaN, Right, Wrong, WrongInASweep

import bnconform
from bn_conformance.adapter import Adapter, Capabilities
from bn_conformance.catalogue import all_cases
from bn_conformance.results.file import read_results
from bn_conformance.results.schema import validate_file

ALL = PLAIN + SWEEPS


@pytest.fixture(scope="module")
def wrong() -> bnconform.Verdict:
    return bnconform.check(Wrong)


def test_a_plain_mistake_is_told_without_the_sweeps(wrong: bnconform.Verdict) -> None:
    assert not wrong.conforms
    assert (wrong.coverage.asked, wrong.coverage.not_asked) == (PLAIN, SWEEPS)
    assert not any(all_cases()[one.case].sweep for one in wrong.failures)
    assert f"does not conform: {len(wrong.failures)} of {PLAIN} cases fail" in wrong.headline
    assert wrong.diagnosis.startswith("eps-outside-root")


def test_what_was_not_asked_is_said_in_one_line_with_what_asks_it(wrong: bnconform.Verdict) -> None:
    line = f"{SWEEPS} more cases were not asked: failures were found without them"
    assert wrong.not_asked == f"{line}; thorough=True asks them."
    assert line in " ".join(str(wrong).split())
    assert line in wrong._repr_html_()


def test_what_was_not_asked_is_counted_apart_in_every_family(wrong: bnconform.Verdict) -> None:
    whole = bnconform.check(Wrong, thorough=True)
    assert not whole.not_asked
    assert [one.not_asked for one in whole.coverage.families] == [0] * len(whole.coverage.families)
    for told, asked in zip(wrong.coverage.families, whole.coverage.families, strict=True):
        assert (told.asked + told.not_asked, told.covered) == (asked.asked, asked.covered)
        assert (told.unsupported, told.short) == (asked.unsupported, "")
    assert (whole.coverage.asked, len(whole.failures) > len(wrong.failures)) == (ALL, True)


def test_a_results_file_has_what_was_not_asked_and_misses_nothing(wrong: bnconform.Verdict, tmp_path: Path) -> None:
    wrong.write(tmp_path / "wrong.jsonl")
    validate_file(str(tmp_path / "wrong.jsonl"))
    results = read_results(tmp_path / "wrong.jsonl")
    apart = [item for item in results.items if item.outcome == "not-asked"]
    assert {item.case for item in apart} == {item.case for item in apart if all_cases()[item.case].sweep}
    assert (len(apart), {item.verdict for item in apart}, results.missing()) == (SWEEPS, {"not-asked"}, ())
    assert all(f"cases={item.case!r}" in item.reproduce for item in apart)


@pytest.mark.parametrize("layer", [Right, HidesNaN, WrongInASweep])
def test_where_nothing_fails_or_usual_edges_alone_everything_is_asked(layer: type[Adapter]) -> None:
    verdict = bnconform.check(layer)
    assert (verdict.coverage.asked, verdict.coverage.not_asked, verdict.not_asked) == (ALL, 0, "")
    failing = {one.case for one in verdict.failures}
    plain = {case for case in failing if not all_cases()[case].sweep}
    assert plain == ({EDGE} if layer is HidesNaN else set())
    assert bool(failing) == (layer is not Right)


class OfTwoRanks(GoodNumpy):
    """Has more cases than a sample of them."""

    name = "of-two-ranks"
    capabilities = Capabilities(ranks=frozenset({2, 4}), dtypes=frozenset({"float32"}))


def test_a_layer_that_conforms_on_a_sample_says_what_was_not_asked() -> None:
    verdict, whole = bnconform.check(OfTwoRanks), bnconform.check(OfTwoRanks, thorough=True)
    apart = [item.case for item in verdict.results.items if item.outcome == "not-asked"]
    assert verdict.conforms
    assert (len(apart), verdict.results.missing()) == (verdict.coverage.not_asked, ())
    assert {all_cases()[case].sweep for case in apart} == {False, True}
    assert verdict.coverage.asked + len(apart) == whole.coverage.asked > verdict.coverage.asked
    assert not any(family.short for family in verdict.coverage.families)
    line = f"{len(apart):,} more cases were not asked: of each class of them some were"
    assert verdict.not_asked.startswith(line)
    assert verdict.not_asked.endswith("thorough=True asks them.")
    assert line in " ".join(str(verdict).split())


class Compiles(GoodNumpy):
    """Has more cases than a sample of them, and is asked no sweeps."""

    name = "compiles"
    capabilities = replace(OfTwoRanks.capabilities, compiles=True)


def test_what_compiles_conforms_on_a_sample_of_plain_cases_and_says_what_was_not_asked() -> None:
    verdict, whole = bnconform.check(Compiles), bnconform.check(Compiles, cases=["*"])
    apart = [item.case for item in verdict.results.items if item.outcome == "not-asked"]
    assert verdict.conforms
    assert (len(apart), verdict.results.missing()) == (verdict.coverage.not_asked, ())
    assert verdict.coverage.asked + len(apart) == whole.coverage.asked > verdict.coverage.asked
    assert not any(family.short for family in verdict.coverage.families)
    line = f"{len(apart):,} more cases were not asked: of each class of them some were"
    assert verdict.not_asked.startswith(line)


def test_a_known_fault_does_not_keep_the_sweeps_away(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nimplementation = "wrong"\ncase = "*"\nreason = "eps outside the root"\n')
    verdict = bnconform.check(Wrong, known_faults=faults)
    assert (verdict.coverage.asked, verdict.failures) == (ALL, ())


@pytest.mark.parametrize("selection", [{"cases": "state/nchw*"}, {"clauses": "STATE"}])
def test_what_a_person_selects_is_asked_in_full(selection: dict[str, str]) -> None:
    verdict = bnconform.check(Wrong, **selection)  # type: ignore[arg-type]
    assert verdict.failures
    assert verdict.coverage.not_asked == 0
    assert any(all_cases()[item.case].sweep for item in verdict.results.items if item.outcome != "unsupported")


def test_a_process_of_its_own_makes_no_difference(wrong: bnconform.Verdict) -> None:
    isolated = bnconform.check(Wrong, isolated=True)
    assert (isolated.headline, str(isolated.coverage)) == (wrong.headline, str(wrong.coverage))


def test_items_of_a_test_module_are_all_cases() -> None:
    def test_mine(case: Callable[[], None]) -> None:
        case()

    (mark,) = bnconform.parametrize(Wrong)(test_mine).pytestmark  # type: ignore[attr-defined]
    assert len(mark.args[1]) == ALL


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Right, f"{PLAIN} plain cases conform after"),
        (HidesNaN, f"{PLAIN} plain cases judged, 1 failing at usual edges alone, after"),
        (Wrong, ""),
    ],
)
def test_a_terminal_says_once_that_the_first_stage_is_through(
    layer: type[Adapter], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bnconform.check(layer)
    assert "plain cases (1 of 2)" in terminal.getvalue()
    assert terminal.getvalue().count("more sizes and tours follow") == bool(said)
    assert said in terminal.getvalue()
