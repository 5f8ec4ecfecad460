"""How a target is named: `module:Class`, `path/to/file.py:Class`, or `KIND=CODE` for code without an adapter.

The class may be left out where the module defines one adapter. KIND is the name of a wrapper, which has a hyphen.
"""

from __future__ import annotations

import re

from bn_conformance.user_error import UserError

_WRAPPED = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)+(?:\[[a-z]+\])?)=(.*)", re.DOTALL)


class TargetError(UserError):
    """A target names no usable adapter; the message says what to do."""


def module_and_class(target: str) -> tuple[str, str]:
    """The module (or path) of a target `MODULE:CLASS`, and the class, which may be empty."""
    head, _, tail = target.rpartition(":")
    if head and tail.isidentifier():
        return head, tail
    return target, ""


def wrapper_and_code(target: str) -> tuple[str, str] | None:
    """The wrapper's name and the code of a target `KIND=CODE`; None for any other."""
    match = _WRAPPED.fullmatch(target)
    return (match[1], match[2]) if match else None


def is_target(name: str) -> bool:
    """Whether a name is a target rather than the name of a registered implementation."""
    if wrapper_and_code(name) is not None:
        return True
    module, attribute = module_and_class(name)
    return module.endswith(".py") or (bool(attribute) and all(part.isidentifier() for part in module.split(".")))
