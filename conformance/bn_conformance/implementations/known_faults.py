"""Known faults: failures that are expected of certain versions, each with a reason and a link.

A known fault does not fail a run. An entry that applies to what was run but matches no failure any more is stale and
fails the run, so that the list never outlives what it lists. The file is TOML, a table `[[fault]]` for each entry:

    [[fault]]
    implementation = "torch.nn*"            # a pattern of * and ?
    case = "edge/*/inf-in-dy"               # a pattern of case ids, or a list of them, or: clause = "EDGE-4"
    versions = { torch = ">=2.0,<3" }       # optional: version specifiers by distribution
    platform = "linux"                      # optional: prefix of sys.platform
    device = "*"                            # optional: a pattern; the CPU alone without it, whose kernels are others
    varies = true                           # optional: some processors round such that nothing fails; never stale
    reason = "why it is a fault and what it does"
    example = "torch.nn::edge/nchw/float32/inf-in-dy"    # optional: an item that `bnconform repro` shows it with
    link = "where it is tracked"
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import Implementation, any_matches, matches_pattern
from bn_conformance.reading import UnusableText, text_of
from bn_conformance.text import did_you_mean, one_line
from bn_conformance.user_error import UserError
from bn_reference.specification.clauses import clauses

LARGEST_FILE = 1 << 24
"""Bytes of a file that is read at all."""

DRAFT = "DRAFT:"
"""How the reason of an entry begins that nobody has completed yet."""

_HEAD = re.compile(r"\s*\[\[\s*fault\s*\]\]\s*(#.*)?$")


class KnownFaultsError(UserError):
    """A file of known faults cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class KnownFault:
    """One entry, with where it stands."""

    implementation: str
    reason: str
    case: str | Sequence[str] = ""
    clause: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    device: str = "cpu"
    varies: bool = False
    example: str = ""
    link: str = ""
    file: str = ""
    line: int = 0

    def applies_to(self, implementation: Implementation) -> bool:
        """Whether the entry speaks of this implementation in this version on this platform."""
        names = (implementation.name, *implementation.inherits)
        if not any(matches_pattern(name, self.implementation) for name in names):
            return False
        if not matches_pattern(implementation.device, self.device):
            return False
        if self.platform and not sys.platform.startswith(self.platform):
            return False
        return all(_satisfies(implementation.versions.get(name), wanted) for name, wanted in self.versions.items())

    def covers(self, case: Case) -> bool:
        """Whether the entry speaks of this case."""
        if self.patterns:
            return any(matches_pattern(case.id, pattern) for pattern in self.patterns)
        return self.clause in case.clauses

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of case ids; none where the entry names a clause."""
        return tuple(filter(None, (self.case,) if isinstance(self.case, str) else self.case))

    @property
    def parts(self) -> tuple[KnownFault, ...]:
        """An entry for each pattern, so that each can be looked at alone; the entry itself where it names a clause."""
        return tuple(replace(self, case=pattern) for pattern in self.patterns) or (self,)

    @property
    def title(self) -> str:
        """The entry in a line; of several patterns the first."""
        more = f" and {len(self.patterns) - 1} more" if len(self.patterns) > 1 else ""
        return f"{self.implementation}: {(self.patterns or (self.clause,))[0]}{more}: {self.reason}" + (
            f" ({self.link})" if self.link else ""
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as plain data."""
        return asdict(self)


