"""Implementations: who can be judged, found by registered name or by target, as plain data.

Finding them imports no framework: registered adapters are described in this process (their modules import nothing but
the contract), a user's own in a worker process, where a crash or a slow import does no harm.
"""

from __future__ import annotations

import fnmatch
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from typing import Any

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.targets.description import capabilities_from_json, capabilities_to_json, describe
from bn_conformance.targets.loading import load_adapter
from bn_conformance.targets.naming import TargetError, is_target
from bn_conformance.user_error import UserError

GROUP = "bnconform.adapters"
"""The entry point group in which distributions register adapters, by the name of the implementation."""

OK = "ok"
NOT_INSTALLED = "not-installed"
BROKEN = "broken"


class UnknownImplementation(UserError):
    """A name names no implementation; the message lists those there are."""


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One implementation: what its adapter declares, and whether it can run here."""

    name: str
    target: str
    convention: Convention = field(default_factory=Convention)
    capabilities: Capabilities = field(default_factory=Capabilities)
    framework: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    install: str = ""
    group: str = "default"
    status: str = OK
    message: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    registered: bool = True
    notes: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What names it on the command line: its name, or its target where it is not registered."""
        return self.name if self.registered else self.target

    @property
    def process_key(self) -> tuple[Any, ...]:
        """Implementations with equal keys may share a process, one after the other."""
        return (self.framework or self.target, tuple(sorted(self.environment.items())))

    def variables(self, cache: str = "") -> dict[str, str]:
        """The environment variables of a process for it; `cache` as in `Adapter.environment`."""
        return filled_in(self.environment, self.device, cache)

    def to_json(self) -> dict[str, Any]:
        """The implementation as plain data."""
        data = asdict(self)
        return data | {
            "convention": self.convention.to_json(),
            "capabilities": capabilities_to_json(self.capabilities),
            "environment": dict(self.environment),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Implementation:
        """The inverse of `to_json`."""
        return cls(
            **(
                data
                | {
                    "convention": Convention.from_json(data["convention"]),
                    "capabilities": capabilities_from_json(data["capabilities"]),
                    "notes": tuple(data.get("notes", ())),
                }
            )
        )


def filled_in(environment: Mapping[str, str], device: str, cache: str = "") -> dict[str, str]:
    """Environment variables as an adapter declares them, with the device and, where there is one, the cache filled in.

    Variables that name a cache which there is not are left out.
    """
    return {
        name: text.replace("{device}", device).replace("{cache}", cache)
        for name, text in environment.items()
        if cache or "{cache}" not in text
    }


def registered(device: str = "cpu") -> dict[str, Implementation]:
    """Every registered implementation by name, frameworks together."""
    found = [_registered(point.name, point.value, device) for point in entry_points(group=GROUP)]
    return {entry.name: entry for entry in sorted(found, key=lambda entry: (entry.framework, entry.name))}


def _registered(name: str, target: str, device: str) -> Implementation:
    try:
        adapter = load_adapter(target)
    except TargetError as error:
        return Implementation(name=name, target=target, status=BROKEN, message=str(error), device=device)
    described = _described(target, describe(adapter), device)
    missing = [module for module in adapter.requires if not _importable(module)]
    if missing:
        message = f"{', '.join(missing)} not installed; run: {adapter.install}"
        return _replace(described, status=NOT_INSTALLED, message=message)
    if device not in adapter.capabilities.devices:
        devices = ", ".join(adapter.capabilities.devices)
        return _replace(described, status=BROKEN, message=f"it has no device {device!r}; it declares {devices}")
    return _replace(described, versions=dict(adapter(device=device).versions()))


def _replace(implementation: Implementation, **changes: Any) -> Implementation:
    from dataclasses import replace

    return replace(implementation, **changes)


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _described(target: str, described: Mapping[str, Any], device: str) -> Implementation:
    return Implementation(
        name=described["name"],
        target=target,
        convention=Convention.from_json(described["convention"]),
        capabilities=capabilities_from_json(described["capabilities"]),
        framework=described["framework"],
        environment=described["environment"],
        install=described["install"],
        group=described["group"],
        device=device,
        notes=tuple(described.get("notes", ())),
    )


def from_target(target: str, device: str = "cpu") -> Implementation:
    """The implementation of a user's target, described in a worker process.

    Raises:
        TargetError: it names no usable adapter.
    """
    if (target, device) in _DESCRIBED:
        return _DESCRIBED[target, device]
    from bn_conformance.hosting.host import HostLost, LayerError
    from bn_conformance.hosting.isolated import IsolatedHost
    from bn_conformance.hosting.process import Process
    from bn_conformance.targets.wrappers import environment_of

    process = Process(filled_in(environment_of(target), device))
    try:
        description = IsolatedHost(process, target, device).description
    except LayerError as error:
        raise TargetError(error.message) from None
    except HostLost as lost:
        raise TargetError(f"{target} cannot be imported: {lost.message}") from None
    finally:
        process.close()
    try:
        return _replace(_described(target, description, device), registered=False)
    except (TypeError, ValueError, KeyError) as error:
        raise TargetError(f"{target} declares something that is not declarable: {error}") from None


_DESCRIBED: dict[tuple[str, str], Implementation] = {}


@contextmanager
def described_once(target: str, device: str) -> Iterator[Implementation]:
    """The implementation of a target, which within the block is not described again.

    Raises:
        TargetError: it names no usable adapter.
    """
    _DESCRIBED[target, device] = found = from_target(target, device)
    try:
        yield found
    finally:
        del _DESCRIBED[target, device]


def find(names: Iterable[str], device: str = "cpu") -> list[Implementation]:
    """Implementations by name, pattern (`keras*`) or target; without names every one of the default group.

    Raises:
        UnknownImplementation: a name matches nothing.
        TargetError: a target names no usable adapter.
    """
    known = registered(device)
    wanted = list(names)
    if not wanted:
        return [entry for entry in known.values() if entry.group == "default"]
    found: dict[str, Implementation] = {}
    for name in wanted:
        if name in known:
            found[name] = known[name]
        elif is_target(name):
            implementation = from_target(name, device)
            found[implementation.name] = implementation
        else:
            matches = [entry for entry in known.values() if matches_pattern(entry.name, name)]
            if not matches:
                raise UnknownImplementation(
                    f"there is no implementation {name!r}; there are {', '.join(known)}, "
                    "or give path/to/file.py:Class, module:Class or KIND=file.py:Class"
                )
            found |= {entry.name: entry for entry in matches}
    return list(found.values())


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether a text matches a pattern of `*` and `?`; brackets stand for themselves."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
