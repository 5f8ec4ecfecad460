"""Wrappers judge code that has no adapter: `torch-module=my_layers.py:MyBatchNorm`.

A wrapper makes an adapter of a user's code. The code stands after the equals sign. Choices of the convention may
follow, each after a plus sign: `torch-module=my_layers.py:MyBatchNorm+running_variance=biased+momentum_weighs=old`.

Distributions register wrappers as entry points. Wrappers know frameworks; this module knows none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint

from bn_conformance.adapter import Adapter
from bn_conformance.targets.choices import fields_of, with_values
from bn_conformance.targets.errors import described_error
from bn_conformance.targets.naming import TargetError, code_and_choices, wrapper_and_code
from bn_conformance.targets.plug_ins import plug_ins, registered_twice
from bn_conformance.targets.said import divided
from bn_conformance.text import did_you_mean

GROUP = "bnconform.wrappers"
"""The entry point group in which distributions register wrappers, by name; a name has a hyphen, but for `command`."""


def _recognises_nothing(_: object) -> bool:
    return False


@dataclass(frozen=True)
class Wrapper:
    """Makes adapters of code of one kind.

    Attributes:
        expects: what such code is, in a few words.
        adapter: makes an adapter class of the code, given as `file.py:Class` or `module:Class`. It runs in a worker
            process, may import and run the code, and raises a `TargetError` of one line where the code is of another
            kind.
        requires: import names that must be importable.
        install: the command that installs them.
        environment: gives the environment variables that must be set before the code is imported. A file that imports
            the framework of the wrapper's name, as `flax` of `flax-module`, is imported with them at once.
        suffixes: endings of files that are code of this kind, such as `.c`.
        names: whether `adapter` takes as its second argument a `Said`: what a user says of the code.
        general: whether other kinds go before it: it takes code of no framework, as any class with a forward.
        recognises: whether an imported thing is code of this kind. It imports no framework: what a framework has made
            is there only where the framework is imported already.
    """

    expects: str
    adapter: Callable[..., type[Adapter]]
    requires: tuple[str, ...]
    install: str
    environment: Callable[[], Mapping[str, str]] = dict
    recognises: Callable[[object], bool] = _recognises_nothing
    names: bool = False
    suffixes: tuple[str, ...] = ()
    general: bool = False


@cache
def registered_wrappers() -> Mapping[str, EntryPoint]:
    """The entry point of each registered wrapper, by name; names that are registered twice are left out."""
    return {name: points[0] for name, points in sorted(plug_ins(GROUP).items()) if len(points) == 1}


def wrapper_named(name: str) -> Wrapper:
    """A registered wrapper.

    Raises:
        TargetError: there is none of this name, it cannot be loaded, or a framework that it needs is not installed.
    """
    _check_registered(name)
    wrapper = _loaded(registered_wrappers()[name])
    missing = [module for module in wrapper.requires if importlib.util.find_spec(module) is None]
    if missing:
        raise TargetError(f"{name} needs {' and '.join(missing)}, which is not installed; run: {wrapper.install}")
    return wrapper


@cache
def usable_wrappers() -> Mapping[str, Wrapper]:
    """The registered wrappers that can be loaded, by name: a broken one costs no other anything."""
    wrappers = {}
    for name, point in registered_wrappers().items():
        with suppress(TargetError):
            wrappers[name] = _loaded(point)
    return wrappers


def kind_of_file(place: str) -> str:
    """The wrapper whose code files of a name are; empty for Python files, modules and anything else."""
    for name, wrapper in usable_wrappers().items():
        if wrapper.suffixes and place.endswith(wrapper.suffixes):
            return name
    return ""


def _loaded(point: EntryPoint) -> Wrapper:
    try:
        wrapper = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise TargetError(f"{point.name} ({point.value}) cannot be loaded: {described_error(error)}") from None
    if not isinstance(wrapper, Wrapper):
        raise TargetError(f"{point.name} ({point.value}) is no Wrapper")
    return wrapper


def wrapped_target(wrapper: str, code: str, choices: Iterable[str] = ()) -> str:
    """The target of code under a wrapper, with choices `NAME=VALUE` of the convention.

    Raises:
        TargetError: there is no such wrapper, the code names one itself, or a choice is not declarable.
    """
    if wrapper_and_code(code) is not None:
        raise TargetError(f"{code} names its kind already; leave out --as")
    _check_registered(wrapper)
    chosen = list(choices)
    fields_of(divided(chosen)[0])
    return "+".join([f"{wrapper}={code}", *chosen])


def environment_of(target: str) -> Mapping[str, str]:
    """The environment variables that must be set before a wrapped target is imported; none for other targets.

    Raises:
        TargetError: there is no such wrapper, or it cannot run here.
    """
    parts = wrapper_and_code(target)
    return {} if parts is None else wrapper_named(parts[0]).environment()


def wrapped_adapter(target: str) -> type[Adapter]:
    """The adapter class of a target `KIND=CODE`, with the target's choices in its convention.

    Raises:
        TargetError: it is no such target, there is no such wrapper, the code is of another kind, or a choice is not
            declarable.
    """
    parts = wrapper_and_code(target)
    if parts is None:
        raise TargetError(f"{target} names no wrapper; write KIND=CODE")
    wrapper = wrapper_named(parts[0])
    code, choices = code_and_choices(parts[1])
    if not code:
        raise TargetError(
            f"{target} names no code; give {parts[0]}=path/to/file.py:NAME, where NAME is {wrapper.expects}"
        )
    convention, said = divided(choices)
    values = fields_of(convention)
    if said and not wrapper.names:
        raise TargetError(f"{parts[0]} takes neither --name nor --argument; leave them out")
    adapter = wrapper.adapter(code, said) if said else wrapper.adapter(code)
    return type(adapter.__name__, (adapter,), {"convention": with_values(adapter.convention, values)})


def _check_registered(name: str) -> None:
    points = plug_ins(GROUP).get(name, ())
    if len(points) > 1:
        raise TargetError(registered_twice(name, points))
    if name not in registered_wrappers():
        hint = did_you_mean(name, registered_wrappers(), f"there are {', '.join(registered_wrappers())}")
        raise TargetError(f"there is no kind {name!r}{hint}")
