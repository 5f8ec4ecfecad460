"""Differences are explained, recipes are run, and what does not hold is said."""

from __future__ import annotations

import itertools
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from bn_conformance.adapter import Convention
from bn_conformance.commands.diff import command
from bn_conformance.diff import conversion, verification
from bn_conformance.diff.difference import Diff, diff_sides
from bn_conformance.diff.html import diff_html
from bn_conformance.diff.markdown import diff_markdown as markdown
from bn_conformance.diff.sides import Side, SideError, convention_side
from bn_conformance.diff.terminal import print_diff
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.mutant import ALL_CAPABILITIES, PlainAdapter
from bn_reference.arithmetic.quad import to_float64, to_quad
from bn_reference.deviations import catalogue

TEXTBOOK = Convention(
    running_variance="biased",
    initial_running_variance=0.0,
    momentum_weighs="old",
    default_momentum=0.9,
    default_eps=2e-2,
    eps_in_running_variance=True,
    eps_in_inference=False,
)
LAYERS_V1 = Convention(
    running_variance="biased",
    momentum_weighs="old",
    default_momentum=0.99,
    default_eps=1e-3,
    momentum_dtype="float32-new",
    eps_dtype="float32",
    statistics_move="explicit",
)
CONVENTIONS = {
    "torch": Convention(),
    "textbook": TEXTBOOK,
    "layers-v1": LAYERS_V1,
    "no-defaults": Convention(default_eps=None, default_momentum=None, statistics_move="backward"),
    "debiased": Convention(debiasing="zero-debias"),
}
PAIRS = list(itertools.combinations(CONVENTIONS, 2))


def side(name: str) -> Side:
    return Side(name, CONVENTIONS[name], ALL_CAPABILITIES)


def compared(a: Side, b: Side, deviation: str = "") -> Diff:
    entries = [catalogue()[deviation]] if deviation else []
    return diff_sides(
        a,
        b,
        lambda: LocalHost(PlainAdapter(convention=a.convention)),
        lambda: LocalHost(PlainAdapter(entries, convention=b.convention)),
    )


@pytest.fixture(scope="module")
def textbook_and_torch() -> Diff:
    return compared(side("textbook"), side("torch"))


def broken(diff: Diff) -> set[str]:
    """What of a conversion was run and does not hold."""
    return {check.what for direction in diff.directions for check in direction.verification.checks if not check.holds}


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_conversion_between_any_two_conventions_is_verified_both_ways(a: str, b: str) -> None:
    diff = compared(side(a), side(b))
    assert [direction.verification.failure for direction in diff.directions] == ["", ""]
    assert broken(diff) == set()
    assert diff.exit_code == 0
    assert diff.explained, max(diff.outputs, key=lambda entry: entry.ratio)


def test_the_largest_difference_is_what_the_conventions_predict(textbook_and_torch: Diff) -> None:
    finite = [output for output in textbook_and_torch.outputs if np.isfinite(output.difference)]
    assert finite[0].difference > 1.0
    assert [output for output in finite if abs(output.difference - output.predicted) > output.allowed] == []


def test_equal_conventions_have_no_difference_in_their_outputs() -> None:
    diff = compared(side("torch"), side("torch"))
    assert diff.choices == ()
    assert {output.difference for output in diff.outputs} == {0.0}


@pytest.mark.parametrize(("a", "b"), [*PAIRS, *(pair[::-1] for pair in PAIRS)])
def test_the_snippet_does_what_is_verified(a: str, b: str) -> None:
    source, target = side(a), side(b)
    names: dict[str, Any] = {}
    exec(conversion.snippet(source, target), names)
    variance = np.array([0.5, 2.0])
    given = names["convert"](1, 2, 3, variance)
    exact = conversion.converted_variance(to_quad(variance), source.convention, target.convention, source.eps)
    assert np.all(np.abs(given["running_var"] - to_float64(exact)) <= np.spacing(variance))
    assert (given["gamma"], given["beta"], given["running_mean"]) == (1, 2, 3)
    assert names["EPS"] == source.eps
    own = names["MOMENTUM"]
    assert f"{own if target.convention.momentum_weighs == 'new' else 1 - own:.4g}" == f"{source.weight:.4g}"


