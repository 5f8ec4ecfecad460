"""What reports are made of: tallies, faults, strips, offsets, names and numbers."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from tests.support.sample_declarations import CLAUSES, TORCH
from tests.support.sample_matrix import realistic
from tests.support.sample_results import case, item, quantity, results

from bn_conformance.report.convention_table import convention_table
from bn_conformance.report.legend import OUTCOME_KINDS, mark, outcome_kind
from bn_conformance.report.offset_plot import HEIGHT, WIDTH, offset_plot
from bn_conformance.report.strip_plot import STRIP_WIDTH, Axis, axis_of, ratio_of, strip
from bn_conformance.report.summary import summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import Verdict, outcome_rank
from bn_conformance.results.records import Environment
from bn_conformance.text import exact_number, number, one_line, percent, plain, printable, slugs


def _axes(offset: float, axes: dict[str, Any]) -> dict[str, Any]:
    return {"dtype": "float32", "offset": offset} | axes


def offsets(ratios: dict[float, float], **axes: Any) -> Results:
    """One implementation, one float32 case an offset."""
    items = [item("i", f"{offset:g}", quantities=(quantity(ratio=ratio),)) for offset, ratio in ratios.items()]
    cases = [case(f"{offset:g}", "NUM-1", **_axes(offset, axes)) for offset in ratios]
    return results(items, cases=cases)


# --- tallies and faults -----------------------------------------------------------------------------------------------


def test_every_outcome_has_a_kind_and_every_kind_a_letter_of_its_own() -> None:
    for kind in OUTCOME_KINDS:
        outcome = "degraded(x)" if kind.name == "degraded" else kind.name
        outcome_rank(outcome)
        assert outcome_kind(outcome) is kind
    assert len({kind.letter for kind in OUTCOME_KINDS}) == len(OUTCOME_KINDS)


@pytest.mark.parametrize(
    ("outcome", "verdict", "style", "symbol", "letter"),
    [
        ("wrong", "fail", "fail", "✕", "W"),
        ("degraded(x)", "fail", "fail", "✕", "D"),
        ("wrong", "warn", "warn", "▲", "w"),
        ("wrong", "known-fault", "known", "◆", "W"),
        ("tight", "pass", "tight", "✓", "T"),
        ("wrong", "pass", "stable", "✓", "W"),
        ("not-judged", "pass", "not-judged", "?", "N"),
        ("unsupported", "unsupported", "unsupported", "–", "U"),
    ],
)
def test_the_verdict_gives_colour_and_symbol(outcome: str, verdict: str, style: str, symbol: str, letter: str) -> None:
    found = mark(outcome, verdict)
    assert (found.style, found.symbol, found.letter) == (style, symbol, letter)


def test_totals_add_up() -> None:
    written = realistic(count=120)
    summary = summarise(written)
    assert summary.tally.total == len(written.header.planned)
    assert summary.tally.kinds["missing"] == len(written.missing()) == 3
    assert sum(one.tally.total for one in summary.implementations) == summary.tally.total
    assert sum(summary.case_tally(name).total for name in summary.cases) == summary.tally.total
    for one in summary.implementations:
        assert sum(tally.total for tally in one.families.values()) == len(one.entries)
        for verdict in (Verdict.FAIL, Verdict.WARN, Verdict.KNOWN):
            assert sum(len(group.entries) for group in one.problems(verdict)) == one.tally.verdicts[verdict]
    for verdict in (Verdict.FAIL, Verdict.WARN, Verdict.KNOWN):
        assert sum(len(fault.entries) for fault in summary.problems(verdict)) == summary.tally.verdicts[verdict]


def test_of_an_item_that_was_reported_twice_the_later_counts() -> None:
    summary = summarise(results([item("i", "a", "crashed", "fail"), item("i", "a")]))
    assert summary.tally.total == 1
    assert summary.state == "ok"


def test_families_come_in_the_order_of_the_clauses() -> None:
    families = [name.partition("-")[0] for name, _, _ in CLAUSES]
    assert list(summarise(realistic(count=120)).families) == list(dict.fromkeys(families))


def test_the_worst_quantity_is_one_that_was_judged() -> None:
    judged, other = quantity("a", ratio=0.1), quantity("b", "not-judged", ratio=nan)
    entry = summarise(results([item("i", "a", quantities=(other, judged))])).cases["a"]["i"]
    assert entry.worst is judged
    assert ratio_of(entry) == 0.1


@pytest.mark.parametrize(("ratios", "worst"), [((0.5, 2.0), 1), ((inf, 2.0), 0), ((2.0, nan), 1), ((None, 0.1), 1)])
def test_the_worst_quantity_has_the_largest_ratio(ratios: tuple[float, ...], worst: int) -> None:
    quantities = tuple(quantity(f"q{place}", ratio=ratio) for place, ratio in enumerate(ratios))
    entry = summarise(results([item("i", "a", quantities=quantities)])).cases["a"]["i"]
    assert entry.worst is quantities[worst]


def test_faults_of_other_outcomes_or_clauses_stay_apart() -> None:
    items = [
        item("i", "a", "wrong", "fail"),
        item("i", "b", "errored", "fail", message="no"),
        item("i", "d", "wrong", "fail", quantities=(quantity(outcome="wrong", clauses=("GRAD-1",)),)),
        item("i", "e", "wrong", "fail", quantities=(quantity("step9.dx", outcome="wrong"),)),
    ]
    faults = summarise(results(items)).problems(Verdict.FAIL)
    assert [fault.outcome for fault in faults] == ["errored", "wrong", "wrong"]
    assert faults[1].what == "y, dx"
    assert len(faults[1].entries) == 2


def test_a_known_fault_is_one_fault_whatever_it_breaks() -> None:
    items = [
        item("i", "a", "wrong", "known-fault", known_fault="float64 is float32"),
        item("j", "b", "errored", "known-fault", known_fault="float64 is float32"),
    ]
    (fault,) = summarise(results(items)).problems(Verdict.KNOWN)
    assert [group.implementation for group in fault.parts] == ["i", "j"]


def test_the_share_that_was_not_judged_is_counted_in_elements() -> None:
    summary = summarise(results([item("i", "a", quantities=(quantity(judged=30, total=120),))]))
    assert (summary.elements_judged, summary.elements_total) == (30, 120)


# --- conventions ------------------------------------------------------------------------------------------------------


def test_the_baseline_is_the_first_implementation_that_was_judged() -> None:
    environments = [
        Environment(implementation="a", status="not-installed", convention=TORCH),
        Environment(implementation="b", status="ok"),
        Environment(implementation="c", status="ok", convention=TORCH),
    ]
    found = convention_table(summarise(results([], environments=environments)))
    assert found.baseline == "c"
    assert found.same == ("a",)


def test_implementations_with_the_same_differences_are_one_group() -> None:
    other = TORCH | {"running_variance": "biased"}
    environments = [
        Environment(implementation=name, status="ok", convention=declared)
        for name, declared in (("a", TORCH), ("b", other), ("c", dict(other)), ("d", TORCH))
    ]
    found = convention_table(summarise(results([], environments=environments)))
    assert [difference.implementations for difference in found.differences] == [("b", "c")]
    assert found.same == ("d",)


def test_a_convention_with_values_of_any_kind_makes_a_table() -> None:
    odd = Environment(implementation="b", status="ok", convention={"running_variance": ["x"], "new": None})
    environments = [Environment(implementation="a", status="ok", convention=TORCH), odd]
    found = convention_table(summarise(results([], environments=environments)))
    cells = dict(zip(found.choices, found.rows["b"], strict=True))
    assert (cells["running_variance"].value, cells["new"].value, cells["default_eps"].value) == (
        "x",
        "none",
        "not said",
    )


# --- plots ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "place"),
    [(1e-4, 0.0), (0.0, 0.0), (1e-300, 0.0), (1.0, 0.5), (1e4, 1.0), (1e9, 1.0), (inf, 1.0), (nan, 1.0)],
)
def test_ratios_lie_on_a_logarithmic_axis_within_its_ends(ratio: float, place: float) -> None:
    assert Axis(-4, 4).place(ratio) == pytest.approx(place)


def test_the_axis_holds_what_it_shows_up_to_its_limit() -> None:
    assert axis_of([]).high == 2
    assert axis_of([5e4, 0.0, nan, inf]).high == 6
    assert axis_of([1e300]).high == 8
    assert axis_of([1.0]).ticks[0][1] == "≤1e-4"
    assert (0.5, "1") in [(round(place, 3), label) for place, label in Axis(-4, 4).ticks]


def test_a_strip_has_a_dot_for_each_case_and_says_the_same_in_numbers() -> None:
    items = [item("i", f"c{n}", quantities=(quantity(ratio=10.0**-n),)) for n in range(3)]
    items += [
        item("i", "w", "wrong", "fail", quantities=(quantity(outcome="wrong", ratio=inf),)),
        item("i", "r", "refused"),
    ]
    found = strip(summarise(results(items)).implementations[0].entries, Axis(-4, 4))
    assert (found.count, found.middle, found.worst) == (4, "0.55", "inf")
    paths = dict(found.paths)
    assert paths["tight"].count("M") == 3
    assert paths["fail"] == f"M{STRIP_WIDTH} 6h0"


def test_thousands_of_dots_at_one_place_are_drawn_a_few_times() -> None:
    items = [item("i", f"c{n}") for n in range(2000)]
    (path,) = (path for _, path in strip(summarise(results(items)).implementations[0].entries, Axis(-4, 4)).paths)
    assert len(path) < 100


def test_points_climb_with_the_ratio_and_run_with_the_offset() -> None:
    plot = offset_plot(summarise(offsets({0.0: 0.1, 1.0: 0.5, 100.0: 50.0, 1e4: inf})))
    assert plot is not None
    (series,) = plot.panels[0].series
    assert [point.offset for point in series.points] == [0.0, 1.0, 100.0, 1e4]
    assert [point.x for point in series.points] == sorted(point.x for point in series.points)
    assert [point.y for point in series.points] == sorted((point.y for point in series.points), reverse=True)
    assert (series.points[0].x, series.points[-1].x, series.points[-1].y) == (0.0, WIDTH, 0.0)
    assert series.points[1].y > plot.one > series.points[2].y
    assert 0 < plot.one < HEIGHT
    assert plot.x_ticks[0] == (0.0, "0")


def test_the_offset_counts_in_standard_deviations() -> None:
    plot = offset_plot(summarise(offsets({100.0: 0.1, 1e4: 0.5}, scale=100.0)))
    assert plot is not None
    assert plot.offsets == (1.0, 100.0)


@pytest.mark.parametrize("ratios", [{}, {1.0: 0.5}, {0.0: 0.1, 0.05: 0.1}])
def test_fewer_than_two_offsets_make_no_plot(ratios: dict[float, float]) -> None:
    assert offset_plot(summarise(offsets(ratios))) is None


@pytest.mark.parametrize("axes", [{"offset": "far"}, {"offset": None}, {"scale": 0.0}, {"scale": "x"}, {"dtype": 3}])
def test_axes_of_any_kind_make_no_plot_and_no_error(axes: dict[str, object]) -> None:
    assert offset_plot(summarise(offsets({1.0: 0.5, 10.0: 0.5}, **axes))) is None


def test_a_line_ends_where_something_could_not_be_judged() -> None:
    written = offsets({1.0: 0.5, 10.0: 0.5, 100.0: 0.5})
    partly = item("i", "100", quantities=(quantity("y", "not-judged", nan), quantity("dbeta", ratio=0.01)))
    cases = written.header.cases
    plot = offset_plot(summarise(results([*written.items[:2], partly], cases=cases)))
    assert plot is not None
    assert plot.offsets == (1.0, 10.0)


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""), (0.0, "0"), (0.25, "0.25"), (3.14159e5, "3.1e5"), (1234.0, "1234"), (99.6, "1e2"), (1e-7, "1e-7"),
        (-1e-5, "-1e-5"), (nan, "NaN"), (inf, "inf"), (-inf, "-inf"), (5e-324, "4.9e-324"), (1e308, "1e308"), (3, "3"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert number(value) == shown.replace("1e2", "100")


def test_exact_numbers_keep_all_digits() -> None:
    assert exact_number(0.1 + 0.2) == "0.30000000000000004"
    assert (exact_number(None), exact_number(nan), exact_number(1)) == ("", "NaN", "1.0")


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "0 %"),
        (0, 5, "0 %"),
        (1, 10**6, "under 0.1 %"),
        (1, 2, "50 %"),
        (5, 5, "100 %"),
        (99999, 10**5, "over 99.9 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


def test_text_loses_only_what_disturbs() -> None:
    assert printable("a\x1b[0m\tb\r\nc\u202e\ud800é✓\n") == "a\\x1b[0m\tb\nc\\u202e\\ud800é✓\n"
    assert one_line("a\n  b\t c") == "a b c"
    assert one_line("x" * 10, 5) == "xxxx…"


def test_values_are_written_as_a_person_would() -> None:
    assert plain({"a": 1e-5, "b": True, "c": None, "d": [["float16", "float32"], "x"], "e": [], "f": {}}) == (
        "a 1e-5, b yes, c none, d float16/float32, x, e none, f none"
    )


def test_anchors_are_unique_and_safe() -> None:
    names = ["torch.nn", "torch-nn", "TORCH NN", "<>", "", "a--2", "a", "A"]
    found = slugs("i", names)
    assert len(set(found.values())) == len(names)
    assert all(set(anchor) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for anchor in found.values())


# --- what a person is told --------------------------------------------------------------------------------------------


def test_a_wrong_result_that_only_warns_is_reported_under_the_clause_that_lets_it() -> None:
    wrong = quantity(outcome="wrong", clauses=("FWD-1", "NUM-4"))
    items = [item("i", "a", "wrong", "warn", quantities=(wrong,))]
    (fault,) = summarise(results(items, cases=[case("a", "NUM-4")])).problems(Verdict.WARN)
    assert fault.clauses == ["NUM-4"]
    items = [item("i", "a", "wrong", "fail", quantities=(wrong,))]
    (fault,) = summarise(results(items, cases=[case("a", "NUM-4")])).problems(Verdict.FAIL)
    assert fault.clauses == ["FWD-1"]


def test_a_run_that_judged_nothing_says_what_is_lacking() -> None:
    said = {"a": "rank 4 is not declared", "b": "rank 4 is not declared", "c": "float32 is not declared"}
    items = [item("i", name, "unsupported", "unsupported", message=message) for name, message in said.items()]
    (note,) = summarise(results(items, cases=[case(name, "FWD-1") for name in said])).notes
    assert "rank 4 is not declared (2 cases), float32 is not declared (1 case)" in note
