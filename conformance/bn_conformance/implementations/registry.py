"""Finding implementations, by registered name or by target.

No framework is imported here. Registered adapters are described in this process, since their modules import nothing but
the contract. A user's own is described in a worker process, where a crash or a slow import does no harm.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import EntryPoint, PackageNotFoundError, version

from bn_conformance.adapter import Adapter, Convention
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.kept import kept_cache, kept_processes, leave, process_for
from bn_conformance.implementations.implementation import (
    BROKEN,
    NOT_INSTALLED,
    Implementation,
    filled_in,
    matches_pattern,
)
from bn_conformance.targets.declarations import check_capabilities
from bn_conformance.targets.description import Description, capabilities_from_json, describe_adapter
from bn_conformance.targets.errors import described_error
from bn_conformance.targets.likely import likely_environment
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError, is_target
from bn_conformance.targets.plug_ins import plug_ins, registered_twice
from bn_conformance.targets.recognition import NeedsEnvironment
from bn_conformance.targets.wrappers import environment_of
from bn_conformance.text import did_you_mean, one_line
from bn_conformance.user_error import UserError

GROUP = "bnconform.adapters"
"""The entry point group in which distributions register adapters, by the name of the implementation."""


class UnknownImplementation(UserError):
    """A name names no implementation; the message lists those there are."""


def registered(device: str = "cpu") -> dict[str, Implementation]:
    """Every registered implementation by name, frameworks together; one that cannot be described is broken.

    So is a name that two distributions register: which of the two was judged, nobody could tell.
    """
    return _described(plug_ins(GROUP), device)


def is_registered(name: str) -> bool:
    """Whether a name is that of a registered implementation, as far as can be told without describing it."""
    return name in plug_ins(GROUP)


def _described(plugged: Mapping[str, Sequence[EntryPoint]], device: str) -> dict[str, Implementation]:
    """The implementations of some entry points by name, frameworks together."""
    implementations = [
        _registered(name, points[0].value, device)
        if len(points) == 1
        else Implementation(name=name, target="", status=BROKEN, message=registered_twice(name, points), device=device)
        for name, points in plugged.items()
    ]
    return {entry.name: entry for entry in sorted(implementations, key=lambda entry: (entry.framework, entry.name))}


def _registered(name: str, target: str, device: str) -> Implementation:
    try:
        implementation = _described_here(load_adapter(target), target, device)
        if implementation.name != name:  # it could be that of another
            raise TargetError(f"{target} is registered as {name} and is named {implementation.name}; give it one name")
        return implementation
    except KeyboardInterrupt:
        raise
    except TargetError as error:
        message = str(error)
    except BaseException as error:  # whatever a distribution registers must not end a run of others
        message = f"{target} cannot be described: {described_error(error)}"
    return Implementation(name=name, target=target, status=BROKEN, message=message, device=device)


def _described_here(adapter: type[Adapter], target: str, device: str) -> Implementation:
    implementation = _from_description(target, describe_adapter(adapter), device)
    missing = [module for module in adapter.requires if not _importable(module)]
    if missing:
        message = f"{', '.join(missing)} not installed; run: {adapter.install}"
        return replace(implementation, status=NOT_INSTALLED, message=message)
    if device not in adapter.capabilities.devices:
        devices = ", ".join(adapter.capabilities.devices)
        return replace(implementation, status=BROKEN, message=f"it has no device {device!r}; it declares {devices}")
    return replace(implementation, versions=_versions(adapter(device=device), target))


def _versions(adapter: Adapter, target: str) -> dict[str, str]:
    """What `versions()` gives.

    Raises:
        TargetError: it does not give texts by name.
    """
    versions = adapter.versions()
    if isinstance(versions, Mapping) and all(isinstance(text, str) for pair in versions.items() for text in pair):
        return {one_line(name): one_line(version) for name, version in versions.items()}
    raise TargetError(f"versions() of {target} gives {one_line(repr(versions), 80)}; expected texts by name")


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _from_description(target: str, description: Description, device: str) -> Implementation:
    capabilities = capabilities_from_json(description.capabilities)
    check_capabilities(capabilities, target)
    return Implementation(
        name=description.name,
        target=target,
        convention=Convention.from_json(dict(description.convention)),
        capabilities=capabilities,
        framework=description.framework,
        environment=dict(description.environment),
        install=description.install,
        group=description.group,
        device=device,
        notes=tuple(description.notes),
        inherits=tuple(description.inherits),
        versions=_installed(description.requires),
    )


def _installed(requires: Iterable[str]) -> dict[str, str]:
    """The versions of modules that are distributions of the same name, by name."""
    found = {}
    for name in requires:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def from_adapter(adapter: type[Adapter], target: str, device: str = "cpu") -> Implementation:
    """The implementation of an adapter class of a user's, which is loaded in this process already.

    Raises:
        TargetError: it declares something that is not declarable, does not run on the device, or has the name of a
            registered implementation.
    """
    try:
        implementation = _from_description(target, describe_adapter(adapter), device)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TargetError(f"{target} declares something that is not declarable: {described_error(error)}") from None
    devices = implementation.capabilities.devices
    if device not in devices:
        raise TargetError(f"{implementation.name} runs on {', '.join(devices)}; name one of these")
    _check_name(implementation, _targets(plug_ins(GROUP)))
    return replace(implementation, registered=False)


def from_target(target: str, device: str = "cpu") -> Implementation:
    """The implementation of a user's target, described in a worker process.

    Raises:
        TargetError: it names no usable adapter.
    """
    if (target, device) in _DESCRIBED:
        return _DESCRIBED[target, device]
    with kept_processes():
        stated, likely = (
            filled_in(variables, device, kept_cache())
            for variables in (environment_of(target), likely_environment(target))
        )
        try:
            if likely != stated:
                _look_for_kind(likely, target, device)
            return _described_in(stated, target, device)
        except NeedsEnvironment as error:  # the process that imported its framework is kept for it
            return from_target(NeedsEnvironment.target_in(str(error)), device)


def _look_for_kind(variables: Mapping[str, str], target: str, device: str) -> None:
    """Load a target under a guess of its environment, which is no more than a guess: no other error counts.

    Raises:
        NeedsEnvironment: it must be loaded by its kind.
    """
    try:
        _described_in(variables, target, device)
    except NeedsEnvironment:
        raise
    except TargetError:
        pass


def _described_in(variables: Mapping[str, str], target: str, device: str) -> Implementation:
    """The implementation of a target, described in a worker process with some environment variables.

    Raises:
        NeedsEnvironment: it must be loaded by its kind, with the variables of that.
        TargetError: it names no usable adapter.
    """
    process = process_for(variables)
    try:
        description = IsolatedHost(process, target, device).description
    except LayerError as error:
        refusal = NeedsEnvironment if error.kind == NeedsEnvironment.__name__ else TargetError
        raise refusal(error.message) from None
    except HostLost as lost:
        raise TargetError(f"{target} cannot be imported: {lost.message}") from None
    finally:
        leave(process)
    try:
        return replace(_from_description(target, description, device), registered=False)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TargetError(f"{target} declares something that is not declarable: {described_error(error)}") from None


_DESCRIBED: dict[tuple[str, str], Implementation] = {}


@contextmanager
def described_once(target: str, device: str) -> Iterator[Implementation]:
    """The implementation of a target, which is not described again within the block; its process is kept so long.

    Raises:
        TargetError: it names no usable adapter.
    """
    with kept_processes():
        _DESCRIBED[target, device] = implementation = from_target(target, device)
        try:
            yield implementation
        finally:
            del _DESCRIBED[target, device]


def find(names: Iterable[str], device: str = "cpu") -> list[Implementation]:
    """Implementations by name, pattern (`keras*`) or target; without names every one of the default group.

    Raises:
        UnknownImplementation: a name matches nothing.
        TargetError: a target names no usable adapter, or one whose name another implementation has.
    """
    wanted = list(names)
    if not wanted:
        return [entry for entry in registered(device).values() if entry.group == "default"]
    known = plug_ins(GROUP)
    chosen: dict[str, Implementation] = {}
    for name in wanted:
        if name in known:
            chosen |= _described({name: known[name]}, device)
        elif is_target(name):
            implementation = from_target(name, device)
            _check_name(implementation, [*_targets(known), *((entry.name, entry.target) for entry in chosen.values())])
            chosen[implementation.name] = implementation
        else:
            chosen |= _described({found: known[found] for found in _matching(name, sorted(known))}, device)
    return list(chosen.values())


def _targets(plugged: Mapping[str, Sequence[EntryPoint]]) -> list[tuple[str, str]]:
    """The name and the target of each entry point."""
    return [(name, point.value) for name, points in plugged.items() for point in points]


def _check_name(implementation: Implementation, others: Iterable[tuple[str, str]]) -> None:
    """Check that no other adapter has the name: results would take the one for the other.

    Args:
        implementation: whose name it is.
        others: names and targets.

    Raises:
        TargetError: one has; the message names both.
    """
    for name, target in others:
        if name == implementation.name and target != implementation.target:
            raise TargetError(f"{implementation.target} and {target} are both named {name}; give one another name")


def _matching(pattern: str, known: Sequence[str]) -> list[str]:
    matches = [name for name in known if matches_pattern(name, pattern)]
    if not matches:
        hint = did_you_mean(
            pattern,
            known,
            f"there are {', '.join(known)}, or give path/to/file.py:Class, module:Class or KIND=file.py:Class",
        )
        raise UnknownImplementation(f"there is no implementation {pattern!r}{hint}")
    return matches
