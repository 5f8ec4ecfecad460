"""The HTML report in a real browser: what its script builds, and who can use it. Without a Chromium it is skipped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import IN_A_BROWSER, PATIENCE
from tests.support.html_page import Page as Parsed
from tests.support.sample_matrix import realistic

from bn_conformance.report.html import render_html

pytestmark = IN_A_BROWSER

Opened = Callable[..., Page]


@cache
def written() -> str:
    return render_html(realistic(count=120))


def data() -> dict[str, Any]:
    return Parsed(written()).data()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(written(), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Opened]:
    """Opens the report; what its console says, and what it asks of a network, fails the test."""
    said: list[str] = []
    asked: list[str] = []

    def open_at(fragment: str = "", width: int = 1400, scheme: str = "light", script: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{file.as_uri()}{fragment}")
        if script:
            page.wait_for_selector("#sides:not([hidden])", state="attached")
        return page

    yield open_at
    assert said == []
    assert [url for url in asked if not url.startswith("file:")] == []


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


# --- the five questions -----------------------------------------------------------------------------------------------


def test_who_fails_is_said_in_the_first_screen_and_why_one_link_away(opened: Opened) -> None:
    page = opened()
    row = page.locator("table.verdicts tbody tr").first
    assert row.bounding_box()["y"] < 900
    assert "does not conform" in row.inner_text()
    row.locator("th a").click()
    told = page.locator("details.implementation[open]").first
    assert "Run it again" in told.inner_text()


def test_a_failure_leads_to_the_clause_that_it_breaks(opened: Opened) -> None:
    page = opened()
    link = page.locator("table.groups tbody tr td[data-label=Clause] a").first
    name = link.inner_text()
    link.click()
    assert page.locator(":target dt").inner_text().startswith(name)
    assert len(page.locator(":target dd").inner_text()) > 20


def test_two_implementations_stand_side_by_side_from_the_first_screen(opened: Opened) -> None:
    page = opened()
    assert page.locator("#first").bounding_box()["y"] < 900
    page.select_option("#first", label="torch.nn")
    page.select_option("#second", label="tf.nn.moments")
    assert re.search(
        r"^torch.nn and tf.nn.moments: of \d+ cases that both ran, \d+ have .* one fails", page.inner_text("#told")
    )
    sides = page.inner_text("#sides")
    assert all(words in sides for words in ("Conventions", "default eps", "Numbers", "tell them apart"))
    assert page.url.endswith("#pair?a=torch.nn&b=tf.nn.moments")


def test_the_two_are_restored_from_the_address(opened: Opened) -> None:
    page = opened("#pair?a=flax.nnx&b=torch.nn")
    expect(page.locator("#told")).to_contain_text("flax.nnx and torch.nn: ")


def test_one_stands_beside_the_reference(opened: Opened) -> None:
    page = opened("#pair?a=flax.nnx&b=the+reference")
    expect(page.locator("#told")).to_contain_text("flax.nnx and the reference: ")
    expect(page.locator("#sides")).to_contain_text("The reference follows what it declares")


def test_a_cell_for_every_two_leads_to_them(opened: Opened) -> None:
    page = opened()
    page.locator("summary", has_text="Every two").click()
    page.locator("table.everytwo tbody tr").nth(1).locator("a").first.click()
    first, second = (page.locator("table.everytwo thead th").nth(place).inner_text() for place in (2, 1))
    expect(page.locator("#told")).to_contain_text(f"{first} and {second}: ")


def test_a_word_leads_to_the_sentence_that_says_what_it_means(opened: Opened) -> None:
    page = opened()
    page.locator("a.chip", has_text="degraded (raw-moments)").first.click()
    assert "E[x^2] - E[x]^2" in page.locator(":target").inner_text()


def test_known_faults_and_failures_have_parts_of_their_own(opened: Opened) -> None:
    page = opened()
    for caption, sign in (("Failures", "✕"), ("Known faults", "◆"), ("Warnings", "▲")):
        table = page.locator("table.groups", has=page.locator("caption", has_text=f"{caption}:"))
        assert {chip[0] for chip in table.locator("tbody a.chip").all_inner_texts()} == {sign}


# --- what is built, and when ------------------------------------------------------------------------------------------


def test_a_link_to_a_case_opens_its_numbers(opened: Opened) -> None:
    name, anchor = data()["cases"][0][:2]
    page = opened(f"#{anchor}")
    expect(page.locator(f"details.case[open]#{anchor} caption")).to_have_text(name)
    assert page.locator("script").count() == 2


def test_only_what_is_opened_is_built(opened: Opened) -> None:
    page = opened()
    assert page.locator("table.results").count() == 0
    page.locator("details.family summary").first.click()
    page.locator("details.case summary").first.click()
    expect(page.locator("table.results")).to_have_count(1)


def test_filters_are_kept_in_the_address(opened: Opened) -> None:
    verdicts = data()["verdicts"]
    wanted = [case for case in data()["cases"] if any(verdicts[result[2]] == "fail" for result in case[6])]
    page = opened("#cases?verdict=fail")
    assert page.inner_text("#found").split()[0] == str(len(wanted))
    page.select_option("#format", "float32")
    page.wait_for_url("**#cases?format=float32&verdict=fail")


def test_the_gravest_of_what_is_found_comes_first(opened: Opened) -> None:
    page = opened("#cases?format=float32")
    signs = [row.locator(".signs").inner_text() for row in page.locator("#matches details").all()]
    gravity = ["✕" in row for row in signs]
    assert gravity == sorted(gravity, reverse=True)
    assert any(gravity)


def test_a_family_that_is_linked_is_open(opened: Opened) -> None:
    anchor = re.findall(r'<div id="(f-[^"]+)">', written())[0]
    expect(opened(f"#{anchor}").locator("details.family[open]")).to_have_count(1)


def test_the_matrix_is_switched_by_format_and_by_layout(opened: Opened) -> None:
    page = opened()
    for name in ("format", "layout", "family"):
        page.check(f"#by-{name}")
        shown = page.locator(".matrices .scroll:visible")
        assert shown.count() == 1
        assert f"by-{name}" in (shown.get_attribute("class") or "")


def test_the_columns_are_kept_in_the_address(opened: Opened) -> None:
    page = opened("#matrix?by=layout")
    assert page.locator(".matrices .scroll.by-layout").is_visible()
    page.check("#by-format")
    assert page.url.endswith("#matrix?by=format")
    page.check("#by-family")
    assert page.url.endswith("#matrix")


def test_every_column_of_the_matrix_is_in_sight(opened: Opened) -> None:
    page = opened()
    table = page.locator(".scroll.by-family")
    assert table.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_what_is_said_of_an_implementation_is_built_when_it_is_opened(opened: Opened) -> None:
    page = opened()
    first = page.locator("details.implementation").first
    assert first.locator("dl").count() == 0
    first.locator("summary").first.click()
    expect(first.locator("dl.facts").first).to_be_visible()


def test_a_cell_of_the_matrix_leads_to_the_family_of_its_implementation(opened: Opened) -> None:
    page = opened()
    cell = page.locator(".by-family tbody td a").first
    anchor = cell.get_attribute("href")
    cell.click()
    assert anchor is not None
    expect(page.locator(f"details.implementation[open] tr[id='{anchor[1:]}']")).to_be_visible()


def test_without_the_script_the_cases_and_the_conventions_can_be_read(opened: Opened) -> None:
    page = opened(script=False)
    assert not page.locator("form").first.is_visible()
    assert page.locator(".needs").is_visible()
    page.locator("details.implementation > summary").first.click()
    assert "Versions" in page.locator("details.implementation[open]").inner_text()
    page.locator("details.family summary").first.click()
    assert re.match(r"[✓▲✕◆–]+  \S+/", page.locator("pre.caselist:visible").first.inner_text())


# --- open to all ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (1400, "dark"), (390, "light")])
def test_axe_finds_no_violation(opened: Opened, width: int, scheme: str) -> None:
    page = opened(width=width, scheme=scheme)
    page.select_option("#second", "-1")
    page.locator("details.family summary").first.click()
    page.locator("details.case summary").first.click()
    for place in (0, 1):
        page.locator("details.implementation > summary").nth(place).click()
    page.locator("summary", has_text="Every two").click()
    assert violations(page) == []


def test_the_keyboard_reaches_and_opens_everything(opened: Opened) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("details.family summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.case").first).to_be_attached()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("details.case[open] table.results")).to_have_count(1)
    page.focus("#by-family")
    page.keyboard.press("ArrowRight")
    assert page.locator(".by-format").is_visible()


@pytest.mark.parametrize("width", [390, 1400, 2560])
def test_nothing_but_tables_scrolls_sideways(opened: Opened, width: int) -> None:
    page = opened(width=width)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_printed_report_has_all_columns_and_nothing_to_click_through(opened: Opened) -> None:
    page = opened()
    page.emulate_media(media="print")
    assert page.locator(".matrices .scroll:visible").count() == 3
    assert not page.locator("nav").is_visible()
    assert not page.locator("form.pair").is_visible()
    assert page.pdf().startswith(b"%PDF")
