"""Every block of code of every document is run, or says why it is not."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.document_blocks import ROOT, SHOWN, Block, blocks
from tests.support.document_stage import make_stage, run_line

from bn_conformance.implementations.known_faults import parse_known_faults
from bn_conformance.implementations.registry import registered

TESTED_BY = {
    ("CONTRIBUTING.md", "python"): "tests/docs/test_contributing.py",
    ("adapters/README.md", "python"): "tests/adapters/test_examples.py",
}
"""Blocks that a test of their own runs, since they build on one another."""

BUILT = re.compile(r"\{[\w-]+\}")
"""The language of a block that the site is built from; a warning there fails the build."""


def of(*languages: str) -> list[Any]:
    """The blocks of some languages that are to be run, as parameters of a test; those of torch marked."""
    return [
        pytest.param(block, id=block.id, marks=[pytest.mark.framework] if "torch-module" in block.code else [])
        for block in blocks()
        if block.language in languages and not block.reason and (block.document, block.language) not in TESTED_BY
    ]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    make_stage(folder)
    return folder


@pytest.fixture
def stage(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "stage"))


@pytest.fixture(scope="module")
def done() -> set[tuple[str, ...]]:
    return set()


@pytest.mark.slow
@pytest.mark.parametrize("block", of("sh"))
def test_the_commands_of_a_block_run(block: Block, stage: Path, done: set[tuple[str, ...]]) -> None:
    """Checks that several documents have run once."""
    for words in block.command_lines():
        if "check" not in words or tuple(words) not in done:
            run_line(stage, words)
            done.add(tuple(words))


@pytest.mark.slow
@pytest.mark.framework
@pytest.mark.parametrize("block", of("python"))
def test_python_runs_and_prints_what_it_says(block: Block, stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`print(X)  # prints TEXT` says what is printed; a file of the document is imported by later blocks."""
    monkeypatch.syspath_prepend(str(stage))
    for other in blocks():
        if other.document == block.document and (file := re.match(r"# (\w+\.py)\n", other.code)):
            (stage / file[1]).write_text(other.code, encoding="utf-8")
            monkeypatch.delitem(sys.modules, Path(file[1]).stem, raising=False)
    names: dict[str, Any] = {}
    with chdir(stage):
        exec(compile(block.code, block.id, "exec"), names)
        for expression, text in re.findall(r"^print\((.*)\)  # prints (.*)$", block.code, re.MULTILINE):
            assert str(eval(expression, names)) == text


@pytest.mark.parametrize("block", of("json"))
def test_json_is_json_on_every_line(block: Block) -> None:
    for line in block.code.splitlines():
        json.loads(line)


@pytest.mark.parametrize("block", of("toml"))
def test_toml_is_toml_and_known_faults_are_read(block: Block) -> None:
    if "fault" in tomllib.loads(block.code):
        assert parse_known_faults(block.code, block.id)


@pytest.mark.parametrize("block", of("yaml"))
def test_a_workflow_gives_the_action_what_it_takes(block: Block) -> None:
    takes = yaml.safe_load((ROOT / ".github/actions/bnconform/action.yml").read_text(encoding="utf-8"))["inputs"]
    parsed = yaml.safe_load(block.code)
    jobs = parsed["jobs"].values() if isinstance(parsed, dict) else [{"steps": parsed}]
    given = {
        name for job in jobs for step in job["steps"] if "bnconform" in step.get("uses", "") for name in step["with"]
    }
    assert given
    assert given - set(takes) == set()


@pytest.mark.parametrize("block", [pytest.param(block, id=block.id) for block in blocks()])
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    run = {"sh", "python", "json", "toml", "yaml"}
    assert block.language in run | {SHOWN} or BUILT.fullmatch(block.language)
    assert not block.reason or (block.language in run and len(block.reason.split()) > 2)


@pytest.mark.parametrize(("document", "test"), [(document, test) for (document, _), test in TESTED_BY.items()])
def test_what_another_test_runs_is_named_there(document: str, test: str) -> None:
    assert document in (ROOT / test).read_text(encoding="utf-8")


def test_implementations_that_commands_name_exist() -> None:
    """What runs in their place says nothing of them."""
    lines = [words for block in blocks() if block.language == "sh" for words in block.command_lines()]
    named = {words[at + 1] for words in lines for at, word in enumerate(words) if word == "-i"}
    patterns = {name.removesuffix("*") for name in named if not name.startswith("mylib")}
    assert {name for name in patterns if not any(known.startswith(name) for known in registered())} == set()
