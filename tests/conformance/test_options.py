"""Options of a run: one table, which the command line, pytest and the plan read alike."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import click
import pytest
from tests.support.command_line import FRAMEWORKS, modules_after

from bn_conformance.cli import main
from bn_conformance.commands.check import OF_SEVERAL
from bn_conformance.commands.run import OF_A_CHECK
from bn_conformance.matrix.arguments import options_of
from bn_conformance.options import DEFAULTS, OPTIONS, RunOptions

OTHER = RunOptions(
    implementations=("torch.nn", "file.py:A b"),
    clauses=("STAT-3",),
    cases=("fwd/*", "-odd"),
    level="tight",
    case_set="2026.1",
    profile="standard",
    thorough=True,
    plain_first=True,
    results="out.jsonl",
    device="cuda",
    known_faults=("a.toml",),
    timeout=2.5,
    in_process=True,
    regressions=("r",),
    shard="1/2",
    times="old.jsonl",
    resume="cut.jsonl",
    reuse="earlier.jsonl",
    ray="head:6379",
)


def test_the_sample_differs_from_the_default_in_every_option() -> None:
    assert all(getattr(OTHER, field.name) != DEFAULTS[field.name] for field in fields(RunOptions))


class Reader:
    """A pytest plugin that reads the options of the run from pytest's."""

    options: RunOptions | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        self.options = options_of(config)


@pytest.mark.parametrize("options", [RunOptions(), OTHER])
def test_options_come_through_json_and_through_pytest_unchanged(tmp_path: Path, options: RunOptions) -> None:
    assert RunOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    reader = Reader()
    pytest.main([str(tmp_path), "--rootdir", str(tmp_path), "-qq", *options.pytest_arguments()], plugins=[reader])
    assert reader.options == options


def test_options_that_have_their_default_are_not_passed_on() -> None:
    assert RunOptions().pytest_arguments() == []


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_command_line_has_every_option_with_its_default(command: str) -> None:
    declared = main.get_command(click.Context(main), command)
    assert declared is not None
    parameters = declared.make_context(command, ["target"]).params
    shared = {name: value for name, value in parameters.items() if name in OPTIONS}
    assert shared == {name: DEFAULTS[name] for name in shared}
    assert set(OPTIONS) - set(shared) == {OF_A_CHECK, *(OF_SEVERAL if command == "check" else ())}


def test_the_plugin_imports_nothing_of_the_suite_but_the_table() -> None:
    imported = modules_after("import bn_conformance.plugin")
    assert not imported & {"numpy", *FRAMEWORKS}
    suite = {name for name in imported if name.startswith("bn_")}
    assert suite == {"bn_conformance", "bn_conformance.options", "bn_conformance.plugin"}


@pytest.mark.slow
def test_collecting_the_matrix_imports_no_framework() -> None:
    code = (
        "import pytest\n"
        "status = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', '--pyargs', 'bn_conformance'])\n"
        "assert status == 0, status"
    )
    assert not modules_after(code) & set(FRAMEWORKS)
