"""Literals that an adapter does not declare are found by asking what it supports."""

from __future__ import annotations

import pytest
from tests.support.good_numpy import GoodNumpy

from bn_conformance.adapter import LayerConfig
from bn_conformance.implementations.registry import from_adapter
from bn_conformance.targets.literals import undeclared_literals


class Declining(GoodNumpy):
    """Declines what its subclasses say."""

    name = "declining"
    declined: tuple[str, ...] = ()

    def supports(self, config: LayerConfig) -> str | None:
        return next((f"{name} is a literal" for name in self.declined if getattr(config, name) is not None), None)


class Both(Declining):
    declined = ("eps", "momentum")


class OfRankThree(Both):
    def supports(self, config: LayerConfig) -> str | None:
        return super().supports(config) if config.rank == 3 else "x has three axes"


class Raising(Declining):
    def supports(self, config: LayerConfig) -> str | None:
        raise RuntimeError("not now")


class WithoutDefaults(Declining):
    def supports(self, config: LayerConfig) -> str | None:
        return "eps has no default" if config.eps is None else None


@pytest.mark.parametrize(
    ("adapter", "literals"),
    [
        (Declining, ()),
        (Both, ("eps", "momentum")),
        (OfRankThree, ("eps", "momentum")),
        (Raising, ()),
        (WithoutDefaults, ()),
        (GoodNumpy, ()),
    ],
)
def test_what_is_declined_but_for_the_own_value_is_a_literal(
    adapter: type[GoodNumpy], literals: tuple[str, ...]
) -> None:
    assert undeclared_literals(adapter) == literals


def test_they_count_as_declared_and_are_said() -> None:
    implementation = from_adapter(Both, "both")
    assert implementation.capabilities.literals == {"eps", "momentum"}
    assert implementation.notes == (
        "eps and momentum: supports() declines every value but its own, so cases run with its own; declare "
        "Capabilities(literals=frozenset({'eps', 'momentum'}))",
    )