def _satisfies(version: str | None, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return version is not None and SpecifierSet(wanted).contains(version, prereleases=True)


@cache
def shipped() -> tuple[KnownFault, ...]:
    """The known faults of the frameworks, as shipped with the suite."""
    text = files("bn_conformance.implementations").joinpath("known_faults.toml").read_text(encoding="utf-8")
    return tuple(parse_known_faults(text, "known_faults.toml"))


def load_known_faults(path: str | Path) -> list[KnownFault]:
    """The entries of a file of one's own.

    Raises:
        KnownFaultsError: it cannot be read, or an entry is not allowed.
    """
    try:
        text = text_of(path, LARGEST_FILE)
    except UnusableText as error:
        raise KnownFaultsError(f"{path}: {error}; name a TOML file of known faults") from None
    return parse_known_faults(text, str(path))


def parse_known_faults(text: str, file: str) -> list[KnownFault]:
    """The entries of a TOML text.

    Raises:
        KnownFaultsError: the text is not TOML, or an entry is not allowed.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KnownFaultsError(f"{file}: is not TOML ({one_line(str(error))})") from None
    except ValueError:  # of int()
        raise KnownFaultsError(f"{file}: is not TOML (an integer has too many digits)") from None
    except RecursionError:
        raise KnownFaultsError(f"{file}: is not TOML of ours (nested too deeply)") from None
    entries = tables.get("fault", [])
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _HEAD.match(line)]
    if tables.keys() - {"fault"} or not isinstance(entries, list) or len(entries) != len(lines):
        raise KnownFaultsError(f"{file}: holds something other than tables [[fault]]; write each entry as one")
    return [_entry(entry, file, line) for entry, line in zip(entries, lines, strict=True)]


def _entry(entry: dict[str, Any], file: str, line: int) -> KnownFault:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fault = KnownFault(**entry, file=file, line=line)
        for wanted in fault.versions.values():
            SpecifierSet(wanted)
    except (TypeError, InvalidSpecifier, AttributeError) as error:
        message = str(error).removeprefix("KnownFault.__init__() ")
        raise KnownFaultsError(f"{file}, line {line}: {message}") from None
    texts = ("implementation", "reason", "clause", "platform", "device", "example", "link")
    wrong = [name for name in texts if not isinstance(getattr(fault, name), str)]
    if wrong:
        raise KnownFaultsError(f"{file}, line {line}: {wrong[0]} is {getattr(fault, wrong[0])!r}; give a text")
    if not isinstance(fault.varies, bool):
        raise KnownFaultsError(f"{file}, line {line}: varies is {fault.varies!r}; give true or false")
    given = [fault.case] if isinstance(fault.case, str) else fault.case
    if not isinstance(given, list) or not all(isinstance(pattern, str) for pattern in given):
        raise KnownFaultsError(f"{file}, line {line}: case is {fault.case!r}; give a text, or a list of texts")
    if fault.reason.lstrip().startswith(DRAFT):
        raise KnownFaultsError(f"{file}, line {line}: the reason is a draft; say why it is a fault and what it does")
    if bool(fault.patterns) == bool(fault.clause):
        raise KnownFaultsError(f"{file}, line {line}: give either case or clause")
    if fault.clause and fault.clause not in clauses():
        hint = did_you_mean(fault.clause, clauses(), "bnconform list --clauses shows them")
        raise KnownFaultsError(f"{file}, line {line}: there is no clause {fault.clause!r}{hint}")
    return fault


def applying(faults: Iterable[KnownFault], implementation: Implementation) -> list[KnownFault]:
    """The entries that speak of an implementation."""
    return [fault for fault in faults if fault.applies_to(implementation)]


def covering(faults: Iterable[KnownFault], case: Case) -> KnownFault | None:
    """The first of some entries that speaks of a case."""
    return next((fault for fault in faults if fault.covers(case)), None)


def require_cases(faults: Iterable[KnownFault], cases: Collection[str]) -> None:
    """Refuse an entry that speaks of no case that exists: it would excuse nothing, and never be called stale.

    Raises:
        KnownFaultsError: an entry's pattern matches none of the ids `cases`.
    """
    for fault in faults:
        for pattern in fault.patterns:
            if not any_matches(cases, pattern):
                hint = did_you_mean(pattern.strip("*"), cases, "bnconform list --cases shows them")
                raise KnownFaultsError(f"{fault.file}, line {fault.line}: no case matches {pattern!r}{hint}")


def shipped_and_own(paths: Iterable[str]) -> tuple[KnownFault, ...]:
    """The known faults that come with the suite, and those of a person's files.

    Raises:
        KnownFaultsError: a file cannot be read, or an entry is wrong.
    """
    return (*shipped(), *(fault for path in paths for fault in load_known_faults(path)))
