"""Files of named arrays that belong to no framework: NumPy's `.npz` and `.safetensors`."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from itertools import repeat
from math import prod
from pathlib import Path

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Content, Key, Settings, content_of, is_vector
from bn_conformance.convert.formats import WeightsFormat, check_size
from bn_conformance.convert.trees import leaves_of, parts_of_name


def read_npz(path: Path) -> Content:
    """The arrays of an `.npz` file; an array of objects, which would be unpickled, is an error."""
    with zipfile.ZipFile(path) as archive:
        check_size(sum(map(_declared, repeat(archive), archive.infolist())), path.stat().st_size)
    return content_of(dict(leaves_of(_npz(path))))


def _declared(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """The bytes of memory that an array asks for."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    return max(entry.file_size, prod(shape) * dtype.itemsize)


def _npz(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_npz(target: Path, existing: Path | None, arrays: Mapping[Key, Array], _: Mapping[str, Settings]) -> None:
    """An `.npz` file of these arrays, or an existing one with them."""
    with target.open("wb") as stream:  # given a name, NumPy would add the ending that a temporary file has not
        merged = _merged({} if existing is None else _npz(existing), arrays)
        np.savez(stream, allow_pickle=False, **{name: _storable(array) for name, array in merged.items()})


def _storable(array: Array) -> Array:
    """The array in a format that NumPy's files know: bfloat16 becomes float32, which changes no value."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _merged(kept: Mapping[str, Array], arrays: Mapping[Key, Array]) -> dict[str, Array]:
    """Named arrays with others of the same keys; keys that are new are joined by points."""
    names = {parts_of_name(name): name for name in kept}
    return dict(kept) | {names.get(key, ".".join(key)): array for key, array in arrays.items()}


def read_safetensors(path: Path) -> Content:
    """The vectors of a `.safetensors` file; of other tensors the header is read alone."""
    from safetensors import safe_open

    vectors: dict[Key, Array] = {}
    others: dict[Key, tuple[int, ...]] = {}
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            shape = tuple(file.get_slice(name).get_shape())
            if is_vector(shape):
                vectors[parts_of_name(name)] = file.get_tensor(name)
            else:
                others[parts_of_name(name)] = shape
    return Content(vectors, others)


def write_safetensors(
    target: Path, existing: Path | None, arrays: Mapping[Key, Array], _: Mapping[str, Settings]
) -> None:
    """A `.safetensors` file of these arrays, or an existing one with them and its own metadata."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    kept: dict[str, Array] = {}
    metadata = None
    if existing is not None:
        with safe_open(existing, framework="np") as file:
            metadata = file.metadata()
            kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    merged = {name: np.ascontiguousarray(array) for name, array in _merged(kept, arrays).items()}
    save_file(merged, target, metadata=metadata)


NPZ = WeightsFormat(
    title="a NumPy file",
    suffixes=(".npz",),
    naming="",
    requires=(),
    install="",
    read=read_npz,
    write=write_npz,
    advice="it needs plain arrays alone: numpy.savez(file, **{name: array})",
)

SAFETENSORS = WeightsFormat(
    title="a safetensors file",
    suffixes=(".safetensors",),
    naming="",
    requires=("safetensors",),
    install="pip install 'bnconform[convert]'",
    read=read_safetensors,
    write=write_safetensors,
)
