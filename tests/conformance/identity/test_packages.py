"""The state of installed distributions: another version, another build and a file changed by hand are all seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.fake_distribution import install

STATE = "from bn_conformance.identity.packages import state_of; s = state_of(['fakelib']); print(s.digest, '|', s.gap)"


def state(folder: Path) -> tuple[str, str]:
    """Digest and gap of the distribution in a folder, seen by a process of its own."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {STATE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    digest, _, gap = done.stdout.partition("|")
    return digest.strip(), gap.strip()


def test_the_same_installed_elsewhere_is_the_same(tmp_path: Path) -> None:
    assert state(install(tmp_path / "a")) == state(install(tmp_path / "b"))


@pytest.mark.parametrize(
    "other", [{"version": "1.1"}, {"source": "x = 2\n"}, {"needs": "numpy"}], ids=["version", "build", "requirement"]
)
def test_another_version_build_or_requirement_is_another(tmp_path: Path, other: dict[str, str]) -> None:
    assert state(install(tmp_path / "a"))[0] != state(install(tmp_path / "b", **other))[0]


def test_a_file_that_was_changed_by_hand_or_deleted_is_seen(tmp_path: Path) -> None:
    before = state(install(tmp_path))
    module = tmp_path / "fakelib" / "__init__.py"
    module.write_text("x = 3\n", encoding="utf-8")
    changed = state(tmp_path)
    module.unlink()
    assert len({before, changed, state(tmp_path)}) == 3


def test_what_a_distribution_requires_is_part_of_it(tmp_path: Path) -> None:
    before = state(install(tmp_path, needs="other-lib; python_version > '3'"))
    install(tmp_path, name="otherlib", distribution="other_lib")
    assert state(tmp_path) != before


def test_what_can_change_unseen_is_a_gap(tmp_path: Path) -> None:
    install(tmp_path / "a")
    (tmp_path / "a" / "fakelib-1.0.dist-info" / "direct_url.json").write_text(
        json.dumps({"url": "file:///somewhere", "dir_info": {"editable": True}}), encoding="utf-8"
    )
    assert state(tmp_path / "a")[1] == "fakelib is installed in editable mode"
    (install(tmp_path / "b") / "fakelib-1.0.dist-info" / "RECORD").unlink()
    (tmp_path / "b" / "fakelib-1.0.dist-info" / "top_level.txt").write_text("fakelib\n", encoding="utf-8")
    assert state(tmp_path / "b")[1] == "nothing says which files fakelib consists of"
