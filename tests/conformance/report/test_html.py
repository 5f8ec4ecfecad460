"""What the HTML report says of a run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from tests.support.html_page import Element, Page
from tests.support.sample_declarations import TEXTBOOK, TORCH
from tests.support.sample_matrix import realistic
from tests.support.sample_results import case, item, off_by_three_percent, quantity, results

from bn_conformance.report.html import render_html
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.records import Diagnosis, End, Environment, StaleFault


@cache
def text() -> str:
    return render_html(realistic(count=120))


@cache
def page() -> Page:
    return Page(text())


def rows(table: Element) -> list[list[str]]:
    """The texts of a table's body, cell by cell."""
    return [
        [" ".join(cell.text.split()) for cell in row.children if cell.name in ("th", "td")]
        for body in table.find("tbody")
        for row in body.find("tr")
    ]


def test_the_verdicts_are_at_the_top_and_the_gravest_comes_first() -> None:
    items = [item("good", "a"), item("bad", "a", "wrong", "fail"), item("bad", "b"), item("bad", "c", "tight", "warn")]
    absent = Environment(implementation="gone", status="not-installed", message="pip install gone")
    known = item("known", "a", "wrong", "known-fault", known_fault="upstream")
    items += [item("good", name, "refused", "refused") for name in ("d", "e")]
    items += [item("good", "f", "not-judged", "not-judged")]
    environments = [Environment(implementation=name, status="ok") for name in ("good", "bad", "known")]
    report = Page(render_html(results([*items, known], environments=[*environments, absent])))
    assert "✕ 1 of 3 implementations does not conform" in report.find("header")[0].text
    assert rows(report.section("verdicts").find("table")[0]) == [
        ["bad", "✕ does not conform: 1 of 3 cases fail", "1", "0", "1", "1", "0", "0", "0"],
        ["known", "◆ 1 known fault", "0", "0", "0", "0", "1 100 %", "0", "0"],
        ["good", "✓ conforms", "1", "2", "0", "0", "0", "1", "0"],
        ["gone", "– not installedpip install gone", "0", "0", "0", "0", "0", "0", "0"],
    ]


def test_the_more_of_an_implementation_is_known_faults_the_deeper_their_colour() -> None:
    shares = {"few": 1, "some": 5, "many": 20}
    items = [
        item(name, str(case), *(("wrong", "known-fault") if case < share else ()), known_fault="k" * (case < share))
        for name, share in shares.items()
        for case in range(100)
    ]
    table = Page(render_html(results(items))).section("verdicts").find("table")[0]
    shown = [span.attributes["class"] for span in table.find("span") if "state" in span.attributes.get("class", "")]
    assert shown == [f"state state-known depth-{depth}" for depth in (3, 2, 1)]
    assert [row[6] for row in rows(table)] == ["20 20 %", "5 5 %", "1 1 %"]


def test_a_cell_of_the_matrix_shows_the_gravest_verdict_before_the_gravest_level() -> None:
    items = [
        item("i", "a", "wrong", "warn"),
        item("i", "b", "degraded(raw-moments)", "fail", quantities=(quantity(outcome="degraded(raw-moments)"),)),
        item("i", "c"),
    ]
    cell = Page(render_html(results(items))).section("matrix").find("td")[0]
    assert "k-fail" in cell.classes()
    assert " ".join(cell.text.split()) == "✕ degraded ✕1 ▲1 ✓1"
    (link,) = cell.find("a")
    assert link.attributes["aria-label"] == "✕ degraded 1: 1 fails, 1 only warns, 1 conforms"


def test_a_cell_of_known_faults_alone_is_no_failure() -> None:
    known = item("i", "a", "wrong", "known-fault", known_fault="upstream")
    cell = Page(render_html(results([known, item("i", "b")]))).section("matrix").find("td")[0]
    assert "k-known" in cell.classes()
    assert "1 known fault" in cell.find("a")[0].attributes["aria-label"]


def test_what_was_not_judged_does_not_hide_what_was() -> None:
    items = [item("i", "a", "not-judged", "not-judged"), item("i", "b", "exact")]
    assert "exact" in Page(render_html(results(items))).section("matrix").find("td")[0].text


