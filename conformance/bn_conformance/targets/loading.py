"""Loading: the adapter class that a target names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from bn_conformance.adapter import Adapter
from bn_conformance.targets.declarations import check_declarations
from bn_conformance.targets.errors import described_error
from bn_conformance.targets.naming import TargetError, module_and_class, wrapper_and_code
from bn_conformance.targets.wrappers import wrapped_adapter


def load_adapter(target: str) -> type[Adapter]:
    """Import the module of a target and give its adapter class.

    Raises:
        TargetError: there is no such file, module or class, it cannot be imported, it is no adapter, or it declares
            what nobody can declare.
    """
    adapter = wrapped_adapter(target) if wrapper_and_code(target) is not None else _adapter_class(target)
    _check_complete(adapter, target)
    check_declarations(adapter, target)
    return adapter


def module_of(name: str) -> ModuleType:
    """The module of a name or of a path that ends with `.py`, imported.

    Raises:
        TargetError: there is none, or importing it raises anything but a KeyboardInterrupt.
    """
    try:
        if name.endswith(".py"):
            return _module_of_file(Path(name))
        return importlib.import_module(name)
    except (TargetError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        raise TargetError(f"{name} has a syntax error in line {error.lineno}: {error.msg}") from None
    except ModuleNotFoundError as error:
        raise TargetError(f"{name} cannot be imported: {error}; install it or put its folder on PYTHONPATH") from None
    except BaseException as error:
        raise TargetError(f"{name} cannot be imported: {described_error(error)}") from None


def _adapter_class(target: str) -> type[Adapter]:
    module_name, attribute = module_and_class(target)
    module = module_of(module_name)
    if not attribute:
        attribute = _only_adapter(module, target)
    adapter = getattr(module, attribute, None)
    if adapter is None:
        raise TargetError(f"{module_name} has no {attribute}; name a class that it defines")
    if not (inspect.isclass(adapter) and issubclass(adapter, Adapter)):
        raise TargetError(f"{target} is not an adapter; derive it from bn_conformance.adapter.Adapter")
    return adapter


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
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Adapter)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(own) != 1:
        names = ", ".join(own) or "none"
        raise TargetError(f"{target} defines {len(own)} adapters ({names}); name one as {target}:Class")
    return own[0]


def _check_complete(adapter: type[Adapter], target: str) -> None:
    missing = sorted(getattr(adapter, "__abstractmethods__", ()))
    if missing:
        raise TargetError(f"{target} lacks {', '.join(missing)}; the adapter contract asks for it")
    for attribute in ("name", "convention"):
        if not hasattr(adapter, attribute):
            raise TargetError(f"{target} has no class attribute {attribute}; the adapter contract asks for it")
