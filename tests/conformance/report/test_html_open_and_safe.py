"""The HTML report is safe whatever the results hold, whole in itself, and open to keyboards and screen readers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest
from tests.support.html_page import Page
from tests.support.sample_matrix import realistic
from tests.support.sample_results import HOSTILE, HOSTILE_NAME, item, results

from bn_conformance.report.html import render_html
from bn_conformance.report.legend import SIGNS


@cache
def text() -> str:
    return render_html(realistic(count=120))


@cache
def page() -> Page:
    return Page(text())


# --- safe -------------------------------------------------------------------------------------------------------------


def test_hostile_text_is_shown_and_never_becomes_markup() -> None:
    assert HOSTILE not in text()
    assert HOSTILE_NAME in page().root.text
    assert page().root.text.count(HOSTILE) > 20
    assert HOSTILE in json.dumps(page().data(), ensure_ascii=False)
    assert [element.attributes for element in page().find("script")] == [{"type": "text/plain", "id": "data"}, {}]
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", page().by_id("data").text.strip())
    assert "{{ 7*7 }}" in page().root.text


def test_no_attribute_is_broken_open_by_a_quote() -> None:
    known = (
        "aria-hidden aria-label aria-labelledby aria-live autocomplete charset checked class colspan content d "
        "data-label height hidden href http-equiv id lang name open placeholder preserveaspectratio role rowspan scope "
        "style tabindex title type value viewbox width x y"
    )
    assert {name for element in page().elements for name in element.attributes} <= set(known.split())


def test_control_characters_surrogates_and_direction_overrides_are_made_visible() -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text())
    assert "\\x00\\u202e" in page().root.text
    assert "[31m" not in page().root.text
    assert "\\ud800" in page().root.text
    text().encode("utf-8")


def test_control_characters_in_names_and_ids_are_made_visible_too() -> None:
    written = render_html(results([item("i\x1b[2J", "c\x00/d\u202e")]))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", written)
    assert "\\x1b" in written


def test_the_page_forbids_everything_but_its_own_style_and_script() -> None:
    (policy,) = (element.attributes["content"] for element in page().find("meta") if "http-equiv" in element.attributes)
    (script,) = (element for element in page().find("script") if "type" not in element.attributes)
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_page_refers_to_nothing_outside_itself() -> None:
    assert not [element for element in page().elements if "src" in element.attributes]
    assert not [
        element.attributes["href"] for element in page().find("a") if not element.attributes["href"].startswith("#")
    ]
    assert not page().find("link")
    assert "url(" not in page().find("style")[0].text
    assert "@import" not in page().find("style")[0].text


def test_every_link_has_its_target_and_every_anchor_is_there_once() -> None:
    anchors = Counter(element.attributes["id"] for element in page().elements if "id" in element.attributes)
    assert [anchor for anchor, count in anchors.items() if count > 1] == []
    assert {element.attributes["href"][1:].partition("?")[0] for element in page().find("a")} - set(anchors) == set()


def test_names_that_differ_in_signs_alone_have_anchors_of_their_own() -> None:
    names = ["a.b", "a-b", "A B", "...", "", "<>"]
    report = Page(render_html(results(item(name, name) for name in names)))
    anchors = Counter(element.attributes["id"] for element in report.elements if "id" in element.attributes)
    assert max(anchors.values()) == 1
    assert len([anchor for anchor in anchors if re.fullmatch(r"i-[^.]*", anchor)]) == len(names)


# --- open to all ------------------------------------------------------------------------------------------------------


def test_every_table_has_a_caption_and_its_headers_have_a_scope() -> None:
    tables = page().find("table")
    assert len(tables) > 30
    for table in tables:
        assert [element.text.strip() for element in table.find("caption")] != []
    assert {element.attributes.get("scope") for element in page().find("th")} == {"col", "row", "rowgroup"}


def test_what_scrolls_is_a_named_region_that_the_keyboard_reaches() -> None:
    regions = [element for element in page().find("div") if "scroll" in element.classes()]
    assert regions
    for region in regions:
        assert region.attributes["role"] == "region"
        assert region.attributes["tabindex"] == "0"
        assert region.attributes.get("aria-label") or page().by_id(region.attributes["aria-labelledby"]).text


def test_every_picture_has_a_title_and_a_description_or_is_hidden_beside_its_numbers() -> None:
    for picture in page().find("svg"):
        if picture.attributes.get("aria-label"):
            assert re.search(r"\d [a-z]+", picture.attributes["aria-label"])
        elif picture.attributes.get("role") == "img":
            titles = [page().by_id(anchor) for anchor in picture.attributes["aria-labelledby"].split()]
            assert [element.name for element in titles] == ["title", "desc"]
            assert all(element.text.strip() for element in titles)
        else:
            assert picture.attributes["aria-hidden"] == "true"


def test_the_reader_can_skip_to_the_report_and_knows_its_language() -> None:
    assert page().find("html")[0].attributes["lang"] == "en"
    assert page().find("a")[0].attributes["href"] == "#main"
    assert page().by_id("main").name == "main"
    assert [element.name for element in page().elements].count("h1") == 1


def test_headings_never_leave_out_a_level() -> None:
    levels = [int(element.name[1]) for element in page().elements if re.fullmatch("h[1-6]", element.name)]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_a_colour_always_comes_with_a_word() -> None:
    coloured = [element for element in page().find("span") + page().find("td") if {"chip", "state"} & element.classes()]
    assert coloured
    assert all(re.search("[a-z]{4}", element.text) for element in coloured)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(front: str, back: str) -> float:
    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_that_wcag_aa_asks_for(theme: int) -> None:
    style = page().find("style")[0].text
    colours = dict(
        re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme])
    )
    assert {f"{sign.name}-bg" for sign in SIGNS} - {"absent-bg"} <= set(colours)
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
    shown = {(front, back): (contrast(colours[front], colours[back]), least) for front, back, least in pairs}
    assert {pair: report for pair, (report, least) in shown.items() if report < least} == {}
