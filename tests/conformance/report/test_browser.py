"""The HTML report in a real browser: what its script builds. Where there is no Chromium the tests are skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from html import escape
from pathlib import Path

import pytest
from tests.support.html_page import Page
from tests.support.sample_matrix import realistic

from bn_conformance.report.html import render_html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian's package chromium)"),
]


@cache
def written() -> str:
    return render_html(realistic(count=60))


def opened(folder: Path, fragment: str = "") -> str:
    """The page as the browser has it after its script ran."""
    path = folder / "report.html"
    path.write_text(written(), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--virtual-time-budget=20000", "--dump-dom", f"{path.as_uri()}{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def first_case() -> tuple[str, str]:
    """Id and anchor of the first case."""
    case = Page(written()).data()["cases"][0]
    return case[0], case[1]


def test_a_link_to_a_case_opens_its_numbers(tmp_path: Path) -> None:
    name, anchor = first_case()
    shown = opened(tmp_path, f"#{anchor}")
    assert f'<caption class="hidden">{escape(name, quote=False)}</caption>' in shown
    assert "<script>alert" not in shown
    assert re.search(rf'<details class="case" id="{re.escape(anchor)}" open=""', shown)


def test_only_what_is_opened_is_built(tmp_path: Path) -> None:
    shown = opened(tmp_path)
    assert '<table class="results">' not in shown
    assert '<form class="filter">' in shown


def test_filters_are_kept_in_the_address(tmp_path: Path) -> None:
    data = Page(written()).data()
    wanted = [case for case in data["cases"] if any(data["verdicts"][result[2]] == "fail" for result in case[4])]
    assert wanted
    shown = opened(tmp_path, "#cases?verdict=fail")
    (count,) = re.findall(r'<output id="found" aria-live="polite">(\d+) cases?</output>', shown)
    assert int(count) == len(wanted)


def test_a_family_that_is_linked_is_open(tmp_path: Path) -> None:
    anchor = re.findall(r'<div id="(f-[^"]+)">', written())[0]
    assert re.search(r'<details class="family" open="">', opened(tmp_path, f"#{anchor}"))
