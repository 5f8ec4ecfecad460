"""Cases of an implementation whose eps or momentum is a literal in its code.

`Capabilities.literals` declares that. A case then runs with the own value, unless its data or its question need
another: a value that is neither the suite's usual one nor that of a place (`Case.any_value`), results that are exact
for one value alone, or a law that sets two.
"""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from typing import Any

from bn_conformance.adapter import CUMULATIVE, Capabilities, Convention, LayerConfig
from bn_conformance.cases.model import Case

_USUAL = LayerConfig(num_channels=1)
"""The configuration with the values that the suite uses where a case asks for none."""

_LAW_OF_EPS = "scale"
"""The law that compares layers of two values of eps."""


def with_own_values(case: Case, can: Capabilities, convention: Convention) -> Case:
    """The case with the implementation's own eps and momentum, where these are literals and no other value is needed.

    Args:
        case: the case.
        can: the declared capabilities.
        convention: the declared convention, which says the own values.
    """
    own: dict[str, Any] = {name: None for name in can.literals if not _needs(case, name, convention)}
    return replace(case, config=replace(case.config, **own)) if own else case


def needed_names(case: Case) -> tuple[str, ...]:
    """Those of eps and momentum whose values a case sets; a cumulative average is no value."""
    values = {"eps": case.config.eps, "momentum": case.config.momentum}
    return tuple(name for name, value in values.items() if isinstance(value, int | float))


def own_value(name: str, convention: Convention) -> str:
    """The implementation's own eps or momentum as its code has it; `a literal` where it is not declared."""
    value: float | None = getattr(convention, f"default_{name}")
    return "a literal" if value is None else f"the literal {value:g}"


def _needs(case: Case, name: str, convention: Convention) -> bool:
    """Whether a case needs the value that it sets."""
    value = getattr(case.config, name)
    if value is None or value == CUMULATIVE:
        return True
    if name in (case.any_value or ()):
        return False
    own = _own(name, convention)
    if own is not None and isclose(value, own):  # 1 - 0.9 is not quite 0.1
        return False
    asked = name in case.axes or case.exact or (name == "eps" and _LAW_OF_EPS in case.laws)
    return asked or value != getattr(_USUAL, name)


def _own(name: str, convention: Convention) -> float | None:
    """The implementation's own value, as a configuration would set it: momentum is the weight of the new."""
    value: float | None = getattr(convention, f"default_{name}")
    if value is None or name == "eps" or convention.momentum_weighs == "new":
        return value
    return 1.0 - value
