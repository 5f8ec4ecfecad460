"""Objects of a running program under a name, so that wrappers can load them as they load code of a file."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

_NUMBERS = count(1)


@contextmanager
def held(objects: Mapping[str, Any], title: str) -> Iterator[str]:
    """A module that holds objects, within the block.

    Args:
        objects: by the names that they have in the module.
        title: what the module is called in messages and reports.

    Returns:
        The name under which the module can be imported.
    """
    module = ModuleType(title)
    module.__file__ = None
    vars(module).update(objects)
    name = f"bnconform_live_{next(_NUMBERS)}"
    sys.modules[name] = module
    try:
        yield name
    finally:
        del sys.modules[name]


def title_of(thing: Any) -> str:
    """The module in which a class or function was defined, without its packages."""
    if isinstance(thing, functools.partial):
        return title_of(thing.func)
    return str(getattr(thing, "__module__", None) or "__main__").rpartition(".")[2]


def importable(thing: Any) -> str:
    """Where another process can import a class or function: `file.py:NAME` or `module:NAME`; empty for nowhere.

    What a notebook, a running script or a function defines is nowhere.
    """
    name, module = getattr(thing, "__qualname__", ""), getattr(thing, "__module__", None) or ""
    loaded = sys.modules.get(module)
    if module == "__main__" or not name.isidentifier() or getattr(loaded, name, None) is not thing:
        return ""
    file = getattr(loaded, "__file__", None)
    if "." in module or not str(file).endswith(".py"):
        return f"{module}:{name}"
    return f"{Path(str(file)).resolve()}:{name}"
