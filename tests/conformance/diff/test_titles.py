"""Two sides whose adapters have one name are told apart by their files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.good_numpy import GoodNumpy

from bn_conformance.diff.sides import Side, told_apart
from bn_conformance.implementations.registry import from_adapter

IMPLEMENTATION = from_adapter(GoodNumpy, "mine.py:Mine")


def side(target: str, name: str = "mine") -> Side:
    implementation = replace(IMPLEMENTATION, target=target, name=name)
    return Side(name, implementation.convention, implementation.capabilities, implementation)


@pytest.mark.parametrize(
    ("first", "second", "titles"),
    [
        ("/models/a/layers.py:Mine", "/models/b/layers.py:Mine", ("mine (a/layers.py)", "mine (b/layers.py)")),
        ("old.py:Mine", "new.py:Mine", ("mine (old.py)", "mine (new.py)")),
        ("layers.py:Old", "layers.py:New", ("mine (Old)", "mine (New)")),
        ("torch-module=old.py:Mine+eps_in_inference=False", "new.py:Mine", ("mine (old.py)", "mine (new.py)")),
        ("layers.py:Mine", "layers.py:Mine", ("mine", "mine")),
    ],
)
def test_equal_names_have_the_file_behind_them(first: str, second: str, titles: tuple[str, str]) -> None:
    assert tuple(one.name for one in told_apart(side(first), side(second))) == titles


def test_different_names_stay_as_they_are() -> None:
    assert [one.name for one in told_apart(side("a.py:X", "x"), side("b.py:Y", "y"))] == ["x", "y"]
