"""What a Python file says that it needs: the modules it imports and the files it names. It is read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LONGEST_NAME = 200
"""Characters of a text in the code that may name a file."""

_IMPORTING = frozenset({"import_module", "__import__", "iter_modules", "walk_packages"})
"""Functions that import, or list, modules by name."""


@dataclass(frozen=True)
class SourceNeeds:
    """What one file needs.

    Attributes:
        modules: names that it imports, as `(level, name)`; level counts the dots of a relative import. What stands
            after `from X import` is there too, as it may be a module.
        texts: short texts in it, any of which may name a file.
        computes_imports: whether it imports modules whose names it computes.
        changes_path: whether it names `sys.path`, so that imports may lead anywhere.
    """

    modules: frozenset[tuple[int, str]] = frozenset()
    texts: frozenset[str] = frozenset()
    computes_imports: bool = False
    changes_path: bool = False


def needs_of(path: Path) -> SourceNeeds:
    """What a Python file needs; nothing for one that cannot be read or parsed, which cannot be imported either."""
    try:
        return _read(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return SourceNeeds()


@cache
def _read(source: bytes) -> SourceNeeds:
    tree = ast.parse(source)
    modules: set[tuple[int, str]] = set()
    texts: set[str] = set()
    computes = changes = False
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            modules.update((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.update(_imported_from(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if 0 < len(node.value) <= LONGEST_NAME and node.value.isprintable():
                texts.add(node.value)
        elif isinstance(node, ast.Call) and _name_of(node.func) in _IMPORTING:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and len(node.args) == 1:
                modules.add((0, first.value))
            else:
                computes = True
        elif isinstance(node, ast.Attribute) and node.attr == "path" and _name_of(node.value) == "sys":
            changes = True
    return SourceNeeds(frozenset(modules), frozenset(texts), computes, changes)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree, in any order: those of `ast.walk` in half of its time."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for value in vars(node).values():
            if isinstance(value, list):
                left += [entry for entry in value if isinstance(entry, ast.AST)]
            elif isinstance(value, ast.AST):
                left.append(value)


def _imported_from(node: ast.ImportFrom) -> Iterator[tuple[int, str]]:
    module = node.module or ""
    yield node.level, module
    for alias in node.names:
        if alias.name != "*":
            yield node.level, f"{module}.{alias.name}".lstrip(".")


def _name_of(node: ast.expr) -> str:
    """The last name of `a`, or of `x.y.a`."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
