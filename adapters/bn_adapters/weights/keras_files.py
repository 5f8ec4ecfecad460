"""Keras: `.weights.h5` and older `.h5` files, and `.keras` archives, which also say how a layer was built."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings, is_vector
from bn_conformance.convert.formats import WeightsFormat, check_size
from bn_conformance.reading import json_of

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""Members of a `.keras` archive (`keras.src.saving.saving_lib`)."""

LARGEST_CONFIG = 1 << 27
"""Bytes of a configuration that is read."""

CLASSES = ("BatchNormalization", "SyncBatchNormalization")

WHOLE = "Keras loads only files of the whole model: save the model that is to get the layers, and name it with --into"


def read_h5(path: Path) -> Content:
    """The vectors of an HDF5 file. Links to other files are not followed."""
    with path.open("rb") as stream:
        return _content(stream, {})


def _content(stream: IO[bytes], settings: Mapping[str, Settings]) -> Content:
    import h5py

    vectors: dict[Key, Array] = {}
    others: dict[Key, tuple[int, ...]] = {}
    names: dict[Key, str] = {}

    def visit(name: str, thing: Any) -> None:
        key = tuple(name.split("/"))
        if isinstance(thing, h5py.Dataset):
            if not is_vector(thing.shape or ()):
                others[key] = tuple(thing.shape)
            elif thing.external or thing.is_virtual:
                raise ValueError(f"{name} lies in another file")
            elif thing.dtype.kind in "fiuV":
                vectors[key] = np.asarray(thing[()])
        elif isinstance(called := thing.attrs.get("name"), str):
            names[key] = called

    with h5py.File(stream, "r") as file:
        file.visititems(visit)
    return Content(vectors, others, names, settings)


def write_h5(target: Path, existing: Path | None, arrays: Mapping[Key, Array], _: Mapping[str, Settings]) -> None:
    """An existing file with these arrays."""
    if existing is None:
        raise ValueError(WHOLE)
    shutil.copyfile(existing, target)
    with target.open("r+b") as stream:
        _overwrite(stream, arrays)


def _overwrite(stream: IO[bytes], arrays: Mapping[Key, Array]) -> None:
    import h5py

    with h5py.File(stream, "r+") as file:
        for key, array in arrays.items():
            dataset = file["/".join(key)]
            dataset[...] = array.reshape(dataset.shape)


def read_keras(path: Path) -> Content:
    """The vectors of an archive, and the settings of its layers."""
    with zipfile.ZipFile(path) as archive:
        weights, config = _members(archive, path)
    return _content(io.BytesIO(weights), _settings(json_of(config.decode("utf-8"))))


def _members(archive: zipfile.ZipFile, path: Path) -> tuple[bytes, bytes]:
    sizes = {name: archive.getinfo(name).file_size for name in (CONFIG, WEIGHTS)}
    check_size(sum(sizes.values()), path.stat().st_size)
    if sizes[CONFIG] > LARGEST_CONFIG:
        raise ValueError(f"{CONFIG} has {sizes[CONFIG]:,} bytes")
    return archive.read(WEIGHTS), archive.read(CONFIG)


def _settings(config: Any) -> dict[str, Settings]:
    """The settings of every layer of batch normalisation, by its name."""
    found: dict[str, Settings] = {}
    for entry in _norms(config):
        own = Settings(
            _number(entry.get("epsilon")),
            _number(entry.get("momentum")),
            _truth(entry.get("scale")),
            _truth(entry.get("center")),
        )
        if found.setdefault(entry["name"], own) != own:  # two layers of parts of a model may have one name
            found[entry["name"]] = Settings()
    return found


def _norms(config: Any) -> Iterator[dict[str, Any]]:
    """The inner configuration of every such layer, at any depth."""
    waiting = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            inner = entry.get("config")
            if entry.get("class_name") in CLASSES and isinstance(inner, dict) and isinstance(inner.get("name"), str):
                yield inner
            waiting.extend(entry.values())
        elif isinstance(entry, list):
            waiting.extend(entry)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def write_keras(
    target: Path, existing: Path | None, arrays: Mapping[Key, Array], settings: Mapping[str, Settings]
) -> None:
    """An existing archive with these arrays and settings."""
    if existing is None:
        raise ValueError(WHOLE)
    with zipfile.ZipFile(existing) as old, zipfile.ZipFile(target, "w") as new:
        weights, text = _members(old, existing)
        stream = io.BytesIO(weights)
        _overwrite(stream, arrays)
        config = json_of(text.decode("utf-8"))
        for entry in _norms(config):
            given = settings.get(entry["name"], Settings())
            own = {"epsilon": given.eps, "momentum": given.momentum}
            entry |= {name: value for name, value in own.items() if value is not None}
        replaced = {WEIGHTS: stream.getvalue(), CONFIG: json.dumps(config).encode()}
        for member in old.infolist():
            new.writestr(member, replaced.get(member.filename) or old.read(member))


_INSTALL = "pip install 'bnconform[keras]'"

H5 = WeightsFormat(
    title="a Keras weights file",
    suffixes=(".h5", ".hdf5"),
    naming="keras",
    requires=("h5py",),
    install=_INSTALL,
    read=read_h5,
    write=write_h5,
    why_not_fresh=WHOLE,
)

KERAS = WeightsFormat(
    title="a Keras archive",
    suffixes=(".keras",),
    naming="keras",
    requires=("h5py",),
    install=_INSTALL,
    read=read_keras,
    write=write_keras,
    why_not_fresh=WHOLE,
    holds_settings=True,
)
