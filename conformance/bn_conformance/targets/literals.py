"""Literals that an adapter has and does not declare: it declines every eps or momentum but its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from bn_conformance.adapter import Adapter, LayerConfig

USUAL = LayerConfig(num_channels=3)
"""Has the eps and momentum that most cases ask for."""


def undeclared_literals(adapter: type[Adapter]) -> tuple[str, ...]:
    """Those of eps and momentum that an adapter takes only as its own, and does not declare as literals.

    `Adapter.supports` is asked for a layer with its own values and for the same layer with another one. An adapter that
    declines a configuration for another reason is asked for another rank or format.
    """
    if adapter.supports is Adapter.supports:
        return ()
    with suppress(Exception):  # a supports() that raises is reported when a case asks it
        own = adapter()
        plain = next((config for config in _configurations(adapter) if own.supports(config) is None), None)
        if plain is not None:
            others = {"eps": replace(plain, eps=USUAL.eps), "momentum": replace(plain, momentum=USUAL.momentum)}
            found = tuple(name for name, config in others.items() if own.supports(config) is not None)
            return tuple(name for name in found if name not in adapter.capabilities.literals)
    return ()


def literals_note(names: tuple[str, ...]) -> str:
    """What is said of them."""
    return (
        f"{' and '.join(names)}: supports() declines every value but its own, so cases run with its own; declare "
        f"Capabilities(literals=frozenset({{{', '.join(map(repr, names))}}}))"
    )


def _configurations(adapter: type[Adapter]) -> Iterator[LayerConfig]:
    """Configurations with the adapter's own eps and momentum, of each declared rank and format."""
    can = adapter.capabilities
    both = "both" in can.affine
    for rank in sorted(can.ranks):
        for dtype in sorted(can.dtypes):
            config = LayerConfig(num_channels=3, rank=rank, gamma=both, beta=both, dtype=dtype, parameter_dtype=dtype)
            yield replace(config, eps=None, momentum=None)
