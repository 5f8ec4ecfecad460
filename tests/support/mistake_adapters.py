"""The layers of `mistakes/` as adapters, which a worker process loads by `module:Class`."""

from __future__ import annotations

from tests.support.good_numpy import GoodNumpy
from tests.support.mistakes.mistake import MISTAKES

from bn_conformance.adapter import Adapter


def __getattr__(name: str) -> type[Adapter]:
    if name not in MISTAKES:
        raise AttributeError(name)
    return type(name, (GoodNumpy,), {"layer": MISTAKES[name].layer, "name": name})
