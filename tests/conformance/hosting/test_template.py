"""A worker that is forked from a template is as one that is a new process: in its session, its mark and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.host import HostLost
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.operations import BuildCall, ForwardCall
from bn_conformance.hosting.process import Process
from bn_conformance.hosting.process_tree import tree_of
from bn_conformance.hosting.spawn import template_for

ADAPTER = """
import os, signal, subprocess, sys
from tests.support.good_numpy import GoodLayer, GoodNumpy

class Layer(GoodLayer):
    def forward(self, x, training):
        DOES
        return super().forward(x, training)

class Doing(GoodNumpy):
    name, layer = "doing", Layer
"""
LEADER = "os.getppid()"
TEMPLATE = "int(open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[1])"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Process, Process]]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    with template_for(""):
        processes = Process({}), Process({})
        yield processes
        for process in processes:
            process.close()


def forward(process: Process, folder: Path, does: str = "pass") -> None:
    """Run a layer that does something in its process."""
    file = folder / "doing.py"
    file.write_text(ADAPTER.replace("DOES", does))
    host = IsolatedHost(process, f"{file}:Doing", limit=20.0)
    layer = host.reserve()
    host.ask(BuildCall(LayerConfig(num_channels=2, rank=2), layer))
    host.ask(ForwardCall(layer, np.ones((4, 2), np.float32), "contiguous", True))


def test_each_leads_a_session_of_its_own_under_a_mark_of_its_own(two: tuple[Process, Process], tmp_path: Path) -> None:
    one, other = two
    forward(one, tmp_path, "subprocess.Popen(['sleep', '60'])")
    forward(other, tmp_path)
    assert [os.getsid(process.pid) for process in two] == [one.pid, other.pid]
    trees = [{running.pid: running.name for running in tree_of(process.pid, process.mark)} for process in two]
    assert not {*trees[0]} & {*trees[1]}
    assert ["sleep" in tree.values() for tree in trees] == [True, False]
    carried = [running.pid for running in tree_of(-1, one.mark)]
    assert {*trees[0]} == {*carried}, "the mark is where processes inherit it from, and where the system shows it"


def test_the_end_of_one_ends_no_other(two: tuple[Process, Process], tmp_path: Path) -> None:
    forward(two[0], tmp_path)
    two[0].close()
    forward(two[1], tmp_path)


@pytest.mark.parametrize(
    ("does", "end"),
    [
        ("os._exit(3)", "exited with status 3"),
        ("os.abort()", "was killed by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        (f"os.kill({LEADER}, signal.SIGKILL); signal.pause()", "was killed by SIGKILL"),
        ("os.killpg(0, signal.SIGKILL)", "was killed by SIGKILL"),
    ],
)
def test_how_it_ended_is_told_and_costs_no_other(
    two: tuple[Process, Process], tmp_path: Path, does: str, end: str
) -> None:
    with pytest.raises(HostLost, match=end):
        forward(two[0], tmp_path, does)
    forward(two[1], tmp_path)


def test_a_layer_that_kills_the_template_ends_nothing_that_was_forked(
    two: tuple[Process, Process], tmp_path: Path
) -> None:
    with suppress(HostLost):
        forward(two[0], tmp_path, f"os.kill({TEMPLATE}, {int(signal.SIGKILL)})")
    forward(two[1], tmp_path)
    after = Process({})
    forward(after, tmp_path)
    after.close()


def test_what_the_file_imports_first_is_imported_before_it_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "layers.py"
    file.write_text("import ml_dtypes\n")
    with template_for(f"{file}:Layer"):
        process = Process({})
        assert "ml_dtypes" in Path(f"/proc/{process.pid}/maps").read_text()
        process.close()


def test_imports_that_end_the_template_are_left_to_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "breaks.py").write_text("raise OSError('no licence')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (file := tmp_path / "layers.py").write_text("import breaks\n")
    with template_for(f"{file}:Layer"):
        process = Process({})
        os.kill(process.pid, 0)
        process.close()
