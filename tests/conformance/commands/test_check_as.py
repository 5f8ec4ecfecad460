"""`bnconform check --as KIND`: code without an adapter, what is advised, and one line for a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import assert_usage, bnconform, called

from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.registry import find, from_target
from bn_conformance.probe.advice import Advisor
from bn_conformance.probe.measuring import Measured
from bn_conformance.results.file import read_results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item
from bn_conformance.targets.naming import TargetError, is_target, wrapper_and_code
from bn_conformance.targets.wrappers import wrapped_target

FUNCTIONS = """
import numpy as np

def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running_mean = bn_param.get("running_mean", np.zeros(x.shape[1], x.dtype))
    running_var = bn_param.get("running_var", np.zeros(x.shape[1], x.dtype))
    cache = None
    if len(x) == 0:
        raise ValueError("an empty batch")
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=0), x.var(axis=0)
        deviation = np.sqrt(var + eps)
        xhat = (x - mean) / deviation
        cache = gamma, xhat, deviation
        running_mean = WEIGHTS[0] * running_mean + WEIGHTS[1] * mean
        running_var = WEIGHTS[0] * running_var + WEIGHTS[1] * var * CORRECTION
    else:
        xhat = (x - running_mean) / np.sqrt(running_var + eps)
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return gamma * xhat + beta, cache

def batchnorm_backward(dout, cache):
    gamma, xhat, deviation = cache
    dxhat = dout * gamma
    dx = (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / deviation
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)

def alone(dout, cache):
    return dout

def empty(dout, cache):
    return None

