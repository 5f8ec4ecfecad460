"""The layout of the repository: tests mirror packages, share helpers in `tests.support`, and modules stay short."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "reference": ROOT / "reference" / "bn_reference",
    "conformance": ROOT / "conformance" / "bn_conformance",
    "bnconform": ROOT / "conformance" / "bnconform",
    "adapters": ROOT / "adapters" / "bn_adapters",
}
"""The package that each folder of tests is about."""

LONGEST, SKIPS = 300, 40

SAME_ROLE = {
    "adapter": "the adapter that a kind of wrapper makes",
    "case": "the case that a module of the catalogue makes",
    "cases": "the cases of a module of the catalogue",
    "command": "the click command of a module",
    "compare": "what differs: an array from its golden, and one run from another",
    "main": "where a program starts",
    "probe": "all experiments: on a laboratory, and on what a person gives",
    "Progress": "the bar of a matrix, and of a check",
}
"""Public names that several modules define, each for the same thing in its own room."""


@cache
def sources() -> tuple[Path, ...]:
    """Every Python file of the sources and of the tests."""
    folders = (*PACKAGES.values(), ROOT / "tests", ROOT / ".ci")
    return tuple(sorted(path for folder in folders for path in folder.rglob("*.py")))


def modules_of_tests() -> list[Path]:
    return [path for path in sources() if path.is_relative_to(ROOT / "tests")]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> tuple[tuple[str, str], ...]:
    """What a module imports: pairs of module and name; the name is empty where a module is imported as a whole."""
    pairs = []
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            pairs += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            pairs += [(node.module or "", alias.name) for alias in node.names]
    return tuple(pairs)


@pytest.mark.parametrize("part", PACKAGES)
def test_every_folder_of_tests_has_its_package(part: str) -> None:
    folders = {path.parent for path in (ROOT / "tests" / part).rglob("test_*.py")}
    packages = [PACKAGES[part] / folder.relative_to(ROOT / "tests" / part) for folder in folders]
    assert [name(package) for package in packages if not package.is_dir()] == []


def test_no_test_imports_a_test_or_a_conftest() -> None:
    wrong = re.compile(r"^tests(\.\w+)*\.(test_\w+|conftest)$")
    found = [
        (name(path), module)
        for path in modules_of_tests()
        for module, what in imported(path)
        if wrong.match(module) or wrong.match(f"{module}.{what}")
    ]
    assert found == [], "what two tests share belongs into tests/support"


def test_no_test_imports_a_private_name() -> None:
    """Ruff's SLF001 says the same of attributes."""
    private = re.compile(r"^_(?!_)")
    found = [
        (name(path), module, what)
        for path in modules_of_tests()
        for module, what in imported(path)
        if private.match(what) or any(private.match(part) for part in module.split("."))
    ]
    assert found == [], "test what is public, or make a name public that a test has a use for"


def test_a_test_that_needs_a_framework_says_so_by_its_marker() -> None:
    """A test that skips itself where a framework lacks is not seen by `make quick`, and its loss by nobody."""
    skipping = re.compile(r"\bimportorskip\(")
    found = [name(path) for path in modules_of_tests() if skipping.search(path.read_text(encoding="utf-8"))]
    assert found == [], "mark it with pytest.mark.framework, and import the framework as it is"


def test_helpers_are_no_tests() -> None:
    folders = (ROOT / "tests" / "support", ROOT / "tests" / "measure")
    assert [name(path) for folder in folders for path in folder.rglob("test_*.py")] == []


def test_no_module_is_long() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}, "split it by idea"


def test_the_formatter_is_seldom_switched_off() -> None:
    mark = "# fmt: " + "skip"
    found = {name(path): path.read_text(encoding="utf-8").count(mark) for path in sources()}
    assert sum(found.values()) < SKIPS, sorted(found.items(), key=lambda item: -item[1])[:10]


def test_what_the_readmes_call_by_module_exists() -> None:
    """`python -m MODULE` of this repository, in every document."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    called = {
        (document, module)
        for document in listed.split()
        for module in re.findall(r"python -m (tests\.[\w.]+)", (ROOT / document).read_text(encoding="utf-8"))
    }
    assert [pair for pair in sorted(called) if not (ROOT / (pair[1].replace(".", "/") + ".py")).exists()] == []


def test_a_public_class_or_function_is_defined_once() -> None:
    """A name that two modules define has two meanings, or one of them is a copy."""
    places: dict[str, list[str]] = {}
    for package in PACKAGES.values():
        for path in sorted(package.rglob("*.py")):
            for node in syntax(path).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(name(path))
    assert {key: where for key, where in places.items() if len(where) > 1 and key not in SAME_ROLE} == {}
