"""How a target is named: `module:Class`, `path/to/file.py:Class`, or `KIND=CODE` for code without an adapter.

The class may be left out where the module defines one adapter.
"""

from __future__ import annotations

import re


class TargetError(Exception):
    """A target names no usable adapter; the message says what to do."""


def split(target: str) -> tuple[str, str]:
    """Module (or path) and class name, which may be empty."""
    head, _, tail = target.rpartition(":")
    if head and tail.isidentifier():
        return head, tail
    return target, ""


def kind_of(target: str) -> tuple[str, str] | None:
    """The kind and the rest of a target `KIND=CODE`; None for any other. A kind's name has a hyphen."""
    found = re.fullmatch(r"([a-z0-9]+(?:-[a-z0-9]+)+(?:\[[a-z]+\])?)=(.*)", target, re.DOTALL)
    return (found[1], found[2]) if found else None


def is_target(name: str) -> bool:
    """Whether a name is a target rather than the name of a registered implementation."""
    if kind_of(name) is not None:
        return True
    module, attribute = split(name)
    return module.endswith(".py") or (bool(attribute) and all(part.isidentifier() for part in module.split(".")))
