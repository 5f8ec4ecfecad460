"""Recorded files: what is taken as what, and that nothing hostile gets further than one line."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tests.support.recorded_steps import save

from bn_conformance.explain.recorded_files import read_recorded
from bn_conformance.explain.roles import NAMES, roles_of
from bn_conformance.user_error import UserError


def taken(names: list[str], said: dict[str, str] | None = None) -> dict[str, str]:
    return {one.name: one.role for one in roles_of(names, said or {})}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("input", "x"),
        ("Output", "y"),
        ("bn1.weight", "gamma"),
        ("encoder/bn/moving_variance:0", "running_var"),
        ("new_running_mean", "running_mean_after"),
        ("moving_variance_after", "running_var_after"),
        ("grad_output", "dy"),
        ("bn.weight.grad", "dgamma"),
        ("num_batches_tracked", ""),
        ("momentum", "momentum"),
    ],
)
def test_common_names_are_known(name: str, role: str) -> None:
    assert taken([name]) == {name: role}


def test_no_name_means_two_things() -> None:
    names = [name for names in NAMES.values() for name in names]
    assert sorted(set(names)) == sorted(names)


def test_what_a_person_says_counts() -> None:
    assert taken(["a", "x"], {"x": "a"}) == {"a": "x", "x": ""}
    with pytest.raises(UserError, match="input and x may each be x; say which with --name x=input"):
        taken(["input", "x"])
    with pytest.raises(UserError, match="no array 'gama'; did you mean gamma"):
        taken(["x"], {"gama": "x"})
    with pytest.raises(UserError, match="no array is called 'b'"):
        taken(["x"], {"x": "b"})


def test_an_archive_and_a_folder_hold_the_same(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "x": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.asfortranarray(np.ones((2, 3), np.float16)),
        "brain": np.ones(3).astype(ml_dtypes.bfloat16),
        "big": np.ones(3, ">f8"),
        "name": np.array(["a"]),
    }
    save(tmp_path / "a.npz", arrays)
    (tmp_path / "folder").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    for path in (tmp_path / "a.npz", tmp_path / "folder"):
        read = read_recorded(path)
        assert set(read) == {"x", "half", "brain", "big"}
        assert {name: array.dtype.name for name, array in read.items()} == {
            "x": "float32", "half": "float16", "brain": "bfloat16", "big": "float64",
        }  # fmt: skip
        assert (read["x"] == arrays["x"]).all()


def header(text: str) -> bytes:
    """A file of an array with a header of one's own, and 4 bytes."""
    padded = text.encode().ljust(118 - 10) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + b"\0\0\0\0"


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as written:
        for name, content in members.items():
            written.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no array", "x is no array"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"), "it was cut off"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "which no array has"),
        (header("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': ()}"), "x is no array"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 8, "x is no array"),
        (b"", "x is no array"),
    ],
)
def test_a_header_is_not_believed(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said) as raised:
        read_recorded(archive(tmp_path / "a.npz", x=content))
    assert "\n" not in str(raised.value)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([print], object), allow_pickle=True)
    assert read_recorded(archive(tmp_path / "a.npz", x=stream.getvalue())) == {}


def test_what_is_no_recording_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    cut = save(tmp_path / "cut.npz", {"x": np.ones((50, 50))}).read_bytes()
    (tmp_path / "cut.npz").write_bytes(cut[:-200] + b"\0" * 200)
    for name, said in {
        "nowhere.npz": "does not exist",
        "text.npz": "no .npz file",
        "empty": "has no .npy file",
        "cut.npz": "no .npz file",
    }.items():
        with pytest.raises(UserError, match=said):
            read_recorded(tmp_path / name)
    with pytest.raises(UserError, match="at most 256"):
        read_recorded(archive(tmp_path / "many.npz", **{f"a{place}": b"" for place in range(300)}))
