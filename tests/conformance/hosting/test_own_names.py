"""What a layer replaces in NumPy or Python is replaced for the layer, and not for its judge."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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


class Slanted(GoodLayer):
    """It replaces nothing itself, and is wrong."""

    def inverse(self, variance: Array) -> Array:
        return super().inverse(variance * 1.05)


def test_nor_can_the_module_of_a_layer_that_is_imported_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(GoodNumpy):
        name, layer = "later", Slanted

    monkeypatch.setattr(np, "abs", nothing)
    monkeypatch.setattr(np, "absolute", nothing)
    verdict = bnconform.check(Later, cases=CASES)
    assert [failure.case for failure in verdict.failures] == list(CASES)
    assert np.abs is nothing  # what the caller of the check has replaced stays


def test_nor_can_one_that_a_run_imports(tmp_path: Path) -> None:
    (tmp_path / "blinding.py").write_text(
        "import numpy as np\n"
        "from tests.conformance.hosting.test_own_names import GoodNumpy, Slanted, nothing\n"
        "np.abs = np.absolute = nothing\n"
        "class Wrong(GoodNumpy):\n"
        "    name, layer = 'wrong', Slanted\n"
    )
    options = ("-n", "0", "--in-process", *(f"--case={case}" for case in CASES))
    assert called(tmp_path, "check", "blinding.py:Wrong", *options).returncode == 1


def test_a_layer_that_puts_back_what_it_replaced_finds_it_put_back() -> None:
    class Passing(GoodLayer):
        """It counts calls of NumPy from its forward to its backward."""

        def forward(self, x: Array, training: bool) -> Array:
            found.append(np.ones_like)
            np.ones_like = lambda *given, **more: found[0](*given, **more)
            return super().forward(x, training)

        def backward(self, dy: Array) -> Any:
            np.ones_like = found[0]
            return super().backward(dy)

    class Right(GoodNumpy):
        name, layer = "right", Passing

    found: list[Any] = []
    assert bnconform.check(Right, cases=("grad/nc/float32/random", "grad/ncl/float32/random")).conforms
    assert len(found) > 1
    assert set(found) == {np.ones_like}


def test_a_layer_finds_again_what_it_replaced() -> None:
    class Right(GoodNumpy):
        name, layer = "right", Relying

    Relying.seen = []
    assert bnconform.check(Right, cases=CASES).conforms
    assert Relying.seen
    assert all(Relying.seen)
    assert (np.abs, np.mean, builtins.all) == OWN
