"""Weights files that nobody vouches for: each ends in one line, and nothing in it is run, followed or inflated."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bn_conformance.convert.formats import read_weights
from bn_conformance.user_error import UserError

pytestmark = pytest.mark.framework
EXECUTED: list[str] = []


class Bomb:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return EXECUTED.append, ("unpickled",)


def npy(header: str) -> bytes:
    """A file of one array with a header of one's own, and no data."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def objects() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], object), allow_pickle=True)
    return archive(bn__running_mean__npy=stream.getvalue())


def saved_by_torch(thing: object) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save(thing, stream)
    return stream.getvalue()


def nested(levels: int) -> bytes:
    """A msgpack of dictionaries in one another."""
    return b"\x81\xa1a" * levels + b"\x01"


def linking_elsewhere(folder: Path) -> bytes:
    """An HDF5 file whose vector lies in another file."""
    import h5py

    (folder / "secret.bin").write_bytes(bytes(16))
    with h5py.File(folder / "linking.h5", "w") as file:
        file.create_dataset("bn/moving_mean", (4,), "<f4", external=[(str(folder / "secret.bin"), 0, 16)])
    return (folder / "linking.h5").read_bytes()


FILES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "pickled object": ("a.pt", lambda _: saved_by_torch({"bn": Bomb()})),
    "plain pickle": ("a.pt", lambda _: pickle.dumps(Bomb())),
    "torch, truncated": ("a.pt", lambda _: saved_by_torch({"bn": 1.0})[:-200]),
    "torch, empty": ("a.pt", lambda _: b""),
    "array of objects": ("a.npz", lambda _: objects()),
    "npz, truncated": ("a.npz", lambda _: archive(a__npy=bytes(1000))[:-60]),
    "npz, no array": ("a.npz", lambda _: archive(a__npy=npy("not a header"))),
    "npz, huge header": (
        "a.npz",
        lambda _: archive(a__npy=npy("{'descr':'<f4','fortran_order':False,'shape':(9999999999999,)}".ljust(100))),
    ),
    "npz, inflating": ("a.npz", lambda _: archive(a__npy=bytes(1 << 27))),
    "safetensors, huge header": ("a.safetensors", lambda _: struct.pack("<Q", 1 << 62) + b"{}"),
    "safetensors, outside": (
        "a.safetensors",
        lambda _: (lambda head: struct.pack("<Q", len(head)) + head)(
            json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
        ),
    ),
    "h5, no HDF5": ("a.weights.h5", lambda _: b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "h5, another file": ("a.h5", linking_elsewhere),
    "keras, no archive": ("a.keras", lambda _: b"PK\x03\x04"),
    "keras, no weights": ("a.keras", lambda _: archive(config__json=b"{}")),
    "keras, inflating": ("a.keras", lambda _: archive(config__json=bytes(1 << 27), model__weights__h5=b"")),
    "keras, deep": ("a.keras", lambda _: archive(config__json=b"[" * 100_000, model__weights__h5=b"")),
    "msgpack, truncated": ("a.msgpack", lambda _: b"\x85\xa1a"),
    "msgpack, deep": ("a.msgpack", lambda _: nested(300)),
    "msgpack, deeper": ("a.msgpack", lambda _: nested(100_000)),
    "msgpack, no dictionary": ("a.msgpack", lambda _: b"\x01"),
    "unknown ending": ("a.pickle", lambda _: pickle.dumps(Bomb())),
}


@pytest.mark.parametrize(("name", "content"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_weights_file_is_one_line(
    name: str, content: Callable[[Path], bytes], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content(tmp_path))
    with pytest.raises(UserError) as raised:
        read_weights(tmp_path / name)
    message = str(raised.value)
    assert name in message
    assert "\n" not in message
    assert len(message) < 800
    assert EXECUTED == []


def test_a_folder_that_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(UserError, match="cannot be read as an Orbax checkpoint"):
        read_weights(tmp_path / "checkpoint")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; name a weights file"):
        read_weights(tmp_path / "none.pt")


def test_what_is_no_vector_of_channels_is_not_read(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("huge", (1 << 40,), "<f4", chunks=(1 << 10,))
        file["bn/moving_mean"] = np.zeros(3, np.float32)
    content = read_weights(tmp_path / "a.h5")
    assert content.others == {("huge",): (1 << 40,)}
    assert set(content.vectors) == {("bn", "moving_mean")}
