"""One implementation that can be judged: what its adapter declares, as plain data, and whether it can run here."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.targets.description import capabilities_from_json, capabilities_to_json

OK = "ok"
NOT_INSTALLED = "not-installed"
BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """An implementation; the attributes that are not listed are those of its `Adapter`.

    Attributes:
        target: names the adapter.
        status: whether it can run here: OK, NOT_INSTALLED or BROKEN.
        message: why it cannot.
        versions: of its distributions, by name.
        device: that it runs on.
        registered: whether its name names it on the command line.
        notes: what a wrapper found of a user's code, in sentences.
        inherits: names of registered implementations whose known faults are its own.
    """

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
    inherits: tuple[str, ...] = ()

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
        return asdict(self) | {
            "convention": self.convention.to_json(),
            "capabilities": capabilities_to_json(self.capabilities),
            "environment": dict(self.environment),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Implementation:
        """The inverse of `to_json`."""
        objects = {
            "convention": Convention.from_json(data["convention"]),
            "capabilities": capabilities_from_json(data["capabilities"]),
            "notes": tuple(data.get("notes", ())),
            "inherits": tuple(data.get("inherits", ())),
        }
        return cls(**(data | objects))


def filled_in(environment: Mapping[str, str], device: str, cache: str = "") -> dict[str, str]:
    """Environment variables as an adapter declares them, with the device and the cache filled in.

    Without a cache, the variables that name one are left out.
    """
    return {
        name: text.replace("{device}", device).replace("{cache}", cache)
        for name, text in environment.items()
        if cache or "{cache}" not in text
    }


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether a text matches a pattern of `*` and `?`; brackets stand for themselves."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def any_matches(texts: Collection[str], pattern: str) -> bool:
    """Whether one of many texts matches a pattern as in `matches_pattern`."""
    if not {*pattern} & {"*", "?"}:
        return pattern in texts
    return any(map(re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match, texts))
