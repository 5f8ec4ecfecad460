"""Loading: the adapter class that a target names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from bn_conformance.adapter import Adapter
from bn_conformance.targets.naming import TargetError, module_and_class, wrapper_and_code
from bn_conformance.targets.wrappers import wrapped_adapter


def load_adapter(target: str) -> type[Adapter]:
    """Import the module of a target and give its adapter class.

    Raises:
        TargetError: there is no such file, module or class, it cannot be imported, or it is no adapter.
    """
    if wrapper_and_code(target) is not None:
        return wrapped_adapter(target)
    module_name, attribute = module_and_class(target)
    module = module_of(module_name)
    if not attribute:
        attribute = _only_adapter(module, target)
    found = getattr(module, attribute, None)
    if found is None:
        raise TargetError(f"{module_name} has no {attribute}; name a class that it defines")
    if not (inspect.isclass(found) and issubclass(found, Adapter)):
        raise TargetError(f"{target} is not an adapter; derive it from bn_conformance.adapter.Adapter")
    _check(found, target)
    return found


def module_of(name: str) -> ModuleType:
    """The module of a name or of a path that ends with `.py`, imported.

    Raises:
        TargetError: there is none, or it cannot be imported.
    """
    try:
        if name.endswith(".py"):
            return _module_of_file(Path(name))
        return importlib.import_module(name)
    except TargetError:
        raise
    except SyntaxError as error:
        raise TargetError(f"{name} has a syntax error in line {error.lineno}: {error.msg}") from None
    except ModuleNotFoundError as error:
        raise TargetError(f"{name} cannot be imported: {error}; install it or put its folder on PYTHONPATH") from None
    except Exception as error:
        raise TargetError(f"{name} cannot be imported: {type(error).__name__}: {error}") from None


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"{path} does not exist; name a Python file, or module:Class")
    name = f"bnconform_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def _only_adapter(module: ModuleType, target: str) -> str:
    found = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Adapter)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise TargetError(f"{target} defines {len(found)} adapters ({names}); name one as {target}:Class")
    return found[0]


def _check(adapter: type[Adapter], target: str) -> None:
    missing = sorted(getattr(adapter, "__abstractmethods__", ()))
    if missing:
        raise TargetError(f"{target} lacks {', '.join(missing)}; the adapter contract asks for it")
    for attribute in ("name", "convention"):
        if not hasattr(adapter, attribute):
            raise TargetError(f"{target} has no class attribute {attribute}; the adapter contract asks for it")
