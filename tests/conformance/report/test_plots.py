"""The geometry of strips and of the plot against the offset."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from tests.support.sample_results import case, item, quantity, results

from bn_conformance.report.level_bar import LEVEL_WIDTH, level_bar
from bn_conformance.report.line_plot import HEIGHT, WIDTH, LinePlot, line_plot, line_plots, relative_offset
from bn_conformance.report.strip_plot import STRIP_WIDTH, Axis, axis_of, strip
from bn_conformance.report.summary import Summary, summarise
from bn_conformance.results.file import Results


def _axes(offset: float, axes: dict[str, Any]) -> dict[str, Any]:
    return {"dtype": "float32", "offset": offset} | axes


def offsets(ratios: dict[float, float], **axes: Any) -> Results:
    """One implementation, one float32 case an offset."""
    items = [item("i", f"{offset:g}", quantities=(quantity(ratio=ratio),)) for offset, ratio in ratios.items()]
    cases = [case(f"{offset:g}", "NUM-1", **_axes(offset, axes)) for offset in ratios]
    return results(items, cases=cases)


def offset_plot(written: Summary) -> LinePlot | None:
    return line_plot(written, "offset", relative_offset)


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
    plot = strip(summarise(results(items)).implementations[0].entries, Axis(-4, 4))
    assert (plot.count, plot.middle, plot.worst) == (4, "0.55", "inf")
    paths = dict(plot.paths)
    assert paths["ok"].count("M") == 3
    assert paths["fail"] == f"M{STRIP_WIDTH} 6h0"


def test_thousands_of_dots_at_one_place_are_drawn_a_few_times() -> None:
    items = [item("i", f"c{n}") for n in range(2000)]
    (path,) = (path for _, path in strip(summarise(results(items)).implementations[0].entries, Axis(-4, 4)).paths)
    assert len(path) < 100


def test_points_climb_with_the_ratio_and_run_with_the_offset() -> None:
    plot = offset_plot(summarise(offsets({0.0: 0.1, 1.0: 0.5, 100.0: 50.0, 1e4: inf})))
    assert plot is not None
    (series,) = plot.panels[0].series
    assert [point.value for point in series.points] == [0.0, 1.0, 100.0, 1e4]
    assert [point.x for point in series.points] == sorted(point.x for point in series.points)
    assert [point.y for point in series.points] == sorted((point.y for point in series.points), reverse=True)
    assert (series.points[0].x, series.points[-1].x, series.points[-1].y) == (0.0, WIDTH, 0.0)
    assert series.points[1].y > plot.one > series.points[2].y
    assert 0 < plot.one < HEIGHT
    assert plot.x_ticks[0] == (0.0, "0")


def test_the_offset_counts_in_standard_deviations() -> None:
    plot = offset_plot(summarise(offsets({100.0: 0.1, 1e4: 0.5}, scale=100.0)))
    assert plot is not None
    assert [point.value for point in plot.panels[0].series[0].points] == [1.0, 100.0]


def test_the_size_is_that_of_cases_that_are_about_their_shape() -> None:
    axes: list[dict[str, Any]] = [{"n": 2}, {"n": 64}, {"n": 4096}, {"n": 5, "offset": 1e3}, {"n": 8, "layout": "nc"}]
    cases = [
        case(f"c{place}", "NUM-1", **{"dtype": "float32", "layout": f"nc-{each['n']}x3"} | each)
        for place, each in enumerate(axes)
    ]
    items = [item("i", each.id, quantities=(quantity(ratio=0.1 * each.axes["n"]),)) for each in cases]
    (plot,) = line_plots(summarise(results(items, cases=cases)))
    assert plot.against == "size"
    assert [(point.value, point.ratio) for point in plot.panels[0].series[0].points] == [
        (2, 0.2),
        (64, 6.4),
        (4096, 409.6),
    ]


def test_the_plot_is_of_the_family_with_the_most_values() -> None:
    sizes = {"NUM-1": (2, 65536), "LAYOUT-1": (2, 3, 4, 5)}
    cases = [
        case(f"{clause}{n}", clause, dtype="float32", n=n, layout=f"nc-{n}x3")
        for clause, members in sizes.items()
        for n in members
    ]
    (plot,) = line_plots(summarise(results([item("i", each.id) for each in cases], cases=cases)))
    assert plot.family == "LAYOUT"


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (["tight"] * 3 + ["exact"], "1 exact, 3 tight"),
        (["wrong"] + ["tight"] * 999, "999 tight, 1 wrong"),
        (["unsupported"], "0 cases"),
    ],
)
def test_a_bar_shows_every_level_best_first_and_says_the_same_in_words(outcomes: list[str], words: str) -> None:
    verdicts = {"wrong": "fail", "unsupported": "unsupported"}
    items = [item("i", f"c{n}", outcome, verdicts.get(outcome, "pass")) for n, outcome in enumerate(outcomes)]
    bar = level_bar(summarise(results(items)).implementations[0].entries)
    assert bar.words == words
    assert all(width >= 1 for _, _, width in bar.parts)
    assert not bar.parts or sum(width for _, _, width in bar.parts) == pytest.approx(LEVEL_WIDTH, abs=1)


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
    assert [point.value for point in plot.panels[0].series[0].points] == [1.0, 10.0]
