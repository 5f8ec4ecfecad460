"""Published sets of cases: what a run may hold somebody to, however many cases come later.

A set is a file of a line for each case: a digest of its id and one of all that the case is. A case that is not in the
set, or is not what it was then, is *newer* than the set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from bn_conformance.cases.model import Case
from bn_conformance.catalogue.digest import digest_of
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError

_DIGITS = 8
_SUFFIX = ".txt"


class UnknownSet(UserError):
    """There is no published set of that name."""


@cache
def published_sets() -> tuple[str, ...]:
    """The names of all published sets, the oldest first."""
    names = [path.name for path in files("bn_conformance.catalogue").joinpath("sets_of_cases").iterdir()]
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


@cache
def read_set(name: str) -> Mapping[str, str]:
    """The digests of the cases of a set, by the digests of their ids.

    Raises:
        UnknownSet: there is none of that name.
    """
    if name not in published_sets():
        there = f"there are {', '.join(published_sets())}"
        raise UnknownSet(f"there is no set of cases {name!r}{did_you_mean(name, published_sets(), there)}")
    text = files("bn_conformance.catalogue").joinpath("sets_of_cases", name + _SUFFIX).read_text(encoding="ascii")
    return dict(line.split() for line in text.splitlines())


def newer_than(name: str, cases: Iterable[Case]) -> frozenset[str]:
    """Ids of the cases that came after a set, or have changed since.

    Raises:
        UnknownSet: there is none of that name.
    """
    known = read_set(name)
    return frozenset(case.id for case in cases if known.get(id_digest(case.id)) != _short(digest_of(case)))


def set_of(cases: Iterable[Case]) -> str:
    """The text of a set of cases."""
    pairs = {id_digest(case.id): _short(digest_of(case)) for case in cases}
    return "".join(f"{known} {content}\n" for known, content in sorted(pairs.items()))


def id_digest(case_id: str) -> str:
    """A digest of an id, as a set holds it."""
    return _short(hashlib.sha256(case_id.encode()).hexdigest())


def _short(digest: str) -> str:
    return digest[:_DIGITS]
