"""`bnconform run`: the matrix under pytest, with the suite's own progress and summary."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bn_conformance.commands.declaring import EXIT_CODES, SuiteCommand, check_seconds, processes_option, run_options
from bn_conformance.hosting.neutral import neutral_environment
from bn_conformance.matrix.plugin_names import CONTROL
from bn_conformance.options import OPTIONS, RunOptions
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED, USAGE
from bn_conformance.user_error import UserError

if TYPE_CHECKING:
    from bn_conformance.results.file import Results

_PYTEST_INTERNAL, _PYTEST_USAGE, _PYTEST_NOTHING = 3, 4, 5
_NO_LIMIT = "1000000"
"""Restarts of xdist's processes: the matrix has limits of its own."""

CACHE = ".pytest_cache"
"""The folder, where the command is given, in which pytest remembers what failed."""

_AUTOMATIC = ("auto", "logical")

_AGAIN = ("--lf", "--last-failed", "--ff", "--failed-first")
"""Arguments of pytest that ask for what failed."""

OF_A_CHECK = "plain_first"
"""The option that `bnconform check` sets by itself."""

_PLUGINS = ("-p", "bnconform", "--noconftest", "-p", "no:unraisableexception")
"""The last looks through all objects several times at the end, for errors that no case of the matrix can have."""

_QUIET = ("-qq", "--no-header", "--no-summary", "--tb=no", "--bn-front")
_SPEAKING = re.compile(r"-[vqr]|--(verbos|quiet|durations|co|collect|tb|report)")
"""Arguments that ask pytest itself to say something."""


@click.command(cls=SuiteCommand, epilog=f"{EXIT_CODES} Arguments after -- go to pytest.")
@run_options(*(name for name in OPTIONS if name != OF_A_CHECK))
@processes_option
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def command(processes: str, pytest_arguments: tuple[str, ...], **options: Any) -> int:
    """Run the matrix and write a results file.

    A sample of the cases is asked, in which every class of them occurs. What --case, --clause, --set, --regressions or
    -k selects is all asked: --case '*' asks every case that an implementation declares.
    """
    return run(RunOptions(**options), processes, pytest_arguments).exit_code


@dataclass(frozen=True)
class Ran:
    """A run that is through.

    Attributes:
        exit_code: of the command.
        results: what was written; None where nothing was judged.
    """

    exit_code: int
    results: Results | None


def run(options: RunOptions, processes: str = "auto", pytest_arguments: tuple[str, ...] = ()) -> Ran:
    """Run the matrix under pytest with its own configuration.

    Args:
        options: of the run.
        processes: `auto`, one for each core and fewer for few cases, or a number; 0 runs in this process.
        pytest_arguments: what goes to pytest as it is.

    Returns:
        How it ended.

    Raises:
        UserError: the options contradict each other or are out of range.
        KeyboardInterrupt: the run was told to end before anything was judged.
    """
    import pytest

    from bn_conformance.matrix.forks import CAN_FORK

    count = _processes(processes)
    if options.in_process and count:
        if processes != "auto":
            raise UserError("--in-process needs -n 0")
        count = 0
    if options.ray:
        if options.in_process or (processes != "auto" and count):
            raise UserError("--ray judges on a cluster; leave out -n and --in-process")
        count = 0
    check_seconds("--timeout", options.timeout)
    if note := _forgotten(pytest_arguments):
        click.echo(note, err=True)
    matrix = files("bn_conformance").joinpath("matrix")
    arguments = ["-c", f"{matrix}/pytest.ini", "--rootdir", str(matrix), f"{matrix}/test_matrix.py"]
    arguments += [*_PLUGINS, *_front(pytest_arguments)]
    arguments += [] if pytest_arguments or options.in_process else ["--bn-alone"]
    if count and options.plain_first and CAN_FORK:
        arguments += ["--bn-forks", str(count)]
    elif count:
        arguments += ["-p", "xdist", "-n", str(count), "--max-worker-restart", _NO_LIMIT]
    arguments += ["--bn-fewest"] if count and processes in _AUTOMATIC else []
    ending = _Ending(quiet="--bn-front" in arguments)
    with _environment():
        code = int(pytest.main([*arguments, *options.pytest_arguments(), *pytest_arguments], [ending]))
    if ending.told and code == pytest.ExitCode.INTERRUPTED:  # before there were results, which say it themselves
        raise KeyboardInterrupt
    codes = {_PYTEST_USAGE: USAGE, _PYTEST_NOTHING: EXIT_NOT_JUDGED, _PYTEST_INTERNAL: EXIT_NOT_JUDGED}
    return Ran(codes.get(code, code), ending.results)


