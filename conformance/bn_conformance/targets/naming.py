"""How a target is named: `module:NAME`, `path/to/file.py:NAME`, or `KIND=CODE` where the kind of the code is said.

The name may be left out where the module defines one thing that can be judged. KIND is the name of a wrapper, which has
a hyphen. Choices may follow, each after a plus sign: `my_layers.py:MyBatchNorm+running_variance=biased`.
"""

from __future__ import annotations

import re

from bn_conformance.user_error import UserError

_WRAPPED = re.compile(r"(command|[a-z0-9]+(?:-[a-z0-9]+)+(?:\[[a-z]+\])?)=(.*)", re.DOTALL)


_LAST_CHOICE = re.compile(r"\+([A-Za-z_][\w.]*=[^+=]*)$")


FILES = (".py", ".c", ".so", ".dylib", ".dll", ".onnx")
"""Endings of files that can be judged."""


_OTHER_LANGUAGE = re.compile(
    r"\.(cu|cuh|cc|cpp|cxx|h|hpp|hip|metal|wgsl|glsl|rs|go|jl|js|mjs|ts|java|kt|swift|cs|f|f90|r|m|mm|zig|lua)(:|$)",
    re.IGNORECASE,
)
"""Endings of sources that this process cannot load."""


class TargetError(UserError):
    """A target names no usable adapter; the message says what to do."""


def in_another_language(target: str) -> str:
    """What to do with a source in a language that is not loaded here; empty for any other target."""
    if not _OTHER_LANGUAGE.search(target):
        return ""
    return (
        f"{target} is in a language that is not loaded here: let a program answer over JSON lines "
        "(--as command 'PROGRAM ARGUMENTS'), or, a forward alone too, run `bnconform vectors export`, compute there "
        "and have the numbers judged with `bnconform vectors check FILE`"
    )


def module_and_class(target: str) -> tuple[str, str]:
    """The module (or path) of a target `MODULE:CLASS`, and the class, which may be empty; or a pair `FIRST+SECOND`."""
    head, _, tail = target.rpartition(":")
    if head and all(part.isidentifier() for part in tail.split("+")):
        return head, tail
    return target, ""


def wrapper_and_code(target: str) -> tuple[str, str] | None:
    """The wrapper's name and the code of a target `KIND=CODE`; None for any other."""
    match = _WRAPPED.fullmatch(target)
    return (match[1], match[2]) if match else None


def code_and_choices(text: str) -> tuple[str, list[str]]:
    """The code of `CODE+NAME=VALUE+NAME=VALUE`, and the choices after it, in order."""
    choices: list[str] = []
    while match := _LAST_CHOICE.search(text):
        choices.insert(0, match[1])
        text = text[: match.start()]
    return text, choices


def is_target(name: str) -> bool:
    """Whether a name is a target rather than the name of a registered implementation."""
    if wrapper_and_code(name) is not None:
        return True
    module, attribute = module_and_class(code_and_choices(name)[0])
    return module.endswith(FILES) or (bool(attribute) and all(part.isidentifier() for part in module.split(".")))
