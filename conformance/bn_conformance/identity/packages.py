"""Installed distributions as they are now: their versions, what was installed, and what was changed since."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from bn_conformance.identity.own_files import file_digest
from bn_conformance.identity.owners import owners

OWN = "bnconform"
"""The suite's own distribution, whose files `bn_conformance.identity.fingerprint` looks at one by one."""


@dataclass(frozen=True)
class State:
    """The state of distributions: a digest of it, and why it is not known in full (empty where it is)."""

    digest: str
    gap: str = ""


def state_of(modules: Iterable[str], names: Iterable[str] = ()) -> State:
    """The state of the distributions that some top-level modules come from, and of all that these require.

    Args:
        modules: top-level names.
        names: names of more distributions.
    """
    wanted = {_normal(name) for module in modules for name in owners(module)}
    wanted |= {_normal(name) for name in names}
    whole, gaps = hashlib.sha256(), list[str]()
    for name in sorted(_with_requirements(wanted) - {OWN}):
        one = _state(name)
        whole.update(f"{name}\0{one.digest}\n".encode())
        gaps += [one.gap] if one.gap else []
    return State(whole.hexdigest()[:32], gaps[0] if gaps else "")


def _normal(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


@cache
def _found(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        return None


def _with_requirements(names: set[str]) -> set[str]:
    """The distributions, and all that they require here, however far."""
    known: set[str] = set()
    left = [(name, "") for name in names]
    seen = set(left)
    while left:
        name, extra = left.pop()
        if _found(name) is None:
            continue
        known.add(name)
        new = [entry for entry in _requirements(name, extra) if entry not in seen]
        seen.update(new)
        left += new
    return known


@cache
def _requirements(name: str, extra: str) -> tuple[tuple[str, str], ...]:
    """What a distribution requires here, with one of its extras or none: pairs of a name and an extra, or none."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = _found(name)
    needed = []
    for text in (found.requires if found else None) or ():
        with suppress(InvalidRequirement):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed += [(_normal(requirement.name), wanted) for wanted in ("", *sorted(requirement.extras))]
    return tuple(needed)


@cache
def _state(name: str) -> State:
    """The state of one distribution. Files that were changed after it was installed count with their content."""
    found = _found(name)
    assert found is not None
    if _is_editable(found):
        return State(found.version, f"{name} is installed in editable mode")
    record = found.read_text("RECORD")
    if not record:
        return State(found.version, f"nothing says which files {name} consists of")
    rows = [row for row in csv.reader(record.splitlines()) if len(row) > 1]
    installed = _installed_at(found, rows)
    if installed is None:
        return State(found.version, f"nothing says when {name} was installed")
    digest, base = hashlib.sha256(found.version.encode()), str(found.locate_file(""))
    for path, expected in sorted((path, expected) for path, expected, *_ in rows if _is_installed_as_it_is(path)):
        digest.update(f"{path}\0{expected}\n".encode())
        try:
            changed = os.stat(f"{base}/{path}").st_mtime_ns > installed  # noqa: PTH116 - tens of thousands of them
        except OSError:
            digest.update(b"gone\n")
            continue
        if changed:
            digest.update(f"now {file_digest(Path(base) / path)}\n".encode())
    return State(digest.hexdigest()[:32])


def _is_editable(found: Distribution) -> bool:
    text = found.read_text("direct_url.json")
    try:
        return bool(text) and bool(json.loads(text or "").get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False


def _installed_at(found: Distribution, rows: list[list[str]]) -> int | None:
    """When a distribution was installed, in nanoseconds: installers write RECORD last."""
    own = next((path for path, *_ in rows if path.endswith(".dist-info/RECORD")), None)
    try:
        return None if own is None else Path(str(found.locate_file(own))).stat().st_mtime_ns
    except OSError:
        return None


def _is_installed_as_it_is(path: str) -> bool:
    """Whether a file in RECORD is the same wherever it is installed: no script, no bytecode, no installer's note."""
    return not path.startswith("..") and not path.endswith(".pyc") and ".dist-info/" not in path