def test_a_failure_is_told_with_all_that_a_person_needs() -> None:
    worst = off_by_three_percent()
    failing = item("i", "stat/nc", "wrong", "fail", quantities=(quantity(), worst), reproduce="bnconform run -i i")
    diagnosis = Diagnosis(
        implementation="i",
        deviations=("running-var-unbiased",),
        message="the numbers match",
        confident=True,
        examined=1,
    )
    report = Page(render_html(results([failing], diagnoses=[diagnosis])))
    assert "the numbers match" in report.section("failures").text
    told = report.section("implementations").text
    for words in ("running_var[2] in step 0", "1.03", "0.03", "1e-7", "5e4", "bnconform run -i i"):
        assert words in told
    assert "The running variance MUST take in the batch variance" in told
    assert [cell for cell in rows(report.section("failures").find("table")[0])[0] if "running_var" not in cell] == [
        "✕ wrong",
        "STAT-3",
        "i (1)",
        "5e4",
        "stat/nc",
    ]


def test_the_same_failure_of_several_implementations_is_one_row() -> None:
    items = [item(name, f"c{n}", "wrong", "fail") for name in ("i", "j") for n in range(3)]
    (row,) = rows(Page(render_html(results(items))).section("failures").find("table")[0])
    assert "i (3), j (3)" in row[3].replace("\xa0", " ")


def test_numbers_that_are_not_finite_are_shown_as_such() -> None:
    worst = quantity(outcome="wrong", ratio=float("inf"), error=float("nan"), got=float("nan"), expected=float("-inf"))
    (shown,) = Page(render_html(results([item("i", "a", "wrong", "fail", quantities=(worst,))]))).results_of_case()
    assert {"NaN", "inf", "-inf"} <= set(shown)


def test_each_case_is_shown_across_implementations() -> None:
    items = [
        item("i", "a"),
        item("j", "a", "wrong", "fail"),
        item("k", "a", "unsupported", "unsupported", message="rank 5"),
    ]
    page = Page(render_html(results(items)))
    shown = page.results_of_case()
    assert [row[:3] for row in shown] == [["i", "✓ tight", "pass"], ["j", "✕ wrong", "fail"]]
    data = page.data()
    ((reason, names),) = data["cases"][0][7]
    assert data["texts"][reason] == "rank 5"
    assert [data["names"][name] for name in names] == ["k"]


def test_without_the_script_each_case_has_a_line_with_a_sign_for_each_implementation() -> None:
    items = [item("i", "a"), item("j", "a", "wrong", "fail"), item("k", "a", "unsupported", "unsupported")]
    (listed,) = Page(render_html(results(items))).section("cases").find("pre")
    assert listed.text.split() == ["✓✕–", "a"]


def test_signs_say_fail_warn_and_pass_apart() -> None:
    items = [item("i", "a", "wrong", "fail"), item("j", "a", "wrong", "warn"), item("k", "a")]
    assert [row[1][0] for row in Page(render_html(results(items))).results_of_case()] == ["✕", "▲", "✓"]


def test_any_two_conventions_have_their_choices_and_effects_in_the_data() -> None:
    environments = [
        Environment(implementation=name, status="ok", convention=convention)
        for name, convention in (("a", TORCH), ("b", TEXTBOOK), ("c", TORCH), ("d", {}))
    ]
    items = [item(name, "x") for name in "abcd"]
    data = Page(render_html(results(items, environments=environments))).data()
    pairs, texts = data["pairs"], data["texts"]
    assert pairs["of"] == [0, 1, 0, None]
    assert pairs["shown"] == [0, 1]
    assert {texts[name] for name, _, _ in pairs["conventions"][1]} == {name.replace("_", " ") for name in TEXTBOOK}
    there, back = ([texts[effect[0]] for effect in pairs["effects"][key]] for key in ("0-1", "1-0"))
    assert there[-1] == back[-1] == "all together"
    assert "eps in inference" in there


def test_who_shares_a_convention_and_who_the_numbers_is_told() -> None:
    environments = [
        Environment(implementation=name, status="ok", convention=convention)
        for name, convention in (("a", TORCH), ("b", TEXTBOOK), ("c", TORCH))
    ]
    items = [item(name, case) for name in "ab" for case in ("x", "y")] + [
        item("c", "x", "wrong", "fail"),
        item("c", "y"),
    ]
    section = Page(render_html(results(items, environments=environments))).section("differences")
    told = [" ".join(line.text.split()) for line in section.find("li")]
    assert told[0] == "a, b"
    assert told[1] == "a, c: the baseline and what declares the same"
    assert told[2].startswith("b: other ")


