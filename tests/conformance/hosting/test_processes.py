"""Processes end in time whatever they left behind, requests have deadlines, and nothing outlives who asked."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting import process_tree
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.operations import BuildCall, ForwardCall, StateCall, SupportsCall
from bn_conformance.hosting.process import END_LIMIT, Process
from bn_conformance.hosting.process_tree import end_tree
from bn_conformance.hosting.spawn import template_for

ROOT = Path(__file__).parents[3]
CONFIG = LayerConfig(num_channels=2, rank=2)
SMALL, LARGE = np.ones((4, 2), np.float32), np.ones((1 << 19, 2), np.float32)
"""An x that fits into a pipe, and one that does not."""

Start = Callable[..., tuple[IsolatedHost, Process]]


def exists(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def gone_within(seconds: float, pids: list[int]) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(exists, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """What adapters say that they have started."""
    file = tmp_path / "pids"
    monkeypatch.setenv("LEFT_PIDS", str(file))
    return lambda: [int(line) for line in file.read_text().split()]


@pytest.fixture(params=["new", "forked"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts adapters in processes that are new, and in such as a template is forked for."""
    processes: list[Process] = []

    def started(name: str, limit: float = 20.0) -> tuple[IsolatedHost, Process]:
        process = Process({"PYTHONPATH": str(ROOT)})
        processes.append(process)
        return IsolatedHost(process, f"tests.support.leaving:{name}", limit=limit), process

    with template_for("") if request.param == "forked" else nullcontext():
        yield started
        for process in processes:
            process.close()


def forward(host: IsolatedHost, x: np.ndarray = SMALL) -> None:
    layer = host.reserve()
    _, error = host.run([BuildCall(CONFIG, layer), ForwardCall(layer, x, "contiguous", True)])
    if error is not None:
        raise error


@pytest.mark.parametrize("name", ["LeavesASleeper", "LeavesASession", "LeavesABareSession"])
def test_closing_ends_what_a_layer_left_behind(start: Start, left: Callable[[], list[int]], name: str) -> None:
    host, process = start(name)
    forward(host)
    assert exists(left()[0])
    before = time.monotonic()
    process.close()
    assert time.monotonic() - before < END_LIMIT
    assert gone_within(1.0, left())


