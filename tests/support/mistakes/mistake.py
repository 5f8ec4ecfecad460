"""How a mistake is noted: a wrong layer, and what must catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.good_numpy import GoodLayer

from bn_conformance.adapter import Convention


@dataclass(frozen=True)
class Mistake:
    """A wrong layer, the clause that must be found broken, the convention that it declares, and whether by a sweep."""

    layer: type[GoodLayer]
    clause: str
    convention: Convention
    sweep: bool = False


MISTAKES: dict[str, Mistake] = {}


def caught_by(clause: str, **convention: object) -> Callable[[type[GoodLayer]], type[GoodLayer]]:
    def register(layer: type[GoodLayer]) -> type[GoodLayer]:
        MISTAKES[layer.__name__] = Mistake(layer, clause, Convention(**convention))  # type: ignore[arg-type]
        return layer

    return register


def caught_in_a_sweep_by(clause: str) -> Callable[[type[GoodLayer]], type[GoodLayer]]:
    def register(layer: type[GoodLayer]) -> type[GoodLayer]:
        MISTAKES[layer.__name__] = Mistake(layer, clause, Convention(), sweep=True)
        return layer

    return register
