"""Flax: trees of variables in msgpack files and Orbax checkpoints, and how they name a layer."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings, content_of
from bn_conformance.convert.formats import WeightsFormat, check_size
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, VARIANCE, Slots, natural, vectors_alike
from bn_conformance.convert.naming import Naming
from bn_conformance.convert.trees import leaves_of, nested, replaced

LEAVES = {GAMMA: "scale", BETA: "bias", MEAN: "mean", VARIANCE: "var"}
"""Names in `flax.linen.BatchNorm` and in `flax.nnx.BatchNorm`."""

STATISTICS, PARAMETERS = "batch_stats", "params"
"""Collections of linen; a state of nnx has both kinds side by side."""

VALUE = "value"
"""What Orbax calls the inner array of a variable of nnx."""


def read_msgpack(path: Path) -> Content:
    """The arrays of a file that `flax.serialization.to_bytes` wrote."""
    return _content(_restored(path))


def _restored(path: Path) -> Any:
    from flax.serialization import msgpack_restore

    return msgpack_restore(path.read_bytes())


def _content(tree: Any) -> Content:
    arrays = {key: np.asarray(leaf) for key, leaf in leaves_of(tree) if hasattr(leaf, "dtype") and key}
    if not isinstance(tree, dict):
        raise ValueError("it holds no dictionary")
    return content_of(arrays)


def write_msgpack(target: Path, existing: Path | None, arrays: Mapping[Key, Array], _: Mapping[str, Settings]) -> None:
    """A file of the tree of these arrays, or an existing one with them."""
    from flax.serialization import msgpack_serialize

    tree = nested(arrays) if existing is None else replaced(_restored(existing), arrays, _like)
    target.write_bytes(msgpack_serialize(tree))


def _like(old: Any, new: Array) -> Any:
    return np.asarray(new).reshape(old.shape).astype(old.dtype)


def read_orbax(path: Path) -> Content:
    """The arrays of an Orbax checkpoint."""
    return _content(_checkpoint(path))


def _checkpoint(path: Path) -> Any:
    import orbax.checkpoint as ocp

    folder = path.resolve()
    with warnings.catch_warnings(), ocp.PyTreeCheckpointer() as checkpointer:
        warnings.simplefilter("ignore")  # of where arrays lay when they were saved; here they become NumPy's
        tree = _plain(checkpointer.metadata(folder).item_metadata.tree)
        declared = [entry for _, entry in leaves_of(tree) if getattr(entry, "shape", None) is not None]
        size = sum(int(np.prod(entry.shape)) * np.dtype(entry.dtype or "f4").itemsize for entry in declared)
        check_size(size, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
        kind = ocp.RestoreArgs(restore_type=np.ndarray)
        return checkpointer.restore(folder, restore_args=_mapped(tree, kind))


def _plain(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name: _plain(entry) for name, entry in tree.items()}
    return [_plain(entry) for entry in tree] if isinstance(tree, list | tuple) else tree


def _mapped(tree: Any, leaf: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _mapped(entry, leaf) for name, entry in tree.items()}
    return [_mapped(entry, leaf) for entry in tree] if isinstance(tree, list) else leaf


def write_orbax(target: Path, existing: Path | None, arrays: Mapping[Key, Array], _: Mapping[str, Settings]) -> None:
    """A checkpoint of the tree of these arrays, or of an existing checkpoint with them."""
    import orbax.checkpoint as ocp

    tree = nested(arrays) if existing is None else replaced(_checkpoint(existing), arrays, _like)
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(target.resolve(), tree)


def flax_slots(content: Content, _: str) -> list[Slots]:
    """Every module with `mean` and `var` of one size, in the natural order of the names."""
    layers = []
    for key in content.vectors:
        value = (VALUE,) if key[-1] == VALUE else ()
        plain = key[: len(key) - len(value)]
        if plain[-1:] != (LEAVES[MEAN],):
            continue
        module = plain[:-1]
        statistics = {role: (*module, LEAVES[role], *value) for role in (MEAN, VARIANCE)}
        channels = vectors_alike(content, *statistics.values())
        if channels:
            beside = _parameters(module)
            owned = {role: (*beside, LEAVES[role], *value) for role in (GAMMA, BETA)}
            held = {role: own for role, own in owned.items() if vectors_alike(content, key, own)}
            path = tuple(part for part in module if part != STATISTICS)
            layers.append(Slots(path, held | statistics, channels, separator="/"))
    return sorted(layers, key=lambda slots: natural(slots.path))


def _parameters(module: Key) -> Key:
    """Where the parameters of a module lie whose statistics lie here."""
    return tuple(PARAMETERS if part == STATISTICS else part for part in module)


def flax_keys(path: Key, roles: Collection[str]) -> Mapping[str, Key]:
    """The keys of a module in the variables of linen."""
    collections = {GAMMA: PARAMETERS, BETA: PARAMETERS, MEAN: STATISTICS, VARIANCE: STATISTICS}
    return {role: (place, *path, LEAVES[role]) for role, place in collections.items() if role in roles}


NAMING = Naming("Flax", ("flax.linen", "flax.nnx"), "epsilon", "momentum", flax_slots, flax_keys)

_INSTALL = "pip install 'bnconform[jax]'"

MSGPACK = WeightsFormat(
    title="a Flax msgpack file",
    suffixes=(".msgpack", ".flax"),
    naming="flax",
    requires=("flax",),
    install=_INSTALL,
    read=read_msgpack,
    write=write_msgpack,
    advice="it is what flax.serialization.to_bytes writes",
)

ORBAX = WeightsFormat(
    title="an Orbax checkpoint",
    suffixes=(),
    naming="flax",
    requires=("flax", "orbax.checkpoint"),
    install=_INSTALL,
    read=read_orbax,
    write=write_orbax,
    advice="name the folder of the item itself, the one with _METADATA",
)
