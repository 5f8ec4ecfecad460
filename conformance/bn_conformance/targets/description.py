"""What an adapter declares, as plain data that crosses a process boundary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bn_conformance.adapter import Adapter, Capabilities
from bn_conformance.targets.literals import literals_note, undeclared_literals


@dataclass(frozen=True)
class Description:
    """What an adapter declares; `limits` says whether it has a `supports` of its own.

    `notes` and `inherits` are those of a wrapper: what it found of a user's code, and the registered implementations
    whose known faults are its own, since it calls the same kernel.
    """

    name: str
    convention: Mapping[str, Any]
    capabilities: Mapping[str, Any]
    framework: str
    environment: Mapping[str, str]
    requires: Sequence[str]
    install: str
    group: str
    limits: bool
    notes: Sequence[str]
    inherits: Sequence[str] = ()


def describe_adapter(adapter: type[Adapter]) -> Description:
    """What an adapter class declares, as plain data; literals that it has and does not declare are among them."""
    literals, can = undeclared_literals(adapter), adapter.capabilities
    if literals:
        can = replace(can, literals=can.literals | set(literals))  # type: ignore[arg-type]
    return Description(
        name=adapter.name,
        convention=adapter.convention.to_json(),
        capabilities=capabilities_to_json(can),
        framework=adapter.framework,
        environment=dict(adapter.environment),
        requires=list(adapter.requires),
        install=adapter.install,
        group=adapter.group,
        limits=adapter.supports is not Adapter.supports,
        notes=[*getattr(adapter, "notes", ()), *[literals_note(literals)] * bool(literals)],
        inherits=list(getattr(adapter, "inherits", ())),
    )


def capabilities_to_json(capabilities: Capabilities) -> dict[str, Any]:
    """Capabilities as plain data, sets sorted."""
    return {name: _plain(name, value) for name, value in vars(capabilities).items()}


def _plain(name: str, value: Any) -> Any:
    if name == "devices":
        return list(value)
    if isinstance(value, bool):
        return value
    return sorted(list(entry) if isinstance(entry, tuple) else entry for entry in value)


def capabilities_from_json(data: Mapping[str, Any]) -> Capabilities:
    """The inverse of `capabilities_to_json`.

    Raises:
        TypeError: a key is unknown.
    """
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name == "devices":
            values[name] = tuple(value)
        elif isinstance(value, list):
            values[name] = frozenset(tuple(entry) if isinstance(entry, list) else entry for entry in value)
        else:
            values[name] = value
    return Capabilities(**values)
