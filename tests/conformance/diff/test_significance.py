"""Does a difference matter? The comparison answers in its first lines, whatever the format."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from bn_conformance.adapter import Convention
from bn_conformance.diff.difference import Diff, diff_sides
from bn_conformance.diff.html import diff_html
from bn_conformance.diff.markdown import diff_markdown
from bn_conformance.diff.sides import Side
from bn_conformance.diff.tables import significance
from bn_conformance.diff.terminal import print_diff
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.mutant import ALL_CAPABILITIES, PlainAdapter


def compared(a: Convention, b: Convention, measured: str = "") -> Diff:
    own = Side("own", b, ALL_CAPABILITIES, measured=(measured,) if measured else ())
    return diff_sides(
        Side("theirs", a, ALL_CAPABILITIES),
        own,
        lambda: LocalHost(PlainAdapter(convention=a)),
        lambda: LocalHost(PlainAdapter(convention=b)),
    )


@pytest.fixture(scope="module")
def biased() -> Diff:
    return compared(Convention(), Convention(running_variance="biased"), "running_variance: biased; declared: unbiased")


def test_equal_conventions_do_not_matter() -> None:
    told = significance(compared(Convention(), Convention()))
    assert told == "Does it matter? No: with the defaults of each, outputs differ by no more than rounding may cause."


def test_a_difference_is_given_beside_the_spread_of_outputs(biased: Diff) -> None:
    told = significance(biased)
    assert "outputs differ by 9.08 % of their standard deviation at most (inference, state/nc/" in told
    assert told.endswith("With the conversion below inference is the same within rounding.")


def test_a_default_that_differs_matters_where_its_conversion_holds() -> None:
    told = significance(compared(Convention(), Convention(default_eps=0.1)))
    assert "No" not in told
    assert "With the conversion below" in told


def test_a_difference_beyond_the_spread_of_outputs_is_told_in_times() -> None:
    told = significance(compared(Convention(), Convention(initial_running_variance=0.0)))
    assert re.search(r"outputs differ by \d+ times their standard deviation at most \(inference, ", told), told


def test_every_format_says_it_and_what_was_measured(biased: Diff) -> None:
    text = StringIO()
    print_diff(biased, Console(file=text, width=300))
    for page in (text.getvalue(), diff_markdown(biased), diff_html(biased)):
        assert "Does it matter?" in page
        assert "running" in page.split("declared: unbiased")[0]
        assert page.index("Does it matter?") < page.index("declared: unbiased")
    assert biased.to_json()["measured"] == ["own: running_variance: biased; declared: unbiased"]
