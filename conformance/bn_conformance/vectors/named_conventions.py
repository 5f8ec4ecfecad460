"""Conventions by name, as files of vectors and of results call them.

A name is a base, followed by changes: `torch+running_variance=biased+momentum_weighs=old`. The base is a name of
`NAMED`, or a registered implementation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError
from bn_reference.specification.convention import Convention

DEFAULT = "torch"
"""The convention of `torch.nn`, which is the default of `Convention`."""

NAMED = {
    DEFAULT: Convention(),
    "biased": Convention(running_variance="biased"),
    "momentum-old": Convention(momentum_weighs="old", default_momentum=0.99),
    "textbook": Convention(
        running_variance="biased",
        initial_running_variance=0.0,
        momentum_weighs="old",
        default_momentum=0.9,
        default_eps=1e-5,
        eps_in_running_variance=True,
        eps_in_inference=False,
    ),
}
"""Conventions with names of their own; the others differ from torch's in how the running statistics move."""


class UnknownConvention(UserError):
    """There is no convention of this name, or no such change; the message says what there is."""


def convention_named(name: str) -> Convention:
    """Look up a convention by its name.

    Raises:
        UnknownConvention: the base is neither in `NAMED` nor an implementation, or a change cannot be declared.
    """
    base, *changes = name.split("+")
    return _changed(NAMED[base] if base in NAMED else _declared(base), changes)


def convention_name(base: str, settings: Iterable[str]) -> str:
    """Make the name of a convention from a base and settings; a setting is `NAME=VALUE`, or a base.

    Raises:
        UnknownConvention: two bases are given, or there is no such convention.
    """
    chosen = list(settings)
    bases = [setting for setting in chosen if "=" not in setting]
    if len(bases) + bool(base) > 1:
        raise UnknownConvention(f"{' and '.join(filter(None, [base, *bases]))} contradict each other; give one")
    name = "+".join([base or (bases[0] if bases else DEFAULT), *(entry for entry in chosen if "=" in entry)])
    convention_named(name)
    return name


def _declared(name: str) -> Convention:
    """The convention that a registered implementation declares; no framework is imported for it."""
    from bn_conformance.implementations.registry import registered

    known = registered()
    if name not in known:
        raise UnknownConvention(
            f"there is no convention {name[:60]!r}; there are {', '.join(NAMED)}, and every implementation's name"
        )
    return known[name].convention


def _changed(convention: Convention, changes: Iterable[str]) -> Convention:
    known = [entry.name for entry in fields(Convention)]
    for change in changes:
        name, _, text = change.partition("=")
        if name not in known:
            hint = did_you_mean(name[:60], known, f"there are {', '.join(known)}")
            raise UnknownConvention(f"there is no convention field {name[:60]!r}{hint}")
        try:
            convention = replace(convention, **{name: _value(text, getattr(Convention(), name))})
        except (ValueError, TypeError) as error:
            raise UnknownConvention(str(error)) from None
    return convention


def _value(text: str, default: Any) -> Any:
    """Read the value of a field: a JSON literal, of the type of the field's default, or else the text itself."""
    try:
        value = json.loads(text.lower())
    except (ValueError, RecursionError):
        return text
    return float(value) if isinstance(default, float) and type(value) is int else value
