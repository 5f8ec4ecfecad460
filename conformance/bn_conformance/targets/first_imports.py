"""What a target's file imports before it does anything else: libraries that may be imported before the file is.

A file may set variables or options that a library reads when it is imported. So only those imports count that come
before any other statement of the file, and none where the file deals with environment variables anywhere. An adapter
may import within its methods; what it names in `requires` counts as well, where the file defines, imports and does
nothing else.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

from bn_conformance.targets.likely import likely_environment
from bn_conformance.targets.naming import TargetError, code_and_choices, module_and_class, wrapper_and_code

_SUITE = frozenset({"bn_adapters", "bn_conformance", "bn_reference"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Names of the folders of libraries."""

_ENVIRONMENT = ("environ", "putenv")
"""Words of a file that may change what a library finds when it is imported."""

_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def import_first(target: str, variables: Collection[str]) -> None:
    """Import what the file of a target imports first; nothing where its kind asks for other environment variables.

    Args:
        target: as it was given, whatever it is.
        variables: names of the environment variables of an implementation that this process has.
    """
    names = first_imports(target)
    with suppress(TargetError):  # which is told where the target is described
        if names and {*likely_environment(target)} == {*variables}:
            for name in names:
                import_module(name)


def first_imports(target: str) -> list[str]:
    """The modules of libraries that the file of a target imports first, and those that its adapters require."""
    wrapped = wrapper_and_code(target)
    place, _ = module_and_class(code_and_choices(wrapped[1] if wrapped else target)[0])
    try:
        source = Path(place).read_text("utf-8") if place.endswith(".py") else ""
        body = ast.parse(source).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    if any(word in source for word in _ENVIRONMENT):
        return []
    return [*dict.fromkeys([*_leading(body), *_required(body)])]


def _leading(body: Collection[ast.stmt]) -> Iterator[str]:
    """The modules of libraries that are imported before any other statement, and before a module that is none."""
    for statement in body:
        if _is_text(statement):
            continue
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            return
        for name in _imported(statement):
            top = name.partition(".")[0]
            if not (top in sys.stdlib_module_names or top in _SUITE or _is_installed(top)):
                return
            yield name


def _required(body: Collection[ast.stmt]) -> Iterator[str]:
    """What adapters require in a file that defines and imports alone."""
    if not all(map(_does_nothing, body)):
        return
    for defined in body:
        for statement in defined.body if isinstance(defined, ast.ClassDef) else ():
            match statement:
                case ast.Assign(targets=[ast.Name(id="requires")], value=ast.Tuple(elts=entries)):
                    texts = [entry.value for entry in entries if isinstance(entry, ast.Constant)]
                    yield from (
                        text for text in texts if isinstance(text, str) and _is_installed(text.partition(".")[0])
                    )


def _does_nothing(statement: ast.stmt) -> bool:
    """Whether a statement of a module does nothing beside defining, naming and importing libraries."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return len([*_leading([statement])]) == len([*_imported(statement)])
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return not any(isinstance(node, ast.Call) for node in ast.walk(statement))
    return _is_text(statement) or isinstance(statement, _DEFINING)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _imported(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    return ["." * statement.level + (statement.module or "")]


def _is_installed(top: str) -> bool:
    """Whether a library provides a top-level module, wherever the process runs."""
    with suppress(Exception):  # a finder of somebody else's, or a name that is none
        found = PathFinder.find_spec(top)
        places = [found.origin or "", *(found.submodule_search_locations or ())] if found else []
        return any(_INSTALLED & {*Path(place).parts} for place in places)
    return False