not_callable = 3
"""
CASES = ("--case", "stat/nc/float32/*", "--case", "fwd/nc/float32/*", "--case", "eval/nc/float32/*")


def functions(weights: str = "(momentum, 1 - momentum)", correction: str = "1") -> str:
    return FUNCTIONS.replace("WEIGHTS", weights).replace("CORRECTION", correction)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.py").write_text(functions())
    two = functions("(1 - momentum, momentum)", "x.shape[0] / (x.shape[0] - 1)")
    (tmp_path / "two.py").write_text(two)
    wrong = functions().replace("xhat = (x - mean) / deviation", "xhat = (x - mean) / deviation / 1.01")
    (tmp_path / "wrong.py").write_text(wrong)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("torch-module=a.py:B", ("torch-module", "a.py:B")),
        ("keras-layer[jax]=a.py:B", ("keras-layer[jax]", "a.py:B")),
        ("numpy-functions=a.py:f+g+running_variance=biased", ("numpy-functions", "a.py:f+g+running_variance=biased")),
        ("debiasing=none", None),
        ("running_variance=biased", None),
        ("torch.nn[channels_last]", None),
        ("a=b/layers.py:C", None),
    ],
)
def test_a_kind_is_recognised_and_nothing_else_is(text: str, kind: tuple[str, str] | None) -> None:
    assert wrapper_and_code(text) == kind
    assert is_target(text) == (kind is not None or text.endswith("layers.py:C"))


def test_changes_become_part_of_the_target_and_of_the_convention(folder: Path) -> None:
    target = wrapped_target("numpy-functions", "right.py", ["running_variance=unbiased", "default_eps=1e-3"])
    assert target == "numpy-functions=right.py+running_variance=unbiased+default_eps=1e-3"
    (found,) = find([target])
    assert (found.convention.running_variance, found.convention.default_eps) == ("unbiased", 1e-3)
    assert found.convention.momentum_weighs == "old"
    assert found.address == target
    assert Implementation.from_json(found.to_json()).notes == found.notes


@pytest.mark.slow
def test_right_functions_conform(folder: Path) -> None:
    done = bnconform(folder, "check", "--as", "numpy-functions", "right.py", "-n", "0", "--results", "o.jsonl", *CASES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("right.batchnorm_forward:\n  batchnorm_forward(x, gamma, beta, bn_param)")
    assert "matches" not in done.stdout
    items = read_results(folder / "o.jsonl").items
    assert sum(item.verdict == ItemVerdict.PASS.value for item in items) > 20
    assert any(item.reproduce.startswith("bnconform run -i 'numpy-functions=right.py' --case") for item in items)


@pytest.mark.slow
def test_a_difference_is_advised_and_declaring_it_conforms(folder: Path) -> None:
    """What momentum weighs is measured by the wrapper, and needs no declaration."""
    check = ("check", "--as", "numpy-functions", "two.py", "-n", "0", "--results", "o.jsonl", *CASES)
    done = bnconform(folder, *check)
    option = ("--convention", "running_variance=unbiased")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "two.batchnorm_forward matches running_variance=unbiased; declare it" in done.stdout
    assert f"with {' '.join(option)} if that is meant" in done.stdout
    declared = bnconform(folder, *check, *option)
    assert declared.returncode == 0, declared.stdout + declared.stderr


def failing(case: str) -> Item:
    return Item(implementation="wrong", case=case, outcome="wrong", verdict=ItemVerdict.FAIL.value)


@pytest.mark.slow
def test_a_fault_is_nothing_that_could_be_declared(folder: Path) -> None:
    advisor = Advisor(from_target("numpy-functions=wrong.py"), "degraded", 60.0)
    assert advisor.advise([failing("fwd/nc/float32/random")]) is None


def test_advice_holds_only_choices_that_make_the_failing_case_pass(folder: Path) -> None:
    advisor = Advisor(from_target("numpy-functions=two.py"), "degraded", 60.0)
    first, fresh = "stat/nc/float32/first-step", "fwd/nc/float32/random"
    advice = advisor.advise([failing(first), Item(implementation="two", case=fresh, outcome="tight", verdict="pass")])
    assert advice is not None
    assert set(advice.choices) <= {"running_variance", "momentum_weighs"}
    assert advice.explained == advice.failing == 1


def test_a_choice_that_a_diagnosis_names_is_tried_though_nothing_measured_it(folder: Path) -> None:
    implementation = from_target("numpy-functions=two.py")
    advisor = Advisor(implementation, "degraded", 60.0, Measured((), {}))
    items = [failing("stat/nc/float32/first-step")]
    assert advisor.advise(items) is None
    advice = advisor.advise(items, {"running_variance": "unbiased"})
    assert advice is not None
    assert advice.spelled == ["running_variance=unbiased"]


def test_without_failures_there_is_no_advice(folder: Path) -> None:
    assert Advisor(from_target("numpy-functions=two.py"), "degraded", 60.0).advise([]) is None


MISTAKES = {
    ("--as", "torch-modul", "right.py"): "there is no kind 'torch-modul'; did you mean torch-module",
    ("--as", "numpy-functions", "none.py"): "none.py does not exist",
    ("--as", "numpy-functions", "right.py:nothing+alone"): "right.py has no function nothing",
    ("--as", "numpy-functions", "right.py:batchnorm_forward+empty"): "empty gives no dx of the shape of x",
    ("--as", "numpy-functions", "right.py:a+b+c"): "names 3 functions; write right.py:FORWARD or right.py:",
    ("--as", "numpy-functions", "right.py:batchnorm_forward+nothing"): "right.py has no function nothing",
    ("--as", "numpy-functions", "right.py:not_callable+alone"): "not_callable in right.py is a int",
    ("--as", "numpy-functions", "numpy-functions=right.py"): "names its kind already; leave out --as",
    ("numpy-functions=",): "names no code",
    ("--as", "numpy-functions", "right.py", "--convention", "running_variance=median"): "declarable are biased,",
    ("--as", "numpy-functions", "right.py", "--convention", "default_eps=7"): "default_eps is 7.0; declarable are",
    ("--as", "numpy-functions", "right.py", "--convention", "colour=red"): "a convention has no field 'colour'; it has",
    ("--as", "numpy-functions", "right.py", "--convention", "biased"): "'biased' is no choice of a convention",
    ("--as", "numpy-functions", "right.py", "--convention", "eps_in_inference=no"): "declarable only with eps_in",
}  # fmt: skip


@pytest.mark.parametrize("arguments", MISTAKES, ids=lambda one: " ".join(one).replace("/", "_")[-50:])
def test_a_mistake_gives_2_and_a_line(folder: Path, arguments: tuple[str, ...]) -> None:
    done = called(folder, "check", *arguments)
    assert_usage(done, MISTAKES[arguments])


def test_spelling_refuses_what_is_spelled_already() -> None:
    with pytest.raises(TargetError, match="names its kind already"):
        wrapped_target("torch-module", "torch-module=a.py:B")


@pytest.mark.slow
def test_probe_and_diff_take_code_too(folder: Path) -> None:
    probed = bnconform(folder, "probe", "--as", "numpy-functions", "right.py")
    assert probed.returncode == 0, probed.stdout + probed.stderr
    compared = bnconform(folder, "diff", "numpy-functions=right.py", "textbook.numpy")
    assert compared.returncode in (0, 1), compared.stdout + compared.stderr
    assert "eps in running variance" in compared.stdout
