"""What a thing is: which wrapper judges a class, an instance, a function or a pair of functions.

`kinds_of` is asked of things that are imported already. It imports no framework that they do not use.
"""

from __future__ import annotations

import inspect
from types import ModuleType

from bn_conformance.adapter import Adapter
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import Wrapper, usable_wrappers, wrapper_named

OF_KERNEL_BENCHMARKS = ("get_inputs", "get_init_inputs")
"""Functions of a kernel-benchmark file, in which `MODELS` are the kernel and what it replaces: the first is judged."""

MODELS = ("ModelNew", "Model")

_SAYS_ITS_KIND = " says its kind; "


class NeedsEnvironment(TargetError):
    """Code must be loaded again by its kind, in a process whose environment its framework needs."""

    @staticmethod
    def target_in(message: str) -> str:
        """The target, with its kind, that the message of such an error names."""
        return message.partition(_SAYS_ITS_KIND)[0]


def is_adapter(thing: object) -> bool:
    """Whether a thing is an adapter class."""
    return inspect.isclass(thing) and issubclass(thing, Adapter)


def kinds_of(thing: object) -> tuple[str, ...]:
    """The kinds of code that a thing is, as `--as` names them; empty where it is none or is an adapter class.

    Args:
        thing: a class, an instance, a function, a tuple of two functions (forward and backward), or a module.
    """
    if is_adapter(thing):
        return ()
    fitting = {name: wrapper for name, wrapper in usable_wrappers().items() if _recognises(wrapper, thing)}
    return tuple(name for name, wrapper in fitting.items() if not wrapper.general) or tuple(fitting)


def _recognises(wrapper: Wrapper, thing: object) -> bool:
    """Whether a wrapper recognises a thing; one that raises does not."""
    try:
        return bool(wrapper.recognises(thing))
    except Exception:
        return False


def kind_of(thing: object, target: str) -> str:
    """The kind of a thing, where it is of just one.

    Raises:
        TargetError: it is of none, or of several; the message gives a line to paste for each.
    """
    kinds = kinds_of(thing)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        lines = " or ".join(f"bnconform check --as {kind} {target}" for kind in kinds)
        raise TargetError(f"{target} can be read as {' and as '.join(kinds)}; say which: {lines}")
    expected = "; ".join(f"{name}: {wrapper.expects}" for name, wrapper in usable_wrappers().items())
    raise TargetError(
        f"{target} is not an adapter; derive it from bn_conformance.adapter.Adapter. It is no code of a known kind "
        f"either: {expected}"
    )


def candidates(module: ModuleType) -> dict[str, object]:
    """What a module defines that can be judged, by name: its adapters; where it has none, code of a known kind."""
    own = {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    if all(inspect.isfunction(own.get(name)) for name in OF_KERNEL_BENCHMARKS):
        models = [name for name in MODELS if kinds_of(own.get(name))]
        own = {name: own[name] for name in models[:1]} or own
    adapters = {name: value for name, value in own.items() if is_adapter(value) and not inspect.isabstract(value)}
    return adapters or {name: value for name, value in own.items() if kinds_of(value)}


def check_environment(kind: str, target: str) -> None:
    """Check that code of a kind needs no environment of its own.

    Raises:
        NeedsEnvironment: it does; who loads it by the target that this names can look that up.
        TargetError: the wrapper cannot run here.
    """
    if wrapper_named(kind).environment():
        raise NeedsEnvironment(
            f"{kind}={target}{_SAYS_ITS_KIND}{target} does not, and its framework must be set up before it is imported"
        )
