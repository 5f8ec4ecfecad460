"""Which kind goes before another where several take a thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bn_conformance.adapter import Adapter
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.recognition import kind_of, kinds_of
from bn_conformance.targets.wrappers import Wrapper


def wrapper(recognises: Callable[[object], bool], general: bool = False) -> Wrapper:
    return Wrapper(
        expects="code", adapter=lambda code: Adapter, requires=(), install="", recognises=recognises, general=general
    )


class Thing:
    pass


@pytest.fixture
def wrappers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Wrapper]:
    made: dict[str, Wrapper] = {"any-class": wrapper(lambda thing: True, general=True)}
    monkeypatch.setattr("bn_conformance.targets.recognition.usable_wrappers", lambda: made)
    return made


def test_a_general_kind_takes_what_no_other_does(wrappers: dict[str, Wrapper]) -> None:
    wrappers["own"] = wrapper(lambda thing: False)
    assert kinds_of(Thing) == ("any-class",)


def test_any_other_kind_goes_before_a_general_one(wrappers: dict[str, Wrapper]) -> None:
    wrappers["own"] = wrapper(lambda thing: thing is Thing)
    assert kind_of(Thing, "code.py:Thing") == "own"


def test_two_kinds_that_are_not_general_are_both_named(wrappers: dict[str, Wrapper]) -> None:
    wrappers["own"] = wrappers["other"] = wrapper(lambda thing: True)
    with pytest.raises(TargetError, match="can be read as own and as other; say which"):
        kind_of(Thing, "code.py:Thing")


def test_a_wrapper_that_raises_takes_nothing(wrappers: dict[str, Wrapper]) -> None:
    def broken(thing: object) -> bool:
        raise RuntimeError

    wrappers["broken"] = wrapper(broken)
    assert kinds_of(Thing) == ("any-class",)


def test_an_unknown_name_gets_one_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class MyNorm:\n    pass\n", encoding="utf-8")
    with pytest.raises(TargetError, match=r"has no MyNrom; did you mean MyNorm\?"):
        load_adapter(f"{file}:MyNrom")