@pytest.mark.parametrize(("start", "told"), [("new", True), ("new", False), ("forked", True)], indirect=["start"])
def test_a_crash_is_said_at_once_though_a_child_holds_the_channel(
    start: Start, left: Callable[[], list[int]], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not told:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    host, _ = start("LeavesASleeperAndDies")
    before = time.monotonic()
    with pytest.raises(HostLost, match="the process was killed by SIGSEGV") as caught:
        forward(host)
    assert caught.value.outcome == "crashed"
    assert time.monotonic() - before < END_LIMIT
    assert gone_within(1.0, left())


def test_what_cannot_be_ended_is_named(
    start: Start, left: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host, process = start("LeavesASession")
    forward(host)
    (sleeper,) = left()
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda pid, number: kill(pid, 0 if pid == sleeper else number))
    monkeypatch.setattr("bn_conformance.hosting.process.END_LIMIT", 0.5)
    try:
        process.close()
    finally:
        kill(sleeper, signal.SIGKILL)
    # On a busy machine the worker itself, which was killed, may still be there and be named first.
    told = capsys.readouterr().err
    assert re.search(rf"processes that a worker left could not be ended: .*\b{sleeper} \(python", told), told


def test_of_thousands_that_cannot_be_ended_a_few_are_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, process = start("Plain")
    left = [f"{pid} (python)" for pid in range(2000)]
    monkeypatch.setattr("bn_conformance.hosting.process.end_tree", lambda *given: [end_tree(*given), left][1])
    process.close()
    assert capsys.readouterr().err.endswith("9 (python) and 1,990 more\n")


@pytest.mark.parametrize("name", ["HangsInBuild", "HangsInForward"])
@pytest.mark.parametrize("x", [SMALL, LARGE], ids=["small", "large"])
def test_a_layer_that_hangs_is_late_however_much_is_being_sent(start: Start, name: str, x: np.ndarray) -> None:
    host, _ = start(name, limit=0.5)
    before = time.monotonic()
    operation = name.removeprefix("HangsIn").lower()
    with pytest.raises(HostLost, match=f"{operation} did not answer within 0.5 s") as caught:
        forward(host, x)
    assert caught.value.outcome == "timed-out"
    assert time.monotonic() - before < 0.5 + END_LIMIT


def test_a_large_request_behind_one_that_hangs_is_late_too(start: Start) -> None:
    host, process = start("HangsInForward", limit=0.5)
    layer = host.reserve()
    host.ask(BuildCall(CONFIG, layer))
    calls = [{"op": "forward", "layer": layer, "x": x, "view": "contiguous", "training": True} for x in (SMALL, LARGE)]
    with pytest.raises(HostLost, match=r"forward did not answer within 0\.5 s"):
        process.ask(calls, 0.5)
    with pytest.raises(HostLost, match="the process was ended"):
        process.ask(calls, 0.5)


def test_a_worker_that_closes_its_channel_is_lost(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bn_conformance.hosting.process.END_LIMIT", 0.5)  # how long its end is waited for
    host, _ = start("ClosesTheChannel")
    with pytest.raises(HostLost, match="the process closed its output"):
        forward(host)


def test_long_requests_and_long_answers_cross_at_the_same_time(start: Start) -> None:
    host, _ = start("Plain")
    layers = [host.reserve() for _ in range(4)]
    calls = [BuildCall(CONFIG, layer) for layer in layers]
    results, error = host.run([*calls, *(ForwardCall(layer, LARGE, "contiguous", True) for layer in layers)])
    assert error is None
    assert [result.y.shape for result in results[4:]] == [LARGE.shape] * 4


def test_a_layer_meets_no_child_that_is_not_its_own(start: Start) -> None:
    forward(start("WaitsForItsChildren")[0])


ASKING = """
import sys
from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.operations import BuildCall, ForwardCall
from bn_conformance.hosting.process import Process
import numpy as np

process = Process({})
host = IsolatedHost(process, "tests.support.leaving:" + sys.argv[1])
layer = host.reserve()
host.ask(BuildCall(LayerConfig(num_channels=2, rank=2), layer))
print(process.mark, flush=True)
host.ask(ForwardCall(layer, np.ones((4, 2), np.float32), "contiguous", True))
"""


@pytest.mark.parametrize("name", ["HangsInForward", "HoldsTheInterpreter"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_does_not_outlive_who_asked(name: str, number: signal.Signals) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKING, name],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert asking.stdout is not None
    mark = asking.stdout.readline().strip()
    time.sleep(0.3)  # for the layer to be in its hang
    pids = [running.pid for running in process_tree.tree_of(-1, mark)]
    assert pids
    asking.send_signal(number)
    asking.wait(10)
    assert gone_within(10.0, pids)


@pytest.mark.parametrize(
    ("number", "end"),
    [(signal.SIGKILL, "HostLost: the process was killed by SIGKILL"), (signal.SIGSTOP, ""), (signal.SIGTERM, "")],
)
def test_the_parent_that_a_layer_finds_is_not_the_process_that_asked(number: signal.Signals, end: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SIGNAL_TO_PARENT": str(int(number))}
    asking = subprocess.run(
        [sys.executable, "-c", ASKING, "SignalsItsParent"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert asking.returncode == bool(end), asking.stderr
    assert end in asking.stderr


# --- texts and times -------------------------------------------------------------------------------------------------


RAISED = {
    "CannotNameItsFile": r"forward raised FileNotFoundError: caf\udce9.bin is not there",
    "CannotSpeak": "forward raised Unspeakable: (its text cannot be read)",
}


@pytest.mark.parametrize("name", RAISED)
def test_an_error_is_said_in_words_that_can_be_shown(start: Start, name: str) -> None:
    host, _ = start(name)
    with pytest.raises(LayerError) as caught:
        forward(host)
    assert str(caught.value) == RAISED[name]
    assert caught.value.place.startswith("leaving.py, line ")


def test_a_state_may_have_any_names(start: Start) -> None:
    host, _ = start("SavesUndecodableNames")
    layer = host.reserve()
    results, error = host.run([BuildCall(CONFIG, layer), StateCall(layer)])
    assert error is None
    assert os.fsdecode(b"caf\xe9") in results[1]


def test_a_layer_cannot_change_what_time_it_took(start: Start) -> None:
    host, _ = start("CountsTimeAsNan")
    forward(host)
    assert 0 <= host.seconds < 10


def test_a_time_that_is_no_number_breaks_the_protocol(start: Start) -> None:
    host, _ = start("BreaksTheHostsClock")
    with pytest.raises(HostLost, match="the worker broke the protocol: seconds in the answer to forward is"):
        forward(host)


def test_a_reason_that_is_no_text_is_an_error(start: Start) -> None:
    host, _ = start("SupportsANumber")
    with pytest.raises(LayerError, match="supports returned an object of type int; expected None or a text"):
        host.ask(SupportsCall(CONFIG))


def test_a_reason_can_be_shown(start: Start) -> None:
    host, _ = start("SupportsInUndecodableWords")
    assert host.ask(SupportsCall(CONFIG)) == r"no caf\udce9"
