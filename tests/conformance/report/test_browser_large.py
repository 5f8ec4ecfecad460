"""The HTML report of a whole matrix in a real browser: it stays small whatever is opened, and everything is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import IN_A_BROWSER, PATIENCE
from tests.support.sample_matrix import realistic

from bn_conformance.report.html import render_html

pytestmark = IN_A_BROWSER

COUNT = "document.getElementsByTagName('*').length"
MOST_ELEMENTS = 20_000


@pytest.fixture
def large(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A report of as many cases as a matrix has."""
    path = tmp_path / "large.html"
    path.write_text(render_html(realistic(count=2200)), encoding="utf-8")
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    page.wait_for_selector("#sides:not([hidden])", state="attached")
    yield page
    page.context.close()


def test_a_page_with_everything_opened_stays_small(large: Page) -> None:
    assert large.evaluate(COUNT) < MOST_ELEMENTS
    for _ in range(3):  # what is built has parts to open in turn
        large.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        large.wait_for_timeout(500)
        assert large.evaluate(COUNT) < MOST_ELEMENTS
    large.select_option("#format", "float32")
    expect(large.locator("#found")).to_contain_text("shown")
    large.evaluate("for (const one of document.querySelectorAll('#matches details')) one.open = true")
    large.wait_for_timeout(500)
    assert large.evaluate(COUNT) < MOST_ELEMENTS
    assert large.locator("#matches details[open] table.results").count() > 20


def test_a_case_of_a_long_family_is_found_in_its_part(large: Page) -> None:
    names = large.evaluate("unpack().then(data => data.cases.map(one => [one[0], one[1], data.texts[one[2]]]))")
    families = Counter(family for _, _, family in names)
    longest = families.most_common(1)[0][0]
    name, anchor, _ = [one for one in names if one[2] == longest][-1]
    large.evaluate("anchor => { location.hash = anchor; }", anchor)
    expect(large.locator(f"details.part[open] details.case[open]#{anchor} caption")).to_have_text(name)
