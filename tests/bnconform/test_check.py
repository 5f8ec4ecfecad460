"""A check from Python: what a program has defined is judged in its own process, and is told as it is."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer, GoodNumpy

import bnconform
from bn_conformance.adapter import Adapter, Array, Layer, LayerConfig
from bn_conformance.results.file import read_results
from bn_conformance.user_error import UserError

QUICK = ["fwd/nc/float32/*", "stat/nc/float32/*", "eval/nc/float32/*"]
ONE_CASE = "fwd/nc/float32/random"
NEWER = "fwd/nc/float32/eps-100"
"""A case that came after the set 2026.1."""


class HalfBeta(GoodLayer):
    """Adds half of beta."""

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, None if beta is None else beta / 2)


def adapter_of(layer: type[GoodLayer], name: str = "mine") -> type[Adapter]:
    """An adapter class that nothing can import."""

    class Mine(GoodNumpy):
        def build(self, config: LayerConfig) -> Layer:
            return layer(config)

    Mine.name = name
    return Mine


def raising(error: BaseException) -> type[GoodLayer]:
    class Raises(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise error

    return Raises


def test_what_is_newer_than_a_set_only_warns() -> None:
    mine = adapter_of(HalfBeta)
    assert bnconform.check(mine, cases=NEWER).failures
    held = bnconform.check(mine, cases=NEWER, set="2026.1")
    assert (held.failures, len(held.warnings)) == ((), 1)
    told = " ".join(str(held).split())
    assert "1 case is newer than the set 2026.1, newly judged, and fails nobody; 1 item warns" in told
    with pytest.raises(UserError, match=r"there is no set of cases '2026'; did you mean 2026\.1"):
        bnconform.check(mine, cases=NEWER, set="2026")


def test_a_right_adapter_conforms() -> None:
    verdict = bnconform.check(GoodNumpy, cases=QUICK)
    assert verdict.conforms
    assert verdict
    assert verdict.failures == verdict.warnings == verdict.known_faults == ()
    assert verdict.diagnosis == ""
    assert str(verdict).startswith("✓ good.numpy conforms")
    assert repr(verdict) == str(verdict)


def test_an_instance_is_used_as_it_is() -> None:
    class Counting(GoodNumpy):
        builds = 0

        def build(self, config: LayerConfig) -> Layer:
            self.builds += 1
            return super().build(config)

    adapter = Counting()
    assert bnconform.check(adapter, cases="fwd/nc/float32/*").conforms
    assert adapter.builds > 0


@pytest.fixture(scope="module")
def failing() -> bnconform.Verdict:
    """The verdict on a layer with a mistake."""
    return bnconform.check(adapter_of(HalfBeta), cases=ONE_CASE)


def test_a_mistake_fails_and_is_named_with_how_to_run_it_again(failing: bnconform.Verdict) -> None:
    assert not failing.conforms
    assert not failing
    first = failing.failures[0]
    assert first.outcome == "wrong"
    assert first.clause.startswith("FWD")
    assert first.reproduce == f"bnconform.check(Mine, cases={first.case!r})"
    assert first.reproduce in str(failing)
    assert first.reproduce in str(first)
    assert failing.diagnosis


def test_assert_conforms_says_what_fails() -> None:
    with pytest.raises(AssertionError, match=r"(?s)does not conform.*y is wrong.*run it again: bnconform\.check\(Mine"):
        bnconform.assert_conforms(adapter_of(HalfBeta), cases=ONE_CASE)
    assert bnconform.assert_conforms(GoodNumpy, cases="fwd/nc/float32/*").conforms


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("mine"), GeneratorExit(), ValueError("no")])
def test_whatever_a_layer_raises_is_an_error_of_its_case(error: BaseException) -> None:
    verdict = bnconform.check(adapter_of(raising(error)), cases=ONE_CASE)
    assert {failure.outcome for failure in verdict.failures} == {"errored"}
    assert type(error).__name__ in verdict.failures[0].message
    assert not verdict.conforms


def test_an_interruption_by_a_person_ends_the_check_whatever_the_layer_makes_of_it() -> None:
    class Swallows(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000):
                    pass
            except KeyboardInterrupt:
                pass
            return super().forward(x, training)

    with pytest.raises(KeyboardInterrupt):
        bnconform.check(adapter_of(Swallows), cases="fwd/nc/float32/*")


def test_a_check_beside_the_main_thread_works() -> None:
    verdicts: list[bnconform.Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(bnconform.check(GoodNumpy, cases="fwd/nc/float32/*")))
    thread.start()
    thread.join()
    assert verdicts[0].conforms


def test_the_process_is_afterwards_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BN_OF_THE_CALLER", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    class Unruly(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            np.random.seed(1)
            random.seed(1)
            np.seterr(all="raise")
            os.environ["BN_OF_THE_CALLER"] = "2"
            os.environ.pop("HOME", None)
            os.chdir("/")
            warnings.warn("a warning", UserWarning, stacklevel=1)
            return super().forward(x, training)

    class Mine(GoodNumpy):
        environment = {"BN_TEST_VARIABLE": "1"}  # noqa: RUF012 - declared in the contract

        def build(self, config: LayerConfig) -> Layer:
            assert os.environ["BN_TEST_VARIABLE"] == "1"
            return Unruly(config)

    np.random.seed(7)
    random.seed(7)
    expected = np.random.RandomState(7).rand(), random.Random(7).random()
    errors = np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bnconform.check(Mine, cases="fwd/nc/float32/*").conforms
    assert (np.random.rand(), random.random()) == expected
    assert np.geterr() == errors
    assert "BN_TEST_VARIABLE" not in os.environ
    assert (os.environ["BN_OF_THE_CALLER"], os.environ["HOME"]) == ("1", str(tmp_path))
    assert Path.cwd() == tmp_path


def test_the_error_state_of_the_caller_is_none_of_the_layers() -> None:
    with np.errstate(all="raise"):
        assert bnconform.check(GoodNumpy, cases=["num/nc/float32/*"]).conforms


def test_a_name_a_path_and_a_path_object_are_judged(tmp_path: Path) -> None:
    assert bnconform.check("textbook.numpy", cases="fwd/nc/float32/*").conforms
    file = tmp_path / "own_adapter.py"
    file.write_text(
        "from bn_adapters.textbook import TextbookNumpy\nclass Own(TextbookNumpy):\n    name = 'own'\n", "utf-8"
    )
    verdict = bnconform.check(file, cases="edge/nc-0x5/float32/empty-batch")
    assert verdict.name == "own"
    assert verdict.failures[0].reproduce == f"bnconform run -i '{file}' --case 'edge/nc-0x5/float32/empty-batch'"
    assert bnconform.check(f"{file}:Own", cases="fwd/nc/float32/*").conforms


def test_a_pair_of_functions_is_judged_in_this_process() -> None:
    verdict = bnconform.check((forward, backward), cases="fwd/nc/*", convention={"running_variance": "biased"})
    assert verdict.conforms, str(verdict)
    assert verdict.name == "test_check.forward"
    assert any("bn_param" in note for note in verdict.notes)


def forward(x: Array, gamma: Array, beta: Array, bn_param: dict[str, Any]) -> tuple[Array, Any]:
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean, var = bn_param.setdefault("running_mean", 0 * beta), bn_param.setdefault("running_var", 0 * beta)
    if bn_param["mode"] == "train":
        bn_param["running_mean"] = momentum * mean + (1 - momentum) * x.mean(0)
        bn_param["running_var"] = momentum * var + (1 - momentum) * x.var(0)
        mean, var = x.mean(0), x.var(0)
    xhat = (x - mean) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, gamma, np.sqrt(var + eps))


def backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    xhat, gamma, deviation = cache
    dbeta, dgamma = dout.sum(0), (dout * xhat).sum(0)
    return gamma / deviation * (dout - dbeta / len(dout) - xhat * dgamma / len(dout)), dgamma, dbeta


@pytest.mark.parametrize(
    ("thing", "keywords", "message"),
    [
        ("no.such-thing", {}, "names nothing that can be judged"),
        ("torch.nn*", {}, "pattern"),
        (3, {}, "nothing that can be judged"),
        ((forward,), {}, "pair of functions"),
        (GoodNumpy, {"as_": "torch-module"}, "adapter declares"),
        (GoodNumpy, {"convention": {"running_variance": "biased"}}, "adapter declares"),
        (GoodNumpy, {"level": "good"}, "tight, stable, degraded"),
        (GoodNumpy, {"profile": "mine"}, "default, standard"),
        (GoodNumpy, {"cases": "nothing/*"}, "no case matches"),
        (GoodNumpy, {"clauses": "NONE-1"}, "no clause"),
        (GoodNumpy, {"timeout": 3.0}, "isolated=True"),
        (GoodNumpy, {"device": "moon"}, "runs on cpu"),
        ((forward, backward), {"as_": "nothing-such"}, "there is no kind"),
        (lambda channels: None, {}, "gives None"),
        (adapter_of(GoodLayer), {"isolated": True}, "cannot be imported by another process"),
    ],
)
def test_what_cannot_be_judged_is_said_in_a_line(thing: Any, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(bnconform.UserError, match=message):
        bnconform.check(thing, **keywords)


@pytest.mark.slow
def test_isolated_layers_run_in_a_process_of_their_own() -> None:
    verdict = bnconform.check(GoodNumpy, cases="fwd/nc/float32/*", isolated=True, timeout=60)
    assert verdict.conforms
    assert verdict.name == GoodNumpy.name


def test_the_results_are_a_file_for_reports(tmp_path: Path, failing: bnconform.Verdict) -> None:
    failing.write(tmp_path / "mine.jsonl")
    results = read_results(tmp_path / "mine.jsonl")
    assert results.items == failing.results.items
    assert results.missing() == ()
    assert results.end is not None
    assert results.end.exit_code == 1


@pytest.mark.slow
def test_nothing_is_printed_off_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    bnconform.check(adapter_of(HalfBeta), cases=ONE_CASE)
    assert capfd.readouterr() == ("", "")


def test_the_program_keeps_no_module_of_the_check() -> None:
    bnconform.check((forward, backward), cases="fwd/nc/float32/*", convention=["running_variance=biased"])
    assert [name for name in sys.modules if name.startswith("bnconform_live")] == []
