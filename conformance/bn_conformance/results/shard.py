"""Shards: parts of a run for several machines, written `K/N`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.user_error import UserError


class ShardError(UserError):
    """A shard is no part of a run, or several are no whole one; the message says what to do."""


@dataclass(frozen=True)
class Shard:
    """One of several parts: `number` of `count`, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard of a text such as `2/3`.

        Raises:
            ShardError: the text is no shard.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text, re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ShardError(f"a shard is {text!r}; write K/N with K from 1 to N, such as 1/3")
        return cls(int(match[1]), int(match[2]))


def check_complete(parts: Iterable[tuple[str, str]]) -> None:
    """Check that files are the shards of one run, each once.

    Args:
        parts: path and shard (`1/3`) of each file.

    Raises:
        ShardError: one is missing, is there twice, or is of another division.
    """
    shards = [(path, Shard.parse(text)) for path, text in parts]
    first_path, first = shards[0]
    paths: dict[int, str] = {}
    for path, shard in shards:
        if shard.count != first.count:
            raise ShardError(f"cannot merge: {first_path} is one of {first.count} shards, {path} one of {shard.count}")
        if shard.number in paths:
            twice = f"{paths[shard.number]} and {path} are both shard {shard.number}/{shard.count}"
            raise ShardError(f"cannot merge: {twice}; leave one out")
        paths[shard.number] = path
    missing = [str(number) for number in range(1, first.count + 1) if number not in paths]
    if missing:
        raise ShardError(f"cannot merge: shard {', '.join(missing)} of {first.count} is missing; name its file, too")
