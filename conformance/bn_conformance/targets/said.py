"""What a user says of code without an adapter: what things are called there, and values of further arguments.

Both are choices of a target beside those of the convention: `my_layers.py:BatchNorm+name.weight=gamma` says that the
weight is called gamma, `+argument.num_dims=4` that the argument `num_dims` is 4.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bn_conformance.targets.naming import TargetError
from bn_conformance.text import did_you_mean

NAME, ARGUMENT = "name.", "argument."

ROLES = (
    "weight", "bias", "running_mean", "running_var", "eps", "momentum", "training", "mask", "channels", "axis", "x",
)  # fmt: skip
"""What can be named."""


@dataclass(frozen=True)
class Said:
    """What a user says of code.

    Attributes:
        names: what a role of `ROLES` is called in the code.
        arguments: values of arguments of the constructor or the function, by name.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.names or self.arguments)


def divided(choices: Iterable[str]) -> tuple[list[str], Said]:
    """The choices of the convention among those of a target, and what else is said.

    Raises:
        TargetError: a role is not known, or something is said twice.
    """
    convention: list[str] = []
    names: dict[str, str] = {}
    arguments: dict[str, Any] = {}
    for choice in choices:
        key, equals, text = choice.partition("=")
        if not key.startswith((NAME, ARGUMENT)):
            convention.append(choice)
            continue
        kind, _, name = key.partition(".")
        if not (equals and name and text):
            raise TargetError(f"--{kind} {name}{equals}{text} says nothing; write {_EXAMPLES[kind]}")
        if name in (names if kind == "name" else arguments):
            raise TargetError(f"--{kind} {name} is given twice; give it once")
        if kind == "name":
            if name not in ROLES:
                hint = did_you_mean(name, ROLES, f"there are {', '.join(ROLES)}")
                raise TargetError(f"--name {name}={text}: there is no role {name!r}{hint}")
            names[name] = text
        else:
            arguments[name] = _value(text)
    return convention, Said(names, arguments)


def as_choices(names: Iterable[str] = (), arguments: Iterable[str] = ()) -> list[str]:
    """The choices of a target that options `--name ROLE=NAME` and `--argument NAME=VALUE` stand for.

    Raises:
        TargetError: a value has a character that a target cannot hold.
    """
    choices = [*(NAME + text for text in names), *(ARGUMENT + text for text in arguments)]
    for choice in choices:
        if "+" in choice or choice.count("=") > 1:
            raise TargetError(f"{choice.partition('.')[2]} has a plus sign or a second equals sign; leave them out")
    return choices


def spelled(values: Mapping[str, Any]) -> list[str]:
    """Values by name as `NAME=VALUE`.

    Raises:
        TargetError: a value is no number, text, truth value, None, or tuple or list of these.
    """
    return [f"{name}={_text(name, value)}" for name, value in values.items()]


_EXAMPLES = {"name": "--name weight=gamma", "argument": "--argument num_dims=4"}


def _value(text: str) -> Any:
    """A number, a tuple, True, False or None where a text spells one; else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _text(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else repr(value).replace("e+", "e")
    if isinstance(value, str) or _value(text) == value:
        return text
    raise TargetError(f"{name} is a {type(value).__name__}; give a number, a text, True, False, None or a tuple")
