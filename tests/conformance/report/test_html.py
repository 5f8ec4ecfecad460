"""The HTML report: safe whatever the results hold, whole in itself, and open to keyboards and screen readers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from tests.conformance.report.page import Element, Page
from tests.conformance.sample_results import (
    HOSTILE,
    HOSTILE_NAME,
    TEXTBOOK,
    TORCH,
    case,
    item,
    quantity,
    realistic,
    results,
)

from bn_conformance.report.html import render
from bn_conformance.results import End, Environment, ResultsError, StaleFault


@cache
def text() -> str:
    return render(realistic(count=120))


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


# --- safe -------------------------------------------------------------------------------------------------------------


def test_hostile_text_is_shown_and_never_becomes_markup() -> None:
    assert HOSTILE not in text()
    assert HOSTILE_NAME in page().root.text
    assert page().root.text.count(HOSTILE) > 100
    assert len(page().find("script")) == 1
    assert "{{ 7*7 }}" in page().root.text


def test_no_attribute_is_broken_open_by_a_quote() -> None:
    known = {
        "aria-hidden", "aria-label", "aria-labelledby", "aria-live", "autocomplete", "charset", "class", "colspan",
        "content", "d", "height", "hidden", "href", "http-equiv", "id", "lang", "name", "open", "placeholder",
        "preserveaspectratio", "role", "rowspan", "scope", "style", "tabindex", "type", "viewbox", "width", "x", "y",
    }  # fmt: skip
    assert {name for element in page().elements for name in element.attributes} <= known


def test_control_characters_surrogates_and_direction_overrides_are_made_visible() -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text())
    assert "\\x1b[31m\\x00\\u202e" in page().root.text
    assert "\\ud800" in page().root.text
    text().encode("utf-8")


def test_the_page_forbids_everything_but_its_own_style_and_script() -> None:
    (policy,) = (one.attributes["content"] for one in page().find("meta") if "http-equiv" in one.attributes)
    (script,) = page().find("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_page_refers_to_nothing_outside_itself() -> None:
    assert not [one for one in page().elements if "src" in one.attributes]
    assert not [one.attributes["href"] for one in page().find("a") if not one.attributes["href"].startswith("#")]
    assert not page().find("link")
    assert "url(" not in page().find("style")[0].text
    assert "@import" not in page().find("style")[0].text


def test_every_link_has_its_target_and_every_anchor_is_there_once() -> None:
    anchors = Counter(one.attributes["id"] for one in page().elements if "id" in one.attributes)
    assert [anchor for anchor, count in anchors.items() if count > 1] == []
    assert {one.attributes["href"][1:] for one in page().find("a")} - set(anchors) == set()


def test_names_that_differ_in_signs_alone_have_anchors_of_their_own() -> None:
    names = ["a.b", "a-b", "A B", "...", "", "<>"]
    found = Page(render(results(item(name, name) for name in names)))
    anchors = Counter(one.attributes["id"] for one in found.elements if "id" in one.attributes)
    assert max(anchors.values()) == 1
    assert len([anchor for anchor in anchors if re.fullmatch(r"i-[^.]*", anchor)]) == len(names)


# --- open to all ------------------------------------------------------------------------------------------------------


def test_every_table_has_a_caption_and_its_headers_have_a_scope() -> None:
    tables = page().find("table")
    assert len(tables) > 100
    for table in tables:
        assert [one.text.strip() for one in table.find("caption")] != []
    assert {one.attributes.get("scope") for one in page().find("th")} == {"col", "row", "rowgroup"}


def test_what_scrolls_is_a_named_region_that_the_keyboard_reaches() -> None:
    regions = [one for one in page().find("div") if "scroll" in one.classes()]
    assert regions
    for region in regions:
        assert region.attributes["role"] == "region"
        assert region.attributes["tabindex"] == "0"
        assert region.attributes.get("aria-label") or page().by_id(region.attributes["aria-labelledby"]).text


def test_every_picture_has_a_title_and_a_description_or_is_hidden_beside_its_numbers() -> None:
    for picture in page().find("svg"):
        if picture.attributes.get("role") == "img":
            titles = [page().by_id(anchor) for anchor in picture.attributes["aria-labelledby"].split()]
            assert [one.name for one in titles] == ["title", "desc"]
            assert all(one.text.strip() for one in titles)
        else:
            assert picture.attributes["aria-hidden"] == "true"


def test_the_reader_can_skip_to_the_report_and_knows_its_language() -> None:
    assert page().find("html")[0].attributes["lang"] == "en"
    assert page().find("a")[0].attributes["href"] == "#main"
    assert page().by_id("main").name == "main"
    assert [one.name for one in page().elements].count("h1") == 1


def test_headings_never_leave_out_a_level() -> None:
    levels = [int(one.name[1]) for one in page().elements if re.fullmatch("h[1-6]", one.name)]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_a_colour_always_comes_with_a_word() -> None:
    coloured = [one for one in page().find("span") + page().find("td") if {"chip", "state"} & one.classes()]
    assert coloured
    assert all(re.search("[a-z]{4}", one.text) for one in coloured)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_that_wcag_aa_asks_for(theme: int) -> None:
    style = page().find("style")[0].text
    colours = dict(
        re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme])
    )
    assert len(colours) > 30
    page_colours = [
        ("fg", "bg", 4.5),
        ("muted", "bg", 4.5),
        ("link", "bg", 4.5),
        ("fg", "soft", 4.5),
        ("link", "soft", 4.5),
    ]
    kinds = [name.removesuffix("-bg") for name in colours if name.endswith("-bg")]
    pairs = [*page_colours, *((f"{kind}-fg", f"{kind}-bg", 4.5) for kind in kinds)]
    pairs += [(f"{kind}-ink", "bg", 3.0) for kind in kinds] + [(f"d{n}", "bg", 3.0) for n in range(6)]
    low = {(front, back): contrast(colours[front], colours[back]) for front, back, least in pairs
           if contrast(colours[front], colours[back]) < least}  # fmt: skip
    assert low == {}


# --- what it says -----------------------------------------------------------------------------------------------------


def test_the_verdict_and_the_counts_of_each_implementation_are_at_the_top() -> None:
    items = [item("good", "a"), item("bad", "a", "wrong", "fail"), item("bad", "b"), item("bad", "c", "tight", "warn")]
    absent = Environment(implementation="gone", status="not-installed", message="pip install gone")
    known = item("known", "a", "wrong", "known-fault", known_fault="upstream")
    environments = [Environment(implementation=name, status="ok") for name in ("good", "bad", "known")]
    found = Page(render(results([*items, known], environments=[*environments, absent])))
    assert "✕ 1 of 3 implementations does not conform" in found.find("header")[0].text
    assert rows(found.section("verdicts").find("table")[0]) == [
        ["good", "✓ conforms", "1", "0", "0", "0", "0"],
        ["bad", "✕ does not conform: 1 case of 3 fail", "1", "1", "1", "0", "0"],
        ["known", "◆ 1 known fault", "0", "0", "0", "1", "0"],
        ["gone", "– not installedpip install gone", "0", "0", "0", "0", "0"],
    ]


def test_a_cell_of_the_matrix_shows_the_gravest_verdict_before_the_gravest_level() -> None:
    items = [
        item("i", "a", "wrong", "warn"),
        item("i", "b", "degraded(raw-moments)", "fail", quantities=(quantity(outcome="degraded(raw-moments)"),)),
        item("i", "c"),
    ]
    cell = Page(render(results(items))).section("matrix").find("td")[0]
    assert "k-fail" in cell.classes()
    assert " ".join(cell.text.split()) == "✕ degraded 1 1W 1D 1T: 1 wrong, 1 degraded, 1 tight"


def test_a_cell_of_known_faults_alone_is_no_failure() -> None:
    known = item("i", "a", "wrong", "known-fault", known_fault="upstream")
    cell = Page(render(results([known, item("i", "b")]))).section("matrix").find("td")[0]
    assert "k-known" in cell.classes()
    assert "(known-fault)" in cell.text


def test_what_was_not_judged_does_not_hide_what_was() -> None:
    items = [item("i", "a", "not-judged"), item("i", "b", "exact")]
    assert "exact" in Page(render(results(items))).section("matrix").find("td")[0].text


def test_a_failure_is_told_with_all_that_a_person_needs() -> None:
    worst = quantity(
        "step0.running_var", "wrong", 5e4, clauses=("STAT-3",), index=(2,), error=0.03, expected=1.0, got=1.03,
        diagnosis="the numbers match running-var-unbiased",
    )  # fmt: skip
    failing = item("i", "stat/nc", "wrong", "fail", quantities=(quantity(), worst), reproduce="bnconform run -i i")
    found = Page(render(results([failing])))
    told = found.section("implementations").text
    for words in ("step0.running_var", "[2]", "1.03", "0.03", "1e-7", "5e4", "the numbers match", "bnconform run -i i"):
        assert words in told
    assert "The running variance MUST take in the batch variance" in told
    assert [cell for cell in rows(found.section("failures").find("table")[0])[0] if "running_var" not in cell] == [
        "✕ wrong",
        "STAT-3",
        "i (1)",
        "5e4",
        "stat/nc",
    ]


def test_the_same_failure_of_several_implementations_is_one_row() -> None:
    items = [item(name, f"c{n}", "wrong", "fail") for name in ("i", "j") for n in range(3)]
    (row,) = rows(Page(render(results(items))).section("failures").find("table")[0])
    assert "i (3), j (3)" in row[3].replace("\xa0", " ")


def test_numbers_that_are_not_finite_are_shown_as_such() -> None:
    worst = quantity(outcome="wrong", ratio=float("inf"), error=float("nan"), got=float("nan"), expected=float("-inf"))
    shown = Page(render(results([item("i", "a", "wrong", "fail", quantities=(worst,))]))).section("cases").text
    assert {"NaN", "inf", "-inf"} <= set(shown.split()) | set(re.findall(r"-inf|NaN|inf", shown))


def test_each_case_is_shown_across_implementations() -> None:
    items = [
        item("i", "a"),
        item("j", "a", "wrong", "fail"),
        item("k", "a", "unsupported", "unsupported", message="rank 5"),
    ]
    cases = Page(render(results(items))).section("cases")
    shown = rows(cases.find("table")[0])
    assert [row[:3] for row in shown] == [["i", "✓ tight", "pass"], ["j", "✕ wrong", "fail"]]
    assert "Not supported by k: rank 5" in cases.text


def test_letters_say_fail_warn_and_pass_apart() -> None:
    items = [item("i", "a", "wrong", "fail"), item("j", "a", "wrong", "warn"), item("k", "a")]
    letters = [one.text for one in Page(render(results(items))).section("cases").find("i")]
    assert letters == ["W", "w", "T"]


def test_conventions_are_set_beside_the_baseline_and_nonstandard_ones_are_marked() -> None:
    environments = [
        Environment(implementation="torch", status="ok", convention=TORCH),
        Environment(
            implementation="book", status="ok", convention=TEXTBOOK, nonstandard={"eps_in_inference": "eps is inside"}
        ),
    ]
    written = results([item("torch", "a"), item("book", "a")], environments=environments)
    (torch, book) = rows(Page(render(written)).section("conventions").find("table")[0])
    assert torch[0] == "torch (baseline)"
    assert not any("differs" in cell for cell in torch)
    assert "≠ differs: biased" in book
    assert "≠ differs: no† (nonstandard)" in book
    section = Page(render(written, baseline="book")).section("conventions")
    assert rows(section.find("table")[0])[1][0] == "book (baseline)"
    assert "eps is inside" in section.text
    assert "+3.2 %" in section.text


def test_a_baseline_that_is_not_there_is_an_error_that_names_the_others() -> None:
    with pytest.raises(ResultsError, match=r"baseline is 'x'; the results have conventions of: i$"):
        render(results([item("i", "a")]), baseline="x")


def test_a_file_that_was_cut_off_missing_items_and_stale_entries_are_told_first() -> None:
    notes = [one.text for one in page().find("p") if one.attributes.get("role") == "note"]
    assert len(notes) == 3
    assert "cut off" in notes[0]
    assert "3 planned items never reported" in notes[1]
    assert "no longer needed" in notes[2]


def test_a_stale_entry_is_shown_with_the_line_to_delete() -> None:
    stale = StaleFault(entry="i *", file="known.toml", line=7, message="delete lines 7 to 9")
    section = Page(render(results([item("i", "a")], stale_faults=[stale]))).section("verdicts")
    assert "known.toml:7" in section.text
    assert "delete lines 7 to 9" in section.text


def test_results_without_anything_make_a_report_that_says_so() -> None:
    found = Page(render(results([], end=End(exit_code=3, seconds=0.1, message="nothing was judged"))))
    assert "Nothing was judged" in found.find("header")[0].text
    assert "No case fails." in found.root.text
    assert "No implementation declares a convention." in found.root.text


def test_an_implementation_that_never_said_where_it_runs_is_broken() -> None:
    written = replace(results([item("i", "a")]), environments=(), items=())
    assert "it never said where it runs" in Page(render(written)).section("implementations").text


def test_the_offset_plot_has_its_numbers_in_a_table_too() -> None:
    items = [
        item("i", f"{offset:g}", quantities=(quantity(ratio=ratio),)) for offset, ratio in ((0.0, 0.5), (100.0, 70.0))
    ]
    cases = [case(f"{offset:g}", "NUM-1", dtype="float32", offset=offset, scale=1.0) for offset in (0.0, 100.0)]
    plots = Page(render(results(items, cases=cases))).section("plots")
    assert rows(plots.find("table")[0]) == [["i", "float32", "0.5", "70"]]
    assert "0.5 at offset 0 to 70 at 100" in plots.find("desc")[0].text


def test_without_offsets_there_is_no_plot_of_them() -> None:
    assert "No cases with two offsets" in Page(render(results([item("i", "a")]))).section("plots").text


def test_a_matrix_of_fifteen_implementations_and_four_hundred_cases_stays_small() -> None:
    assert len(render(realistic(count=400)).encode()) < 3_000_000
