"""Formats of weights files: what reads and writes one is registered by its own side, and imported when it is used."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings
from bn_conformance.targets.errors import described_error
from bn_conformance.targets.plug_ins import plug_ins
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError

GROUP = "bnconform.weight-files"
"""The entry point group in which distributions register a `WeightsFormat`, by name."""

REASON = 240
"""Characters of the reason why a file cannot be read."""


@dataclass(frozen=True)
class WeightsFormat:
    """A format of weights files.

    Attributes:
        title: what such a file is, in a few words with an article.
        suffixes: endings of its files; empty for a folder.
        naming: of the framework that the format belongs to; empty where it is nobody's.
        requires, install: modules that must be importable, and the command that installs them.
        read: gives the content of a file. It never unpickles, and raises anything where it cannot.
        write: writes a file: its path, the existing file that is kept but for these arrays (None for a fresh file),
            the arrays, and settings by name of a layer.
        why_not_fresh: why a file that holds batch normalisation alone is of no use; empty where it is of use.
        holds_settings: whether the format has settings of layers.
        advice: what to do where a file cannot be read.
    """

    title: str
    suffixes: tuple[str, ...]
    naming: str
    requires: tuple[str, ...]
    install: str
    read: Callable[[Path], Content]
    write: Callable[[Path, Path | None, Mapping[Key, Array], Mapping[str, Settings]], None]
    why_not_fresh: str = ""
    holds_settings: bool = False
    advice: str = "is it whole, and of that format?"


@cache
def weights_formats() -> Mapping[str, WeightsFormat]:
    """Every registered format, by name."""
    return {name: points[0].load() for name, points in sorted(plug_ins(GROUP).items())}


def format_of_path(path: Path) -> WeightsFormat:
    """The format that the ending of a name says, or that of folders.

    Raises:
        UserError: no format has this ending, or what the format needs is not installed.
    """
    by_suffix = {suffix: entry for entry in weights_formats().values() for suffix in entry.suffixes}
    matching = [suffix for suffix in by_suffix if path.name.lower().endswith(suffix)]
    folders = [entry for entry in weights_formats().values() if not entry.suffixes]
    if matching:
        chosen = by_suffix[max(matching, key=len)]
    elif folders and (path.is_dir() or not path.suffix):
        chosen = folders[0]
    else:
        raise UserError(
            f"{one_line(str(path))} has an unknown ending; known are {', '.join(sorted(by_suffix))}, and a folder"
        )
    missing = [module for module in chosen.requires if importlib.util.find_spec(module) is None]
    if missing:
        needed = " and ".join(missing)
        raise UserError(f"{one_line(path.name)} needs {needed}, which is not installed; run: {chosen.install}")
    return chosen


def read_weights(path: Path) -> Content:
    """The content of a weights file.

    Raises:
        UserError: it does not exist, has no known format, or cannot be read as one.
    """
    if not path.exists():
        raise UserError(f"{one_line(str(path))} does not exist; name a weights file")
    chosen = format_of_path(path)
    try:
        return chosen.read(path)
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        why = one_line(described_error(error), REASON)
        raise UserError(f"{one_line(str(path))} cannot be read as {chosen.title} ({why}); {chosen.advice}") from None


def check_size(declared: int, stored: int) -> None:
    """Hold what a file declares against what it stores: weights are hardly compressible.

    Raises:
        ValueError: it would grow a hundredfold when it is read, beyond 64 MiB.
    """
    if declared > (1 << 26) + 100 * stored:
        raise ValueError(f"it declares {declared:,} bytes and stores {stored:,}")
