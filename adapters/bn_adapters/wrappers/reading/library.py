"""The library whose arrays code works on: after what the code itself uses, then after what its module has imported."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator
from typing import Any

_FRAMEWORKS = ("torch", "jax", "tensorflow", "keras", "flax")

_OF_SIZES = frozenset({"prod", "pi", "e", "inf", "nan", "finfo", "ceil", "floor", "log2"})
"""Names of NumPy that code of any library uses on sizes and numbers: they do not tell whose the arrays are."""

_OF_TENSORS = frozenset(
    {
        "dim", "numel", "view", "view_as", "unsqueeze", "permute", "contiguous", "expand", "expand_as", "detach",
        "rsqrt", "clamp", "addcmul", "type_as", "requires_grad", "mul_", "add_", "sub_", "div_", "copy_", "lerp_",
        "keepdim", "unbiased", "correction",
    }
)  # fmt: skip
"""Methods and keywords of tensors that arrays have not."""


def library_of(thing: Any) -> str:
    """The library whose arrays a class or function works on: numpy where nothing tells of another.

    A framework that the code names, or that its helpers in the same module name, is the one. Else it is NumPy, where
    the code uses NumPy for more than sizes and calls no method of tensors. Else it is what the module has imported.
    """
    functions = _functions_of(thing)
    used = {name for function in functions for name in _used_by_code(function)}
    bases = thing.__mro__ if inspect.isclass(thing) else ()
    used |= {_library_named(base) for base in bases}
    framework = next((name for name in _FRAMEWORKS if name in used), "")
    if framework or ("numpy" in used and "tensors" not in used):
        return framework or "numpy"
    scope = vars(inspect.getmodule(thing) or types.SimpleNamespace()) if inspect.isclass(thing) else _globals_of(thing)
    imported = {_library_named(value) for value in list(scope.values())}
    return next((name for name in _FRAMEWORKS if name in imported), "numpy")


def _functions_of(thing: Any) -> list[types.FunctionType]:
    """A function, or those of a class, with the helpers of the same module that they call."""
    found: list[types.FunctionType] = []
    parts = (
        [value for base in thing.__mro__[:-1] for value in vars(base).values()] if inspect.isclass(thing) else [thing]
    )
    while parts:
        part = parts.pop()
        part = part.__func__ if isinstance(part, staticmethod | classmethod | types.MethodType) else part
        part = inspect.unwrap(part) if callable(part) else part
        if not isinstance(part, types.FunctionType) or part in found:
            continue
        found.append(part)
        named = (part.__globals__.get(name) for code in _codes_of(part.__code__) for name in code.co_names)
        parts += [value for value in named if getattr(value, "__module__", None) == part.__module__]
    return found


def _codes_of(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes_of(constant)


def _used_by_code(function: types.FunctionType) -> Iterator[str]:
    """Libraries that a function names, `tensors` for a method of tensors; NumPy not where sizes alone need it."""
    scope = function.__globals__
    for annotation in function.__annotations__.values():
        first = str(annotation).partition(".")[0] if isinstance(annotation, str) else ""
        yield _library_named(scope.get(first, annotation))
    for code in _codes_of(function.__code__):
        keywords = {name for constant in code.co_consts if isinstance(constant, tuple) for name in constant}
        if _OF_TENSORS & (keywords | set(code.co_names)):
            yield "tensors"
        steps = list(dis.get_instructions(code))
        for step, after in zip(steps, [*steps[1:], None], strict=True):
            if not step.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME", "IMPORT_NAME")):
                continue
            name = str(step.argval)
            library = name.partition(".")[0] if step.opname == "IMPORT_NAME" else _library_named(scope.get(name))
            attribute = after.argval if after is not None and after.opname in ("LOAD_ATTR", "LOAD_METHOD") else ""
            yield "" if library == "numpy" and attribute in _OF_SIZES else library


def _globals_of(thing: Any) -> dict[str, Any]:
    found = getattr(inspect.unwrap(thing) if callable(thing) else thing, "__globals__", None)
    return found if isinstance(found, dict) else vars(inspect.getmodule(thing) or types.SimpleNamespace())


def _library_named(value: Any) -> str:
    """The library that something in a module's scope belongs to."""
    owner = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    root = str(owner or "").partition(".")[0]
    return root if root in (*_FRAMEWORKS, "numpy") else ""
