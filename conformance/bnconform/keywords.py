"""The keywords of `check`, `assert_conforms` and `parametrize`: those of the command line, under the same names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypedDict

from bn_conformance.options import DEFAULTS, OPTIONS, RunOptions
from bn_conformance.targets.choices import value_text
from bn_conformance.targets.said import as_choices, spelled
from bn_conformance.user_error import UserError

Texts = str | Iterable[str]
"""One text, or several."""

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path, or several."""

Choices = Mapping[str, Any] | Texts
"""Choices of the convention: `{"running_variance": "biased"}`, or texts `running_variance=biased`."""


class Keywords(TypedDict, total=False):
    """The keywords that all three functions take; `check` says what each means."""

    as_: str
    convention: Choices
    names: Mapping[str, str]
    arguments: Mapping[str, Any]
    cases: Texts
    clauses: Texts
    level: str
    set: str
    profile: str
    thorough: bool
    device: str
    known_faults: Paths
    regressions: Paths
    timeout: float | None
    isolated: bool


@dataclass(frozen=True)
class Request:
    """What was asked for, checked.

    Attributes:
        options: of the run.
        kind: the wrapper that was named; empty for none.
        choices: of the convention, each as `NAME=VALUE`, and what else is said of the code.
        said: how the user's program says these choices, as keywords.
        isolated: whether layers run in a process of their own.
    """

    options: RunOptions
    kind: str
    choices: tuple[str, ...]
    said: tuple[str, ...]
    isolated: bool


def request_of(
    *,
    as_: str = "",
    convention: Choices = (),
    names: Mapping[str, str] = MappingProxyType({}),
    arguments: Mapping[str, Any] = MappingProxyType({}),
    cases: Texts = (),
    clauses: Texts = (),
    level: str = DEFAULTS["level"],
    set: str = DEFAULTS["case_set"],  # noqa: A002 - the name of the option
    profile: str = DEFAULTS["profile"],
    thorough: bool = False,
    device: str = DEFAULTS["device"],
    known_faults: Paths = (),
    regressions: Paths = (),
    timeout: float | None = None,
    isolated: bool = False,
) -> Request:
    """What the keywords ask for.

    Raises:
        UserError: a value is not allowed, or two contradict each other.
    """
    for name, value in (("level", level), ("profile", profile)):
        if value not in OPTIONS[name].choices:
            raise UserError(f"{name} is {value!r}; allowed are {', '.join(OPTIONS[name].choices)}")
    if timeout is not None and not isolated:
        raise UserError("timeout needs isolated=True: a call of a layer in this process cannot be interrupted")
    if timeout is not None and not timeout > 0:
        raise UserError(f"timeout is {timeout!r}; give seconds above 0")
    options = RunOptions(
        clauses=several(clauses),
        cases=several(cases),
        level=level,
        case_set=set,
        profile=profile,
        thorough=thorough,
        device=device,
        known_faults=several(known_faults),
        regressions=several(regressions),
        timeout=DEFAULTS["timeout"] if timeout is None else float(timeout),
        in_process=not isolated,
    )
    choices = choice_texts(convention)
    more = as_choices(spelled(names), spelled(arguments))
    said = [f"convention={list(choices)!r}"] * bool(choices)
    said += [f"names={dict(names)!r}"] * bool(names) + [f"arguments={dict(arguments)!r}"] * bool(arguments)
    return Request(options, as_, (*choices, *more), tuple(said), isolated)


def several(given: Paths) -> tuple[str, ...]:
    """One text or path, or several, as texts."""
    if isinstance(given, str | os.PathLike):
        return (os.fspath(given),)
    return tuple(os.fspath(entry) for entry in given)


def choice_texts(given: Choices) -> tuple[str, ...]:
    """Choices of a convention as texts `NAME=VALUE`."""
    if isinstance(given, Mapping):
        return tuple(f"{name}={value_text(value)}" for name, value in given.items())
    return several(given)


_SAID = re.compile(r"--(argument|name|convention) (\w+)=([^\s,;]+)((?: --\1 \w+=[^\s,;]+)*)")
_KEYWORDS = {"argument": "arguments", "name": "names", "convention": "convention"}


def in_python(message: str) -> str:
    """A message that tells what to write on the command line, with the keywords that say the same in Python."""

    def keyword(found: re.Match[str]) -> str:
        option = found[1]
        pairs = [(found[2], found[3]), *(entry.split("=", 1) for entry in found[4].split(f" --{option} ")[1:])]
        written = (f"{name!r}: {value if option == 'argument' else repr(value)}" for name, value in pairs)
        return f"{_KEYWORDS[option]}={{{', '.join(written)}}}"

    said = _SAID.sub(keyword, message).replace("--thorough", "thorough=True")
    return re.sub(r"--as ([\w\[\]-]+)", r"as_='\1'", said)
