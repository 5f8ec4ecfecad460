"""What code is made of is found by reading it: own modules, the files they name, and the libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from bn_conformance.identity.fingerprint import judging_files
from bn_conformance.identity.own_files import OwnFiles, own_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path


def made_of(folder: Path, **sources: str) -> OwnFiles:
    """What `start.py` is made of, beside other files; two underscores in a name stand for a slash."""
    for name, source in sources.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return own_files([str(folder / "start.py")], [folder])


def test_imports_are_followed_wherever_they_stand(folder: Path) -> None:
    found = made_of(
        folder,
        start="import json, numpy.linalg\ndef f():\n    from helper import g\n",
        helper="import package.inner as i\nfrom package import other\n",
        package__inner="from . import beside\nfrom .last import thing\n",
        package__beside="",
        package__last="",
        package__other="",
        package__unused="",
        unused="",
    )
    modules = {"start.py", "helper", "package.inner", "package.beside", "package.last", "package.other"}
    assert found.files.keys() == modules
    assert found.libraries == {"numpy"}
    assert found.gap == ""


def test_a_name_that_is_computed_brings_in_every_module_beside(folder: Path) -> None:
    found = made_of(
        folder,
        start="import importlib\nimportlib.import_module('one')\n",
        one="from importlib import import_module\nimport_module('t' + 'wo')\n",
        two="import pack.three\n",
        pack__three="",
    )
    assert {path.name for path in found.files.values()} == {"start.py", "one.py", "two.py", "three.py"}


def test_a_text_that_names_a_file_brings_it_in(folder: Path) -> None:
    (folder / "kernels").mkdir()
    for name in ("layer.js", "kernels/fast.c", "kernels/other.c", "notes.txt"):
        (folder / name).write_text("1", encoding="utf-8")
    Path("weights.bin").write_bytes(b"2")  # where one runs
    source = 'HERE = folder / "kernels" / "fast.c"\nrun("node", "layer.js", "weights.bin", "\\0", "/", "")\n'
    found = made_of(folder, start=source)
    assert sorted(path.name for path in found.files.values()) == ["fast.c", "layer.js", "start.py", "weights.bin"]


def test_the_folder_where_one_runs_hides_no_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("numpy.py").write_text("", encoding="utf-8")
    assert made_of(folder, start="import numpy").libraries == {"numpy"}


@pytest.mark.parametrize("source", ["import sys\nsys.path.insert(0, '../lib')\nimport lib\n"])
def test_a_path_that_is_changed_leaves_a_gap(folder: Path, source: str) -> None:
    assert made_of(folder, start=source).gap == "start.py names sys.path, so its imports may lead anywhere"


@pytest.mark.parametrize("source", ["import (", "x = '\\", "", "\0", "é" * 3])
def test_a_file_that_is_no_python_counts_with_its_content(folder: Path, source: str) -> None:
    before = made_of(folder, start=source).digest()
    assert before != made_of(folder, start=source + " ").digest()
    assert before == made_of(folder, start=source).digest()


def test_a_file_that_is_not_there_is_none(folder: Path) -> None:
    assert own_files([str(folder / "none.py")]).libraries == frozenset()


def test_equal_code_in_another_folder_has_the_same_digest(folder: Path) -> None:
    sources = {"start": "import helper\nopen('data')\n", "helper": "x = 1\n"}
    digests = set()
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "data").write_text("d", encoding="utf-8")
        digests.add(made_of(folder / name, **sources).digest())
    assert len(digests) == 1
    (folder / "two" / "data").write_text("e", encoding="utf-8")
    assert made_of(folder / "two", **sources).digest() not in digests


def test_the_digest_of_the_suite_covers_what_judges() -> None:
    judging = ("judging.item", "hosting.isolated", "hosting.worker", "diagnosis.search")
    needed = own_files([f"bn_conformance.{name}" for name in judging]).files.values()
    covered = {path.resolve() for _, path in judging_files()}
    rest = {path.parent.name for path in needed if path.resolve() not in covered}
    assert rest <= {"bn_conformance", "results", "catalogue"}, "what decides verdicts, or holds cases, is applied anew"
