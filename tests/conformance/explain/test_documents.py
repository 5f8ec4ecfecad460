"""An explanation as text, HTML and JSON: whole, escaped, and as the schema says."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import numpy as np
import pytest
from tests.support.html_page import Page
from tests.support.recorded_steps import EPS, eps_outside_root, step

from bn_conformance.explain.documents import explanation_schema
from bn_conformance.explain.explanation import ExplainedStep, explain_arrays
from bn_conformance.explain.reading import SaidOfStep
from bn_conformance.explain.roles import Taken

HOSTILE = "<script>alert(1)</script>\x1b[31m&\"'"


@pytest.fixture(scope="module")
def told() -> ExplainedStep:
    """A wrong y, another y, and names that try to get into a page."""
    arrays: dict[str, Any] = eps_outside_root(step(backward=False))
    arrays = {name: arrays[name] for name in ("x", "y", "gamma", "beta")} | {"y_other": arrays["y"] * np.float32(1.5)}
    arrays["y_other"][0, 0, 0, 0] = np.inf
    taken = (*(Taken(role, role) for role in arrays), Taken(HOSTILE, ""))
    return explain_arrays(arrays, taken, SaidOfStep(eps=EPS), source=HOSTILE)


def test_the_json_keeps_to_the_schema(told: ExplainedStep) -> None:
    document = json.loads(json.dumps(told.to_json(), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(explanation_schema())
    jsonschema.Draft202012Validator(explanation_schema()).validate(document)
    assert document["exit_code"] == 1
    assert document["conditions"][0]["other"]["difference"] == "inf"


def test_the_page_is_one_file_with_every_text_escaped(told: ExplainedStep) -> None:
    html = told.html()
    page = Page(html)
    assert "<script" not in html
    assert "\x1b" not in html
    assert not re.search(r"<(link|img)|src=|https?:", html)
    assert any("alert(1)" in element.text for element in page.elements if element.name == "li")
    tables = [element for element in page.elements if element.name == "table"]
    assert all(element.find("caption") for element in tables)
    assert len(tables) >= 5


def test_a_notebook_gets_the_essence(told: ExplainedStep) -> None:
    html = told._repr_html_()
    Page(html)
    assert "<script" not in html
    assert "not within the bounds: y" in html
    assert "eps-outside-root" in html


def test_the_text_says_all_in_lines_that_no_terminal_misreads(told: ExplainedStep) -> None:
    text = str(told)
    assert "\x1b" not in text
    for said in ("✕ not within the bounds: y", "eps-outside-root", "The worst elements of y", "The other y differs"):
        assert said in text