class _Ending:
    """A pytest plugin that notes how the run ends.

    Attributes:
        told: whether it was told to end.

    Args:
        quiet: whether pytest is kept from telling at which line of the suite that was.
    """

    told = False

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._plugins: Any = None

    def pytest_configure(self, config: Any) -> None:
        """Take where the ones are found that speak for pytest and record the run."""
        self._plugins = config.pluginmanager

    @property
    def results(self) -> Results | None:
        """What the run wrote; None where it did not come so far."""
        control = self._plugins and self._plugins.get_plugin(CONTROL)
        results: Results | None = control.results if control else None
        return results

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Note it; what ends a run by `pytest.exit` comes here, too, and pytest tells why."""
        self.told = excinfo.errisinstance(KeyboardInterrupt)
        reporter = self._plugins and self._plugins.get_plugin("terminalreporter")
        if self.told and self._quiet and reporter:
            reporter._report_keyboardinterrupt = lambda: None  # noqa: SLF001 - it has no option for that


def load_for_a_run(options: RunOptions) -> None:
    """Load what a run needs, where there is time for it: `run` takes half a second less after it."""
    import bn_conformance.matrix.plugin  # noqa: F401
    from bn_conformance.catalogue import all_cases
    from bn_conformance.catalogue.digest import digest_of
    from bn_conformance.identity.fingerprint import read_ahead, suite_digest
    from bn_conformance.implementations.known_faults import shipped

    shipped()
    suite_digest()
    for case in () if options.cases or options.clauses else all_cases().values():
        digest_of(case)
    for target in options.implementations:
        read_ahead(target)


def _front(pytest_arguments: tuple[str, ...]) -> list[str]:
    """How pytest is to speak and remember: not at all, unless it gets arguments of its own.

    With any it remembers what failed, so that `-x` can be followed by `--lf`.
    """
    asked = [argument for argument in pytest_arguments if argument.startswith("-")]
    speaking = any(_SPEAKING.match(argument) for argument in asked)
    cache = ["-o", f"cache_dir={Path.cwd() / CACHE}"] if pytest_arguments else ["-p", "no:cacheprovider"]
    return [*cache, *(("--no-header",) if speaking else _QUIET)]


def _forgotten(pytest_arguments: tuple[str, ...]) -> str:
    """What is to be said where failures of an earlier run are asked for and none are remembered; empty elsewhere."""
    asked = next((argument for argument in pytest_arguments if argument in _AGAIN), "")
    remembered = Path.cwd() / CACHE / "v" / "cache" / "lastfailed"
    if not asked or (remembered.is_file() and "test_matrix.py::" in remembered.read_text("utf-8", "replace")):
        return ""
    return (
        f"{asked}: no failure is remembered here, so everything runs. A run is remembered where something stands "
        "behind --, as in bnconform run -- -q; what a results file says failed, bnconform run -i NAME --case CASE runs "
        "again."
    )


@contextmanager
def _environment() -> Iterator[None]:
    """An environment in which nothing but the arguments decides how pytest and its processes run."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(neutral_environment(before) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_THEME", "PYTEST_DEBUG"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _processes(text: str) -> int:
    if text in _AUTOMATIC:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(cores, 1)
    if not text.isdecimal():
        raise UserError(f"-n is {text!r}; allowed are auto and numbers from 0")
    return int(text)
