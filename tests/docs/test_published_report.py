"""The published report: of one run, small, whole in itself, and without a trace of the machine that made it."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from tests.support.html_page import Page
from tests.support.sample_matrix import realistic

from bn_conformance.report.legend import SIGNS
from bn_conformance.report.markdown_text import escape
from bn_conformance.results.records import End
from bn_conformance.results.writer import write_results

REPORTS = Path(__file__).parents[2] / "reports"
PUBLISHED = REPORTS / "published"


@cache
def page() -> Page:
    return Page((PUBLISHED / "matrix.html").read_text(encoding="utf-8"))


def names() -> list[str]:
    return [row.find("th")[0].text for row in page().section("verdicts").find("tbody")[0].find("tr")]


def pictured(path: Path) -> str:
    texts = ElementTree.fromstring(path.read_text(encoding="utf-8")).iter("{http://www.w3.org/2000/svg}text")
    return "\n".join((text.text or "").replace("\N{NO-BREAK SPACE}", " ") for text in texts)


def test_the_html_is_small() -> None:
    """So small that it opens at once, and no larger for each item than it was for 32,000 of them."""
    (shown,) = re.findall(r": [\d,]+ cases, ([\d,]+) items", (PUBLISHED / "matrix.md").read_text(encoding="utf-8"))
    items, elements = int(shown.replace(",", "")), len(page().elements)
    assert (PUBLISHED / "matrix.html").stat().st_size < 50 * items
    assert elements < 0.58 * items


def test_all_three_are_of_one_run() -> None:
    (day,) = re.findall(r"conformance, (\S+)$", page().find("title")[0].text)
    written = (PUBLISHED / "matrix.md").read_text(encoding="utf-8")
    assert f", {day}: " in written
    assert [name for name in names() if escape(name) not in written] == []


def test_the_picture_has_every_name_in_full_and_its_legend() -> None:
    shown = pictured(PUBLISHED / "summary.svg")
    assert len(names()) > 15
    assert [name for name in names() if name not in shown] == []
    used = [sign for sign in SIGNS if f"{sign.symbol} {sign.meaning}" in shown]
    assert {sign.symbol for sign in SIGNS if sign.symbol in shown} == {sign.symbol for sign in used}


def test_what_is_published_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "matrix.jsonl"
    run = realistic(count=60, hostile=False)
    write_results(results, [run.header, *run.environments, *run.items, End(exit_code=1, seconds=1.0)])
    publish = script()
    monkeypatch.setattr(publish, "FOLDER", tmp_path / "published")
    assert publish.main(str(results)) == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "published").iterdir()}
    assert set(written) == {"matrix.html", "matrix.md", "summary.svg"}
    assert [name for name, text in written.items() if str(tmp_path) in text] == []


def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("publish", REPORTS / "publish.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
