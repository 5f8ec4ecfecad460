"""What a layer replaces in NumPy or Python is replaced for the layer, and not for its judge."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.support.command_line import called
from tests.support.good_numpy import GoodLayer, GoodNumpy

import bnconform
from bn_conformance.adapter import Array

CASES = ("fwd/nc/float32/random", "grad/nc/float32/random")
OWN = np.abs, np.mean, builtins.all


def nothing(values: NDArray[Any], *_: object) -> Any:
    return values * 0


class Blinding(GoodLayer):
    """It blinds a judge that shares its NumPy, and is wrong."""

    def forward(self, x: Array, training: bool) -> Array:
        np.abs = np.absolute = nothing  # type: ignore[assignment]
        builtins.all = lambda _: True
        return super().forward(x, training)

    def inverse(self, variance: Array) -> Array:
        return super().inverse(variance * 1.05)


class Relying(GoodLayer):
    """It is right as long as what it replaced is there in its next call."""

    seen: list[bool]

    def forward(self, x: Array, training: bool) -> Array:
        np.abs = np.absolute = nothing  # type: ignore[assignment]
        return super().forward(x, training)

    def backward(self, dy: Array) -> Any:
        Relying.seen.append(np.abs is nothing)
        return super().backward(dy)


class Wrong(GoodNumpy):
    name, layer = "wrong", Blinding


def test_a_layer_cannot_blind_its_judge() -> None:
    verdict = bnconform.check(Wrong, cases=CASES)
    assert [failure.case for failure in verdict.failures] == list(CASES)
    assert (np.abs, np.mean, builtins.all) == OWN


def test_nor_in_the_process_of_a_run(tmp_path: Path) -> None:
    options = ("-n", "0", "--in-process", *(f"--case={case}" for case in CASES))
    done = called(tmp_path, "check", f"{__name__}:Wrong", *options)
    assert done.stdout.rstrip().splitlines()[-1] != "✓ wrong conforms"
    assert done.returncode == 1
    assert (np.abs, np.mean, builtins.all) == OWN


def test_a_layer_finds_again_what_it_replaced() -> None:
    class Right(GoodNumpy):
        name, layer = "right", Relying

    Relying.seen = []
    assert bnconform.check(Right, cases=CASES).conforms
    assert Relying.seen
    assert all(Relying.seen)
    assert (np.abs, np.mean, builtins.all) == OWN
