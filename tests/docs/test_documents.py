"""What the documents name exists: commands and their options, targets of make, files, words."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bn_conformance.cli import main
from bn_conformance.probe.finding import Status
from bn_conformance.report.legend import ALGORITHMS, OUTCOME_KINDS, VERDICT_MEANINGS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    if "published" not in name
)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
WORDS = """
level, grade, outcome, verdict, clause, convention, deviation, mutant, equivalent mutant, surviving mutant,
mutation score, golden, shifted golden, bound, distance, host, layer, item, case, step, sweep, law, wrapper,
known fault, adapter, implementation, observation, teacher forcing
""".replace("\n", " ")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line in a block of shell code, with the document that has it."""
    for document in DOCUMENTS:
        for block in BLOCK.findall(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if words := shlex.split(line, comments=True):
                    yield document.relative_to(ROOT).as_posix(), words


BNCONFORM = [(document, words) for document, words in commands() if words[0] == "bnconform"]


@pytest.mark.parametrize(
    ("document", "words"), BNCONFORM, ids=[f"{document}: {' '.join(words)}" for document, words in BNCONFORM]
)
def test_a_command_of_a_document_has_the_options_that_it_uses(document: str, words: list[str]) -> None:
    command: click.Command = main
    rest = words[1:]
    while isinstance(command, click.Group) and rest and (inner := command.get_command(click.Context(command), rest[0])):
        command = inner
        rest.pop(0)
    assert command is not main or rest[0].startswith("-")
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h", "--version"}
    used = [word.partition("=")[0] for word in rest[: rest.index("--") if "--" in rest else None]]
    assert [word for word in used if re.match(r"--?[a-z]", word) and word not in options] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"^make ([a-z]+)|`make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {first or second for first, second in named} - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=[path.relative_to(ROOT).as_posix() for path in DOCUMENTS])
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    """To a file: the site has no pages for folders."""
    broken = []
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        path = (document.parent / name).resolve() if name else document
        if "://" in link:
            continue
        if not path.is_file() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


def test_the_readme_of_conformance_names_every_folder_and_module_of_the_package() -> None:
    text = (ROOT / "conformance/README.md").read_text(encoding="utf-8")
    named = re.findall(r"^    ([a-z]+/|[a-z_]+\.py) +\S", text, re.MULTILINE)
    package = ROOT / "conformance/bn_conformance"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert sorted(named) == sorted(folders | {path.name for path in package.glob("[a-z]*.py")})


@pytest.mark.parametrize("folder", ["conformance", "adapters", "reference"])
def test_modules_that_a_readme_names_exist(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/]+\.(?:py|toml))`", text)) - {
        "pyproject.toml",
        "adapters/bn_adapters/my_adapter.py",
    }
    rooms = [ROOT / "reference", ROOT / "conformance", ROOT / "adapters", ROOT / "tests"]
    existing = {path.relative_to(ROOT).as_posix() for room in rooms for path in room.rglob("*.*")}
    assert {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in existing)} == set()


def test_the_quick_start_explains_every_outcome_and_verdict() -> None:
    text = (ROOT / "docs/quick-start.md").read_text(encoding="utf-8")
    words = [kind.name for kind in OUTCOME_KINDS] + [verdict.value for verdict in VERDICT_MEANINGS]
    assert [word for word in words if f"`{word}`" not in text and f"`{word}(" not in text] == []


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub, and the site, make of headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("word", [word.strip() for word in WORDS.split(",")])
def test_the_glossary_explains_a_word_once(word: str) -> None:
    assert list(glossary()).count(word) == 1


def test_the_glossary_explains_the_words_of_verdicts_and_findings() -> None:
    printed = {*(kind.name for kind in OUTCOME_KINDS), *ALGORITHMS, *(status.value for status in Status)}
    assert printed - set(glossary()) == set()


def test_the_glossary_has_no_word_twice() -> None:
    words = list(glossary())
    assert sorted(set(words)) == sorted(words)


def glossary() -> Iterator[str]:
    yield from re.findall(r"^- \*\*(.+?)\*\*: .", (ROOT / "GLOSSARY.md").read_text(encoding="utf-8"), re.MULTILINE)
