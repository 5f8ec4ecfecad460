"""The table of commands: complete, true, and read without importing what the commands work with."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.support.command_line import FRAMEWORKS, GOOD, ROOT, assert_usage, bnconform, modules_after, write

from bn_conformance import commands
from bn_conformance.cli import COMMANDS, main

HEAVY = {"numpy", "numpy_quaddtype", "ml_dtypes", "pytest", "rich", *FRAMEWORKS}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_of_a_command_what_its_own_help_begins_with(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == "command" or command.help
    assert (command.help or "").partition("\n")[0] == COMMANDS[name]


def test_every_module_that_defines_a_command_is_in_the_table() -> None:
    folder = Path(commands.__path__[0])
    defining = {
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(commands.__path__)
        if "\ndef command(" in (folder / f"{module.name}.py").read_text(encoding="utf-8")
    }
    assert defining == set(COMMANDS)


def test_help_imports_neither_a_command_nor_what_it_works_with() -> None:
    imported = modules_after("from bn_conformance.cli import main\nmain(['--help'], standalone_mode=False)")
    assert not imported & HEAVY
    suite = {name.removeprefix("bn_conformance") for name in imported if name.startswith("bn_")}
    assert suite == {"", ".cli", ".commands", ".commands.streams"}


def test_a_command_that_is_not_there_gives_2_and_a_line(tmp_path: Path) -> None:
    assert_usage(bnconform(tmp_path, "chekc"), "there is no command 'chekc'; did you mean check?")
    assert_usage(bnconform(tmp_path, "nothing-like-it"), "No such command 'nothing-like-it'")


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["run", "-n", "0", "-i", "good.py", "--case", "fwd/nc/*"]])
def test_output_that_finds_no_room_is_one_line_and_no_success(tmp_path: Path, arguments: list[str]) -> None:
    write(tmp_path, "good.py", GOOD)
    command = [sys.executable, "-m", "bn_conformance", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        "Error: standard output cannot be written (No space left on device); what it printed is lost"
    )
    assert "Traceback" not in done.stderr


def test_at_the_end_nothing_is_looked_through_for_garbage() -> None:
    told = "import atexit, gc\natexit.register(lambda: print(gc.get_freeze_count() > 0))"
    code = f"{told}\nfrom bn_conformance.cli import main\nmain(['--version'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