def test_every_outcome_and_verdict_has_a_sentence_that_its_sign_leads_to() -> None:
    report = page()
    words = {element.attributes["id"]: element.text for element in report.section("words").find("div")}
    chips = [element for element in report.find("a") if "chip" in element.classes()]
    assert len(chips) > 50
    for chip in chips:
        assert chip.text.split()[1] in words[chip.attributes["href"][1:]].lower()
    assert "E[x^2] - E[x]^2" in words["w-degraded-raw-moments"]


def test_conventions_are_set_beside_the_baseline_and_nonstandard_ones_are_marked() -> None:
    environments = [
        Environment(implementation="torch", status="ok", convention=TORCH),
        Environment(
            implementation="book", status="ok", convention=TEXTBOOK, nonstandard={"eps_in_inference": "eps is inside"}
        ),
    ]
    written = results([item("torch", "a"), item("book", "a")], environments=environments)
    (torch, book) = rows(Page(render_html(written)).section("conventions").find("table")[0])
    assert torch[0] == "torch (baseline)"
    assert not any("differs" in cell for cell in torch)
    assert "≠ differs: biased" in book
    assert "≠ differs: no† (nonstandard)" in book
    section = Page(render_html(written, baseline="book")).section("conventions")
    assert rows(section.find("table")[0])[1][0] == "book (baseline)"
    assert "eps is inside" in section.text
    assert "+3.2 %" in section.text


def test_a_baseline_that_is_not_there_is_an_error_that_names_the_others() -> None:
    with pytest.raises(ResultsError, match=r"baseline is 'x'; the results have conventions of: i$"):
        render_html(results([item("i", "a")]), baseline="x")


def test_a_file_that_was_cut_off_missing_items_and_stale_entries_are_told_first() -> None:
    notes = [element.text for element in page().find("p") if element.attributes.get("role") == "note"]
    assert len(notes) == 3
    assert "cut off" in notes[0]
    assert "3 planned items never reported" in notes[1]
    assert "no longer needed" in notes[2]


def test_a_stale_entry_is_shown_with_the_line_to_delete() -> None:
    stale = StaleFault(entry="i *", file="known.toml", line=7, message="delete lines 7 to 9")
    section = Page(render_html(results([item("i", "a")], stale_faults=[stale]))).section("verdicts")
    assert "known.toml:7" in section.text
    assert "delete lines 7 to 9" in section.text


def test_results_without_anything_make_a_report_that_says_so() -> None:
    report = Page(render_html(results([], end=End(exit_code=3, seconds=0.1, message="nothing was judged"))))
    assert "Nothing was judged" in report.find("header")[0].text
    assert "No case fails." in report.root.text
    assert "No implementation declares a convention." in report.root.text


def test_an_implementation_that_never_said_where_it_runs_is_broken() -> None:
    written = replace(results([item("i", "a")]), environments=(), items=())
    assert "it never said where it runs" in Page(render_html(written)).section("implementations").text


def test_what_was_not_judged_is_told_with_its_reasons() -> None:
    items = [
        item("i", "a"),
        *(
            item("i", name, "unsupported", "unsupported", message="masks are not declared", quantities=())
            for name in "bc"
        ),
    ]
    told = Page(render_html(results(items))).section("not-judged")
    assert rows(told.find("table")[0]) == [["i", "3", "1", "2 cases: masks are not declared"]]


def test_where_all_was_judged_that_is_said() -> None:
    told = Page(render_html(results([item("i", "a")]))).section("not-judged")
    assert "Every case that was selected was judged." in told.text
    assert told.find("table") == []


def test_the_offset_plot_has_its_numbers_in_a_table_too() -> None:
    items = [
        item("i", f"{offset:g}", quantities=(quantity(ratio=ratio),)) for offset, ratio in ((0.0, 0.5), (100.0, 70.0))
    ]
    cases = [case(f"{offset:g}", "NUM-1", dtype="float32", offset=offset, scale=1.0) for offset in (0.0, 100.0)]
    plots = Page(render_html(results(items, cases=cases))).section("plots")
    assert rows(plots.find("table")[0]) == [["i", "float32", "0.5 at 0, 70 at 100"]]
    assert "0.5 at offset 0 to 70 at 100" in plots.find("desc")[0].text


def test_without_offsets_there_is_no_plot_of_them() -> None:
    assert "No cases with two offsets or sizes" in Page(render_html(results([item("i", "a")]))).section("plots").text


def test_a_matrix_of_fifteen_implementations_and_four_hundred_cases_stays_small() -> None:
    written = render_html(realistic(count=400))
    assert len(written.encode()) < 1_000_000
    assert len(Page(written).elements) < 20_000
