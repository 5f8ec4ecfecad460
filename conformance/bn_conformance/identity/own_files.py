"""The files of a user's own that code is made of: its modules, the own modules that they import, the files they name.

Own is what lies outside the folders of installed packages and of Python itself, and the package of the code wherever it
lies. Of everything else the names of the libraries are kept (`bn_conformance.identity.packages`). Files are read and
never run, so what code imports by a computed name or opens under one is not seen, with two exceptions: where a module
computes names of modules, every module beside it counts; and a text in the code that is the name of a file counts as
that file.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from bn_conformance.identity.owners import owners
from bn_conformance.identity.reading import SourceNeeds, needs_of

MOST_FILES = 2_000
"""Own files that are followed; code that is made of more is not told apart from what it was."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Names of the folders of installed packages."""


_NO_FILES = ("/proc/", "/sys/", "/dev/")
"""Where the system shows itself as files, which are never twice the same."""


@dataclass(frozen=True)
class OwnFiles:
    """What code is made of.

    Attributes:
        files: own files by a name that does not depend on where they lie.
        libraries: top-level names of the other modules that are imported.
        gap: why more may belong to the code than was found; empty where all was found.
    """

    files: dict[str, Path]
    libraries: frozenset[str]
    gap: str = ""

    def digest(self) -> str:
        """A digest of the names and contents of all files."""
        whole = hashlib.sha256()
        for name, path in sorted(self.files.items()):
            whole.update(f"{name}\0{file_digest(path)}\n".encode())
        return whole.hexdigest()[:32]


def file_digest(path: Path) -> str:
    """A digest of the content of a file; of none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def own_files(starts: Iterable[str], folders: Sequence[Path] = ()) -> OwnFiles:
    """What the code of some modules is made of.

    Args:
        starts: names of modules, or paths that end with `.py`.
        folders: where modules are looked for after the places where Python looks.
    """
    search = _Search(list(starts), folders)
    return search.found()


class _Search:
    def __init__(self, starts: list[str], folders: Sequence[Path]) -> None:
        self.starts = starts
        self._path = [*_python_path(), *map(str, folders)]
        self._own = {start.partition(".")[0] for start in starts if not start.endswith(".py")}
        self._files: dict[str, Path] = {}
        self._libraries: set[str] = set()
        self._seen: set[str] = set()
        self._gap = ""
        self._known: set[Path] = set()
        self._unread: list[tuple[str, Path, str]] = []
        """Files that are still to be read: name, place, and the package that relative imports start from."""

    def found(self) -> OwnFiles:
        for start in self.starts:
            if start.endswith(".py"):
                self._add_file(f"{Path(start).stem}.py", Path(start), "")
            else:
                self._add_module(start)
        while self._unread and not self._gap:
            self._read(*self._unread.pop())
        return OwnFiles(self._files, frozenset(self._libraries), self._gap)

    def _add_module(self, name: str) -> None:
        """Follow a module by its full name, and the packages above it."""
        top = name.partition(".")[0]
        if not top or name in self._seen or top in sys.stdlib_module_names:
            return
        self._seen.add(name)
        path: Sequence[str] | None = self._path
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            here = ".".join(parts[:depth])
            spec = _spec(here, path)
            if spec is None:
                return  # a name that a module defines, or a module that is not installed
            if depth == 1 and not self._is_own(top, spec):
                self._libraries.add(top)
                return
            path = spec.submodule_search_locations
            if spec.origin and spec.has_location:
                self._add_file(here, Path(spec.origin), here if path is not None else here.rpartition(".")[0])
            if path is None:
                return

    def _is_own(self, top: str, spec: ModuleSpec) -> bool:
        places = [spec.origin] if spec.origin else [*(spec.submodule_search_locations or ())]
        if top in self._own:
            return True
        return not any(_INSTALLED & {*Path(place).parts} for place in places) and (top in SUITE or not owners(top))

    def _add_file(self, name: str, path: Path, package: str) -> None:
        """Add a module's file; what it needs is looked at later."""
        if path in self._known:
            return
        if len(self._known) >= MOST_FILES:
            self._gap = f"its code imports more than {MOST_FILES} files"
            return
        self._known.add(path)
        self._files[name] = path
        if path.suffix == ".py":
            self._unread.append((name, path, package))

    def _read(self, name: str, path: Path, package: str) -> None:
        """Add what a file needs."""
        reading = needs_of(path)
        of_suite = package.partition(".")[0] in SUITE
        if reading.changes_path and not of_suite:
            self._gap = f"{path.name} names sys.path, so its imports may lead anywhere"
        for module in _full_names(reading, package):
            self._add_module(module)
        for label, named in _named_files(reading, [path.parent] if of_suite else [path.parent, Path.cwd()]):
            self._files.setdefault(f"{name}: {label}", named)
        if reading.computes_imports:
            for beside in _modules_beside(path.parent):
                self._add_file(f"{name}: {beside.relative_to(path.parent).as_posix()}", beside, package)


SUITE = ("bn_conformance", "bn_reference", "bn_adapters", "bnconform")
"""Packages of the suite itself."""


def _python_path() -> list[str]:
    """Where a worker process looks for modules: `sys.path`, without the caller's folder but for `PYTHONPATH`."""
    named = {os.path.realpath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder}
    here = os.path.realpath(".")
    return [folder for folder in sys.path if folder and (os.path.realpath(folder) != here or here in named)]


def _spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Where a module is found, without importing a package above it."""
    with suppress(Exception):  # a finder of somebody else's, or a name that is none
        found = PathFinder.find_spec(name, path)
        if found is not None or "." in name:
            return found
        for finder in sys.meta_path:  # such as those of editable installs
            if getattr(finder, "__module__", "").startswith("__editable__") and hasattr(finder, "find_spec"):
                found = finder.find_spec(name, None)
                if found is not None:
                    return found
    return None


def _full_names(reading: SourceNeeds, package: str) -> Iterator[str]:
    """The full names of what a module of a package imports."""
    for level, name in sorted(reading.modules):
        if level == 0:
            yield name
        elif package:
            above = package.split(".")[: len(package.split(".")) - level + 1]
            yield ".".join([*above, name] if name else above)


def _named_files(reading: SourceNeeds, folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The files that texts in the code name: in one of some folders, or in a folder in the first that is named too."""
    relative = [text for text in sorted(reading.texts) if text.strip("./") and not text.startswith("/")]
    inside = [folders[0] / text for text in relative if _is_folder(folders[0] / text)]
    for text in sorted(reading.texts):
        for folder in (*folders, *inside):
            if not text.startswith(_NO_FILES) and _is_file(folder / text):
                yield text if folder in folders else f"{folder.name}/{text}", folder / text
                break


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _modules_beside(folder: Path) -> Iterator[Path]:
    """Every Python file of a folder, and of the packages in it."""
    yield from sorted(folder.glob("*.py"))
    for below in sorted(folder.iterdir()):
        if (below / "__init__.py").is_file():
            yield from _modules_beside(below)
