"""Nested dictionaries and lists of arrays, as frameworks save them, and the flat arrays of them by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bn_conformance.convert.content import Key

DEEPEST = 64
"""Levels of a tree; what lies deeper is no model."""


def leaves_of(tree: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every leaf of a tree with its key. A text with points or slashes is several parts of a key.

    Raises:
        ValueError: the tree is nested too deeply, or two leaves have one key.
    """
    seen: set[Key] = set()
    for found, leaf in _leaves(tree, key):
        if found in seen:
            raise ValueError(f"two arrays are called {'.'.join(found)[:100]!r}")
        seen.add(found)
        yield found, leaf


def _leaves(tree: Any, key: Key, depth: int = 0) -> Iterator[tuple[Key, Any]]:
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(tree, Mapping):
        entries: Any = tree.items()
    elif isinstance(tree, list | tuple):
        entries = enumerate(tree)
    else:
        yield key, tree
        return
    for name, entry in entries:
        yield from _leaves(entry, (*key, *parts_of_name(str(name))), depth + 1)


def parts_of_name(name: str) -> Key:
    """A name in parts: at slashes where there are any, else at points."""
    return tuple(name.split("/" if "/" in name else "."))


def replaced(tree: Any, changes: Mapping[Key, Any], like: Callable[[Any, Any], Any], key: Key = ()) -> Any:
    """A tree with other leaves at some keys, in the same types of containers.

    Args:
        tree: dictionaries, lists and leaves.
        changes: the new leaves.
        like: makes a leaf of the tree's kind of a new one; gets the old and the new.
        key: of the tree itself.
    """
    if isinstance(tree, dict):
        for name, entry in tree.items():
            tree[name] = replaced(entry, changes, like, (*key, *parts_of_name(str(name))))
        return tree
    if isinstance(tree, list):
        return [replaced(entry, changes, like, (*key, str(place))) for place, entry in enumerate(tree)]
    return like(tree, changes[key]) if key in changes else tree


def nested(arrays: Mapping[Key, Any]) -> dict[str, Any]:
    """Nested dictionaries of flat arrays."""
    tree: dict[str, Any] = {}
    for key, array in arrays.items():
        place = tree
        for part in key[:-1]:
            place = place.setdefault(part, {})
        place[key[-1]] = array
    return tree
