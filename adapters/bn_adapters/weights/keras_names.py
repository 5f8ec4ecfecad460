"""Keras: how its files name a layer. Files of Keras 3 number the arrays of a layer, those before it name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from bn_conformance.convert.content import Content, Key, Settings
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, VARIANCE, Slots, natural, vectors_alike
from bn_conformance.convert.naming import Naming
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError

LEAVES = {GAMMA: "gamma", BETA: "beta", MEAN: "moving_mean", VARIANCE: "moving_variance"}
"""Their names, in the order in which Keras 3 numbers them (`Layer.save_own_variables`: trainable variables first)."""

NUMBERED = "vars"
"""The group of a layer's arrays in a file of Keras 3; the arrays are called 0, 1, 2, ..."""

_CLASS = re.compile(r"batch_?norm", re.IGNORECASE)
_CONTAINERS = {"layers", "model_weights", "_layer_checkpoint_dependencies"}


def keras_slots(content: Content, lacking: str) -> list[Slots]:
    """Every layer with named or numbered arrays, in the natural order of the names.

    Raises:
        UserError: a layer has three arrays, and nothing says whether gamma or beta is missing.
    """
    found = [*_named(content), *_numbered(content, lacking)]
    calls = [slots.name for slots, _ in found]
    layers = [
        Slots(group, slots.keys, slots.channels, slots.settings, "/") if calls.count(slots.name) > 1 else slots
        for slots, group in found
    ]
    return sorted(layers, key=lambda slots: natural(slots.keys[MEAN]))


def _named(content: Content) -> Iterator[tuple[Slots, Key]]:
    """Layers whose arrays have names: `.h5` files before Keras 3, and files of named arrays."""
    for key in content.vectors:
        leaf, colon, number = key[-1].partition(":")
        if leaf != LEAVES[MEAN]:
            continue
        keys = {role: (*key[:-1], f"{own}{colon}{number}") for role, own in LEAVES.items()}
        channels = vectors_alike(content, keys[MEAN], keys[VARIANCE])
        if channels:
            held = {role: own for role, own in keys.items() if vectors_alike(content, key, own)}
            yield Slots(_plain_path(key[:-1]), held, channels, separator="/"), _plain_path(key[:-1])


def _plain_path(group: Key) -> Key:
    """A path without containers; the old format says the name of a layer twice."""
    kept = [part for part in group if part not in _CONTAINERS]
    return tuple(part for place, part in enumerate(kept) if part not in kept[:place][-1:]) or group


def _numbered(content: Content, lacking: str) -> Iterator[tuple[Slots, Key]]:
    groups: dict[Key, int] = {}
    for key in (*content.vectors, *content.others):
        if len(key) > 1 and key[-2] == NUMBERED:
            groups[key[:-1]] = groups.get(key[:-1], 0) + 1
    for group, count in groups.items():
        numbered = [(*group, str(place)) for place in range(count)]
        channels = vectors_alike(content, *numbered)
        called = content.names.get(group, "")
        settings = content.settings.get(called)
        if channels and 2 <= count <= 4 and _is_norm(content, numbered, group, called, settings):
            path = tuple(part for part in group[:-1] if part not in _CONTAINERS) or group[:-1]
            roles = _roles(count, "/".join(path), settings or Settings(), lacking)
            keys = dict(zip(roles, numbered, strict=True))
            yield Slots((called,) if called else path, keys, channels, settings or Settings(), "/"), path


def _is_norm(content: Content, keys: list[Key], group: Key, called: str, settings: Settings | None) -> bool:
    """Whether a group of vectors is batch normalisation: a file says its class in its settings or in the path."""
    if content.settings:
        return settings is not None
    return bool(_CLASS.search(group[-2] if len(group) > 1 else "") or _CLASS.search(called)) or (
        len(keys) == 4 and bool(np.all(content.vectors[keys[-1]].astype(np.float64) >= 0))
    )


def _roles(count: int, name: str, settings: Settings, lacking: str) -> list[str]:
    if count == 3:
        lacking = GAMMA if settings.gamma is False else BETA if settings.beta is False else lacking
        if not lacking:
            raise UserError(
                f"{one_line(name, 80)} has three vectors, and the file does not say which is missing: give "
                f"--lacking gamma (scale=False) or --lacking beta (center=False), or a .keras file, which says it"
            )
    missing = {4: set(), 3: {lacking}, 2: {GAMMA, BETA}}[count]
    return [role for role in LEAVES if role not in missing]


def keras_keys(path: Key, roles: Collection[str]) -> Mapping[str, Key]:
    """The keys of a layer in a file of named arrays."""
    return {role: (*path, leaf) for role, leaf in LEAVES.items() if role in roles}


NAMING = Naming(
    "Keras", ("keras[tensorflow]", "keras[jax]", "keras[torch]"), "epsilon", "momentum", keras_slots, keras_keys
)