def test_the_step_of_eps_says_where_one_side_rounds_it_to_the_format_of_x() -> None:
    rounding = Side("rounding", Convention(eps_dtype="x"), ALL_CAPABILITIES)
    there, back = (
        {step.title: step.note for step in conversion.conversion_steps(*pair)}["eps"]
        for pair in ((side("torch"), rounding), (rounding, side("torch")))
    )
    assert "B rounds it to the format of x: 1.00136e-05 for float16" in there
    assert "A rounds it to the format of x: 1.00136e-05 for float16" in back


def test_steps_name_estimator_momentum_update_and_counter() -> None:
    back = {step.title: step.formula for step in conversion.conversion_steps(side("layers-v1"), side("torch"))}
    assert back["optional: the estimator of the running variance"] == "running_var_B = running_var_B * n / (n - 1)"
    assert back["momentum"] == "momentum_B = 1 - momentum_A = 0.01"
    forth = {step.title: step.formula for step in conversion.conversion_steps(side("torch"), side("layers-v1"))}
    assert "update" in forth["training on"]
    assert "debiasing" in {step.title for step in conversion.conversion_steps(side("torch"), side("debiased"))}


def test_a_conversion_that_leaves_eps_out_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "converted_variance", lambda variance, *_: variance)
    diff = compared(side("textbook"), side("torch"))
    assert "outputs after conversion" in broken(diff)
    assert diff.exit_code == 1
    assert "NOT verified" in diff.headline


@pytest.mark.parametrize("deviation", ["inference-eps-twice", "momentum-squared", "inference-mean-ignored"])
def test_a_side_that_does_not_do_what_it_declares_is_not_explained(deviation: str) -> None:
    diff = compared(side("layers-v1"), side("layers-v1"), deviation)
    assert not diff.explained
    assert diff.exit_code == 1
    assert "The conventions do not explain" in markdown(diff)


def test_a_side_that_raises_is_reported() -> None:
    class Raising(PlainAdapter):
        def build(self, config: Any) -> Any:
            raise RuntimeError("no such kernel")

    diff = diff_sides(side("torch"), side("torch"), lambda: LocalHost(PlainAdapter()), lambda: LocalHost(Raising()))
    assert diff.exit_code == 1
    assert all("no such kernel" in direction.verification.failure for direction in diff.directions)
    assert diff.failures


def test_every_format_shows_every_part(textbook_and_torch: Diff) -> None:
    out = StringIO()
    print_diff(textbook_and_torch, Console(file=out, width=60))
    for text in (markdown(textbook_and_torch), diff_html(textbook_and_torch), out.getvalue()):
        assert "running_var - EPS" in text
        assert "unexplained" in text
        assert "outputs after conversion" in text
        assert [output.case for output in textbook_and_torch.outputs if output.case not in text] == []
    data = json.loads(json.dumps(textbook_and_torch.to_json(), allow_nan=False))
    assert [entry["verification"]["verified"] for entry in data["directions"]] == [True, True]


def test_names_are_escaped() -> None:
    hostile = Side("<script>alert(1)</script>|`x`\n\x1b[31m", Convention(), ALL_CAPABILITIES)
    diff = compared(hostile, side("torch"))
    assert "<script" not in diff_html(diff) + markdown(diff).split("```")[0]
    assert "\x1b" not in diff_html(diff) + markdown(diff)
    compile(conversion.snippet(hostile, side("torch")), "snippet", "exec")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("running_variance=neither", "declarable are 'biased', 'unbiased'"),
        ("nothing=1", "there is no convention field 'nothing'"),
        ("running_variance=biased,old", "is no NAME=VALUE"),
        ("missing.json", "cannot be read"),
    ],
)
def test_a_convention_that_is_none_is_a_mistake_of_usage(text: str, message: str) -> None:
    with pytest.raises(SideError, match=message):
        convention_side(text)
    done = CliRunner().invoke(command, [text, "debiasing=none"])
    assert done.exit_code == 2
    assert message in done.stderr


def test_conventions_come_from_text_and_from_files(tmp_path: Path) -> None:
    given = convention_side("running_variance=biased,eps_in_running_variance=true,default_momentum=1,debiasing=none")
    wanted = Convention(running_variance="biased", eps_in_running_variance=True, default_momentum=1.0)
    assert given.convention == wanted
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(wanted.to_json()), encoding="utf-8")
    assert convention_side(str(file)).convention == wanted


def test_the_command_writes_a_file_and_says_whether_it_is_verified(tmp_path: Path) -> None:
    file = tmp_path / "diff.md"
    arguments = ["running_variance=biased", "momentum_weighs=old", "--format", "markdown", "-o", str(file)]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert "verified in both directions" in file.read_text(encoding="utf-8")
