"""Reads recorded arrays: an `.npz` file or a folder of `.npy` files. Nothing is unpickled, no header believed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.lib import format as npy

from bn_conformance.adapter import Array
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError

MOST_ARRAYS = 256
LARGEST_BYTES = 1 << 34
"""Bytes of all arrays together that are read."""

MOST_AXES = 16
LONGEST_HEADER = 10_000


def read_recorded(path: Path) -> dict[str, Array]:
    """The arrays of a file or folder by name; those that hold no numbers are left out.

    Raises:
        UserError: it cannot be read; the message says why, in a line.
    """
    shown = one_line(str(path), 200)
    try:
        if path.is_dir():
            return dict(_of_folder(path))
        if not path.exists():
            raise UserError(f"{shown} does not exist; name an .npz file or a folder of .npy files")
        if not path.is_file() or not zipfile.is_zipfile(path):
            raise UserError(f"{shown} is no .npz file; name one, or a folder of .npy files")
        return dict(_of_archive(path))
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f"{shown} cannot be read ({one_line(str(error), 100)})") from None
    except ValueError as error:
        raise UserError(f"{shown}: {one_line(str(error), 160)}") from None
    except MemoryError:
        raise UserError(f"{shown} is larger than the memory; give fewer channels") from None


def _of_folder(folder: Path) -> Iterator[tuple[str, Array]]:
    files = sorted(path for path in folder.iterdir() if path.suffix == ".npy" and path.is_file())
    if not files:
        raise UserError(f"{one_line(str(folder), 200)} has no .npy file; name a folder of arrays, or an .npz file")
    _check_count(len(files))
    left = LARGEST_BYTES
    for path in files:
        with path.open("rb") as stream:
            array = _array(stream, path.stem, path.stat().st_size, left)
        if array is not None:
            left -= array.nbytes
            yield path.stem, array


def _of_archive(path: Path) -> Iterator[tuple[str, Array]]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members:
            raise ValueError("it holds no arrays; write it with numpy.savez")
        _check_count(len(members))
        names = [member.filename for member in members]
        if len(set(names)) != len(names):
            raise ValueError("it holds two arrays of one name")
        left = LARGEST_BYTES
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as stream:
                array = _array(stream, name, member.file_size, left)
            if array is not None:
                left -= array.nbytes
                yield name, array


def _check_count(count: int) -> None:
    if count > MOST_ARRAYS:
        raise ValueError(f"it holds {count:,} arrays; at most {MOST_ARRAYS} are read")


def _array(stream: IO[bytes], name: str, size: int, left: int) -> Array | None:
    """One array; None where its dtype is none of numbers.

    Raises:
        ValueError: the header is none, or promises more than there is.
    """
    shown = one_line(name, 60)
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version} of the format is not read")
        shape, fortran, dtype = read(stream, max_header_size=LONGEST_HEADER)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{shown} is no array ({one_line(str(error), 80)})") from None
    if dtype.hasobject or dtype.kind not in "fiubV" or dtype.names or dtype.subdtype:
        return None
    if len(shape) > MOST_AXES or any(length < 0 for length in shape):
        raise ValueError(f"{shown} has the shape {one_line(str(shape), 60)}, which no array has")
    wanted = prod(shape) * dtype.itemsize
    if wanted > size:
        raise ValueError(f"{shown} promises {wanted:,} bytes and holds fewer; it was cut off")
    if wanted > left:
        raise ValueError(f"the arrays are larger than {LARGEST_BYTES >> 30} GiB together; give fewer channels")
    content = stream.read(wanted)
    if len(content) < wanted:
        raise ValueError(f"{shown} promises {wanted:,} bytes and holds fewer; it was cut off")
    flat = np.frombuffer(content, dtype)
    array = flat.reshape(shape, order="F" if fortran else "C")
    return _plain(array)


def _plain(array: np.ndarray[Any, Any]) -> Array | None:
    """The array in the byte order of this machine; two raw bytes are bfloat16, which NumPy writes so."""
    if array.dtype.kind == "V":
        return array.view(ml_dtypes.bfloat16) if array.dtype.itemsize == 2 else None
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
