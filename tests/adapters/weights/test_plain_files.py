"""Files of named arrays: what is written is read again, bit for bit, and what is not replaced stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from bn_conformance.adapter import Array
from bn_conformance.convert.content import Key
from bn_conformance.convert.formats import format_of_path, read_weights

ARRAYS: Mapping[Key, Array] = {("a", "bn", "running_mean"): np.array([1, 2], np.float32), ("a", "count"): np.asarray(3)}


def same(got: Mapping[Key, Array], expected: Mapping[Key, Array]) -> bool:
    return set(got) == set(expected) and all(
        got[key].dtype == array.dtype and got[key].tobytes() == array.tobytes() for key, array in expected.items()
    )


@pytest.mark.framework
@pytest.mark.parametrize("name", ["out.npz", "out.safetensors", "out.pt", "out.msgpack", "out"])
def test_what_is_written_fresh_is_read_again(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    format_of_path(path).write(path, None, ARRAYS, {})
    assert same(read_weights(path).vectors, ARRAYS)


@pytest.mark.framework
@pytest.mark.parametrize("name", ["safetensors", "npz", "pt", "msgpack"])
def test_what_is_not_replaced_stays(name: str, tmp_path: Path) -> None:
    existing, written = tmp_path / f"existing.{name}", tmp_path / f"written.{name}"
    kernel: Mapping[Key, Array] = {("conv", "kernel"): np.ones((2, 2), np.float32)}
    format_of_path(existing).write(existing, None, {**ARRAYS, **kernel}, {})
    moved: Mapping[Key, Array] = {("a", "bn", "running_mean"): np.array([3, 4], np.float32)}
    format_of_path(written).write(written, existing, moved, {})
    content = read_weights(written)
    assert same(content.vectors, {**ARRAYS, **moved})
    assert content.others == {("conv", "kernel"): (2, 2)}


@pytest.mark.framework
@pytest.mark.parametrize("name", ["out.safetensors", "out.pt", "out.msgpack"])
def test_bfloat16_is_kept(name: str, tmp_path: Path) -> None:
    narrow: Mapping[Key, Array] = {("bn", "running_mean"): np.array([1.5, -2], ml_dtypes.bfloat16)}
    format_of_path(tmp_path / name).write(tmp_path / name, None, narrow, {})
    assert same(read_weights(tmp_path / name).vectors, narrow)


def test_numpy_files_hold_bfloat16_as_float32(tmp_path: Path) -> None:
    narrow: Mapping[Key, Array] = {("bn", "running_mean"): np.array([1.5, -2], ml_dtypes.bfloat16)}
    format_of_path(tmp_path / "out.npz").write(tmp_path / "out.npz", None, narrow, {})
    wide = {key: array.astype(np.float32) for key, array in narrow.items()}
    assert same(read_weights(tmp_path / "out.npz").vectors, wide)


@pytest.mark.parametrize("join", [".".join, "/".join])
def test_names_have_points_or_slashes(join: Callable[[Key], str], tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{join(key): array for key, array in ARRAYS.items()})  # type: ignore[arg-type]
    assert same(read_weights(tmp_path / "a.npz").vectors, ARRAYS)
