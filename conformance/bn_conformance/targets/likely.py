"""The environment variables that code most likely needs, read off what its file imports.

Some frameworks read variables when they are imported. What a thing is shows only once its file is imported, so that a
file would be imported twice: without the variables, and with them. What the file imports is known before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from bn_conformance.targets.naming import TargetError, code_and_choices, module_and_class, wrapper_and_code
from bn_conformance.targets.wrappers import environment_of, registered_wrappers, wrapper_named


def likely_environment(target: str) -> Mapping[str, str]:
    """The environment variables in which a target is best imported first; those of its kind where it says that.

    Raises:
        TargetError: there is no such wrapper, or it cannot run here.
    """
    if wrapper_and_code(target) is not None:
        return environment_of(target)
    place, _ = module_and_class(code_and_choices(target)[0])
    imported = frozenset(_imported(Path(place))) if place.endswith(".py") else frozenset()
    # A framework on top of another, as Flax is on JAX, decides.
    return max(_environments(imported), key=lambda found: found[0], default=(0, {}))[1]


def _environments(imported: frozenset[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Environments of the wrappers of imported frameworks, each with how many modules these stand on."""
    for name in registered_wrappers():
        framework, _, _ = name.partition("-")
        with suppress(TargetError):
            if framework in imported:
                wrapper = wrapper_named(name)
                yield len(wrapper.requires), wrapper.environment()


def _imported(path: Path) -> Iterator[str]:
    """The packages that a file imports; none where it cannot be read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
