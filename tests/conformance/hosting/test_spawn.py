"""Workers of a check are forked from a template, which is started before anything else; elsewhere each is new."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.processes import runs, start_of, within

from bn_conformance.hosting import spawn, template
from bn_conformance.hosting.process import Process
from bn_conformance.hosting.spawn import template_for
from bn_conformance.hosting.started import Started
from bn_conformance.hosting.template import Template

EARLY = """
import subprocess, sys
import bn_conformance.cli

def started(command, **named):
    print("numpy" in sys.modules, command[2])
    raise SystemExit(7)

subprocess.Popen = started
bn_conformance.cli.main(["check", *sys.argv[1:]])
"""


THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"


@pytest.fixture
def templates(monkeypatch: pytest.MonkeyPatch) -> list[Template]:
    """The templates that are started."""
    found, real = list[Template](), Template

    def noted(*given: object) -> Template:
        found.append(real(*given))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(spawn, "Template", noted)
    return found


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The marks of the workers that are new processes."""
    marks, real = list[str](), spawn._new  # noqa: SLF001

    def noted(*given: object) -> Started:
        started = real(*given)  # type: ignore[arg-type]
        marks.append(started.mark)
        return started

    monkeypatch.setattr(spawn, "_new", noted)
    return marks


def close(*processes: Process) -> None:
    for process in processes:
        process.close()


def test_workers_are_forked_within_the_block_and_new_outside_it(templates: list[Template], new: list[str]) -> None:
    with template_for(""):
        inside = Process({}), Process({})
        assert not new
        close(*inside)
    outside = Process({})
    assert (len(templates), new) == (1, [outside.mark])
    close(outside)


def test_other_variables_need_another_template_and_the_first_is_ended(
    templates: list[Template], new: list[str]
) -> None:
    with template_for(""):
        first = templates[0].pid
        start = start_of(first)
        process, again = Process({"KERAS_BACKEND": "numpy"}), Process({"KERAS_BACKEND": "numpy"})
        assert [template.environment for template in templates] == [{}, {"KERAS_BACKEND": "numpy"}]
        assert not runs(first, start)
        close(process, again)
    assert not new


def test_the_template_ends_with_the_block_and_what_was_forked_goes_on(templates: list[Template]) -> None:
    with template_for(""):
        process = Process({})
        template, start = templates[0].pid, start_of(templates[0].pid)
    assert within(5.0, lambda: not runs(template, start))
    os.kill(process.pid, 0)
    close(process)


def killed(template: Template) -> None:
    os.kill(template.pid, signal.SIGKILL)


def left_alone(_: Template) -> None:
    pass


@pytest.mark.parametrize(("first", "code"), [(killed, ""), (left_alone, THREAD)], ids=["killed", "two threads"])
def test_where_the_template_cannot_be_forked_a_new_process_is_started(
    templates: list[Template],
    new: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: Callable[[Template], None],
    code: str,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with template_for(""):
        first(templates[0])
        process = Process({})
    assert new == [process.mark]
    close(process)


def test_where_the_system_does_not_show_the_end_of_a_fork_a_new_process_is_started(
    new: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: int) -> None:
        raise OSError(errno.ENOSYS, "no pidfd_open")

    monkeypatch.setattr(template, "Adopted", unknown)
    before = {*Path("/proc/self/fd").iterdir()}
    with template_for(""):
        process = Process({})
        assert new == [process.mark]
        close(process)
    assert {*Path("/proc/self/fd").iterdir()} == before


def test_a_fork_of_this_process_uses_the_template_and_does_not_end_it(templates: list[Template]) -> None:
    with template_for(""):
        child = os.fork()
        if not child:
            forked = Process({}), Process({"KEY": "another"})
            close(*forked)
            os._exit(len(templates))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        close(Process({}))
        assert len(templates) == 1


@pytest.mark.parametrize("arguments", [["mine.py:Mine"], ["--as", "torch-module", "mine.py"]])
def test_a_check_starts_its_template_before_it_imports_numpy(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", EARLY, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("False bn_conformance.hosting.template_process"), done.stdout + done.stderr
