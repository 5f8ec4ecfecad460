"""Advice of another convention: failing cases are judged under it, each beside the layer of the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.registry import described_once
from bn_conformance.judging import begun, item
from bn_conformance.probe import advice
from bn_conformance.probe.advice import Advisor
from bn_conformance.probe.measuring import Measured
from bn_conformance.results.records import Item

BIASED = """
import numpy as np

class Norm:
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.gamma, self.beta = np.ones(num_features, np.float32), np.zeros(num_features, np.float32)
        self.running_mean, self.running_var = np.zeros(num_features, np.float32), np.ones(num_features, np.float32)
        self.eps, self.momentum = eps, momentum

    def forward(self, x, training=True):
        mean, var = (x.mean(0), x.var(0)) if training else (self.running_mean, self.running_var)
        if training:
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
        return (x - mean) / np.sqrt(var + self.eps) * self.gamma + self.beta
"""
WRONG = [f"stat/nc/float32/{name}" for name in ("first-step", "momentum-0.25", "start-looked-at")]
RIGHT = ["eval/nc/float32/random", "fwd/nc/float32/random", "eval/nc/float32/initial-statistics"]


@contextmanager
def advisor(folder: Path) -> Iterator[Advisor]:
    """Of a layer whose running variance is biased, which is declared to be unbiased."""
    (file := folder / "norm.py").write_text(BIASED)
    with described_once(f"{file}:Norm", "cpu") as found:
        lying: Implementation = replace(found, convention=replace(found.convention, running_variance="unbiased"))
        yield Advisor(lying, "degraded", 60.0, Measured((), {}))


def items(verdict: str, *cases: str) -> list[Item]:
    return [Item(implementation="biased", case=case, outcome="", verdict=verdict) for case in cases]


def test_choices_that_explain_what_fails_are_advised(tmp_path: Path) -> None:
    with advisor(tmp_path) as found:
        advised = found.advise([*items("fail", *WRONG), *items("pass", *RIGHT)], {"running_variance": "biased"})
    assert advised is not None
    assert (advised.choices, advised.explained, advised.failing) == ({"running_variance": "biased"}, 3, 3)


def test_choices_under_which_what_passed_would_fail_are_not_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, real = list[str](), item.run_case

    def run_case(name: str, case: Case, *rest: Any) -> Item:
        judged.append(case.id)
        return real(name, case, *rest)

    monkeypatch.setattr(advice, "run_case", run_case)
    with advisor(tmp_path) as found:
        wrong = {"running_variance": "unbiased"}  # each of the three fails under it
        assert found.advise([*items("fail", *RIGHT), *items("pass", *WRONG)], wrong) is None
    assert judged == [*RIGHT, WRONG[0]], "the first that fails decides"


def test_the_next_case_is_begun_before_one_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, real = list[str](), begun.begin_case

    def begin_case(case: Case, *rest: Any) -> begun.Begun:
        started.append(case.id)
        return real(case, *rest)

    monkeypatch.setattr(advice, "begin_case", begin_case)
    with advisor(tmp_path) as found:
        assert found.advise(items("fail", *WRONG), {"running_variance": "biased"}) is not None
    assert started == WRONG[1:]
