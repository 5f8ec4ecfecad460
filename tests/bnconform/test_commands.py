"""What the commands do, from Python: probe, diff, fuzz, compare, publish, repro and vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer, GoodNumpy
from tests.support.html_page import Page

import bnconform
from bn_conformance.adapter import Array, Convention
from bn_conformance.vectors.files import core_folder

ONE_CASE = "fwd/nc/float32/random"


class HalfBeta(GoodLayer):
    """Adds half of beta."""

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, None if beta is None else beta / 2)


class HalfBetaNumpy(GoodNumpy):
    """Makes layers that add half of beta."""

    name = "half.beta"

    def build(self, config: Any) -> Any:
        return HalfBeta(config)


class OtherwiseDeclared(GoodNumpy):
    """Declares the estimator that it has not."""

    name = "otherwise"
    convention = Convention(
        running_variance="unbiased" if GoodNumpy.convention.running_variance == "biased" else "biased"
    )


def shown(result: Any) -> str:
    """The text of a result, which a notebook shows escaped."""
    text = str(result)
    assert repr(result) == text
    assert "\x1b" not in text
    Page(result._repr_html_())
    return text


def test_a_probe_measures_what_is_declared() -> None:
    probed = bnconform.probe(GoodNumpy)
    assert probed.agrees
    assert probed.name == "good.numpy"
    assert probed.values["running_variance"] == GoodNumpy.convention.running_variance
    assert probed.convention.running_variance == GoodNumpy.convention.running_variance
    assert "running_variance" in shown(probed)
    assert json.loads(json.dumps(probed.to_json()))["exit_code"] == 0


def test_a_probe_contradicts_a_wrong_declaration() -> None:
    probed = bnconform.probe(OtherwiseDeclared)
    assert not probed.agrees
    assert [finding.property for finding in probed.of("contradicts")] == ["running_variance"]


def test_a_pair_of_functions_is_probed_under_a_convention() -> None:
    from tests.support.document_stage import LAYERS

    names: dict[str, Any] = {}
    exec(LAYERS, names)
    pair = names["batchnorm_forward"], names["batchnorm_backward"]
    assert "eps_in_running_variance" in shown(bnconform.probe(pair, as_="numpy-functions"))


def test_a_diff_tells_two_objects_or_a_convention_apart() -> None:
    other = {"running_variance": "biased" if GoodNumpy.convention.running_variance == "unbiased" else "unbiased"}
    difference = bnconform.diff(other, GoodNumpy)
    assert difference.verified
    assert "running_variance" in difference.choices
    assert difference.headline in shown(difference)
    Page(difference.html())
    assert difference.to_json()["verified"]
    with pytest.raises(bnconform.UserError, match="no convention field 'running_varience'"):
        bnconform.diff({"running_varience": "biased"}, GoodNumpy)


def test_fuzz_finds_a_mistake_and_makes_it_small(tmp_path: Path) -> None:
    out = tmp_path / "found" / "mine.json"
    found = bnconform.fuzz(HalfBetaNumpy, configs=40, seconds=60, out=out)
    assert not found
    assert found.case is not None
    assert found.item is not None
    assert found.regression == str(out)
    assert "Layer" in shown(found)
    assert bnconform.check(HalfBetaNumpy, cases=found.case.id, regressions=out).failures
    assert bnconform.check(GoodNumpy, cases=found.case.id, regressions=out).failures == ()


def test_fuzz_finds_nothing_in_a_right_layer() -> None:
    found = bnconform.fuzz(GoodNumpy, configs=10, seconds=60, seed=3)
    assert found
    assert (found.configurations, found.case) == (10, None)
    assert "none fails" in shown(found)
    with pytest.raises(bnconform.UserError, match="there is no clause 'NOPE'"):
        bnconform.fuzz(GoodNumpy, without="NOPE")
    with pytest.raises(bnconform.UserError, match="seconds is 0"):
        bnconform.fuzz(GoodNumpy, seconds=0)


def test_verdicts_are_compared_and_published(tmp_path: Path) -> None:
    good = bnconform.check(GoodNumpy, cases=ONE_CASE)
    bad = bnconform.check(HalfBetaNumpy, cases=ONE_CASE)
    assert bnconform.compare(good, good)
    good.write(tmp_path / "good.jsonl")
    compared = bnconform.compare(tmp_path / "good.jsonl", bad)
    assert compared.regressed
    assert not compared
    assert "good.numpy" in shown(compared)
    Page(compared.html())
    assert json.dumps(compared.to_json())
    (path,) = bnconform.publish(good, tmp_path / "published")
    assert "good.numpy" in path.read_text(encoding="utf-8")
    with pytest.raises(bnconform.UserError, match=r"nowhere\.jsonl"):
        bnconform.compare(tmp_path / "nowhere.jsonl", bad)


@pytest.mark.slow
def test_a_script_shows_a_fault_alone() -> None:
    text = bnconform.repro("textbook.numpy::edge/nc-0x5/float32/empty-batch")
    assert "import bnconform" not in text
    compile(text, "repro.py", "exec")
    with pytest.raises(bnconform.UserError, match="nothing to show"):
        bnconform.repro(f"textbook.numpy::{ONE_CASE}")
    with pytest.raises(bnconform.UserError, match="write IMPLEMENTATION::CASE"):
        bnconform.repro("textbook.numpy")


def test_results_made_elsewhere_are_judged(tmp_path: Path) -> None:
    told = json.loads((core_folder() / "fwd.nc.float32.random.json").read_text(encoding="utf-8"))
    for scale, code in ((1.0, 0), (1.5, 1)):
        lines = [
            json.dumps(
                {
                    "case": told["case"],
                    "step": number,
                    "quantity": quantity,
                    "values": list(scale * np.array([float.fromhex(value) for value in golden["values"]])),
                }
            )
            for number, step in enumerate(told["steps"])
            for quantity, golden in step.get("expected", {}).items()
        ]
        path = tmp_path / "answers.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        judged = bnconform.check_vectors(path)
        assert judged.exit_code == code
        assert bool(judged) is (code == 0)
        assert ("conforms" if code == 0 else "does not conform") in shown(judged)


@pytest.mark.framework
@pytest.mark.slow
def test_a_class_of_torch_is_measured_here_or_in_a_process_of_its_own() -> None:
    import torch

    here = bnconform.probe(torch.nn.BatchNorm2d)
    apart = bnconform.probe(torch.nn.BatchNorm2d, isolated=True)
    assert [one.to_json() for one in here.findings] == [one.to_json() for one in apart.findings]
    with pytest.raises(bnconform.UserError, match="cannot be imported by another process"):
        bnconform.probe(type("Here", (torch.nn.BatchNorm2d,), {}), isolated=True)


@pytest.mark.framework
def test_a_function_is_judged_as_the_forward_that_it_is() -> None:
    import torch

    assert bnconform.check(torch.nn.functional.batch_norm, cases=ONE_CASE).failures == ()
    made = bnconform.check(lambda channels: torch.nn.BatchNorm2d(channels), cases="fwd/nchw/float32/random")
    assert made.failures == ()


def test_vectors_are_exported_as_the_command_exports_them(tmp_path: Path) -> None:
    paths = bnconform.export_vectors(tmp_path / "mine", cases=ONE_CASE, convention={"running_variance": "biased"})
    assert [path.name for path in paths] == ["fwd.nc.float32.random@torch+running_variance=biased.json"]
    assert json.loads(paths[0].read_text())["case"] == ONE_CASE


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"core": True, "cases": "num/*"}, "core=True is a set of its own"),
        ({"implementation": "torch.nn", "convention": "biased"}, "contradict each other"),
        ({"cases": "no/such/*"}, "no/such"),
    ],
)
def test_a_mistake_in_an_export_is_said(tmp_path: Path, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(bnconform.UserError, match=message):
        bnconform.export_vectors(tmp_path, **keywords)


def test_any_command_runs_from_python() -> None:
    listed = bnconform.command_line("show", ONE_CASE)
    assert listed
    assert ONE_CASE in shown(listed)


@pytest.mark.parametrize(("case", "whole"), [(ONE_CASE, False), ("sync/nc/float32/unequal", True)])
def test_goldens_of_shards_are_said_to_be_of_the_whole_batch(case: str, whole: bool) -> None:
    (line,) = (line for line in shown(bnconform.command_line("show", case)).splitlines() if line.startswith("Goldens"))
    assert line.endswith("of the whole batch") is whole


def test_a_mistake_in_a_command_is_its_exit_code() -> None:
    mistaken = bnconform.command_line("show", "no/such/case")
    assert not mistaken
    assert mistaken.exit_code == 2
    assert "no/such/case" in mistaken.errors
