"""How a framework names what a layer holds: registered by the framework's own side, since nothing here knows one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache

from bn_conformance.convert.content import Content, Key
from bn_conformance.convert.layers import Slots
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.implementations.registry import find
from bn_conformance.targets.plug_ins import plug_ins
from bn_conformance.user_error import UserError

GROUP = "bnconform.weight-names"
"""The entry point group in which distributions register a `Naming`, by the name that `--to` takes."""


@dataclass(frozen=True)
class Naming:
    """How a framework names layers and their arrays.

    Attributes:
        title: the framework, as people write it.
        implementations: names of registered implementations that run its layer; the first that is installed is run.
        eps, momentum: what the layer's constructor calls them.
        find: the layers of a file, in the order of the model as far as the file has it. Its second argument is the
            role that a layer of three vectors lacks, or empty.
        keys: where a fresh file keeps a layer of this path that has these roles.
    """

    title: str
    implementations: tuple[str, ...]
    eps: str
    momentum: str
    find: Callable[[Content, str], list[Slots]]
    keys: Callable[[Key, Collection[str]], Mapping[str, Key]]

    def implementation(self) -> Implementation:
        """The implementation that is run, or the first one with the reason why none can be."""
        entries = [entry for name in self.implementations for entry in find([name])]
        return next((entry for entry in entries if entry.status == OK), entries[0])


@cache
def namings() -> Mapping[str, Naming]:
    """Every registered naming, by name."""
    return {name: points[0].load() for name, points in sorted(plug_ins(GROUP).items())}


def naming_called(name: str) -> Naming:
    """A registered naming.

    Raises:
        UserError: there is none of this name.
    """
    if name not in namings():
        raise UserError(f"there is no naming {name!r}; there are {', '.join(namings())}")
    return namings()[name]


def found_layers(content: Content, lacking: str, prefer: str = "") -> tuple[str, list[Slots]]:
    """The naming that a file follows, and its layers; no layers where it has none that any naming knows.

    Args:
        content: of the file.
        lacking: the role that a layer of three vectors lacks, or empty.
        prefer: the naming of the file's format, where it has one.
    """
    found = {name: naming.find(content, lacking) for name, naming in namings().items()}
    return max(found.items(), key=lambda entry: (len(entry[1]), entry[0] == prefer), default=(prefer, []))
