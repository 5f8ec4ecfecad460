"""`bnconform run --resume FILE`: a run that ended early ends as a whole one, and judges nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.command_line import GOOD, ROOT, WRONG, assert_usage, bnconform, run, write
from tests.support.runs import assert_same_run

from bn_conformance.results.file import Results, read_results
from bn_conformance.results.writer import Writer

ASKED = ("-i", "wrong.py", "-i", "good.py", "--case", "fwd/nc/float32/*", "--known-faults", "faults.toml")
FAULT = '[[fault]]\nimplementation = "wrong"\ncase = "*"\nreason = "on purpose"\n'
NOTING = (
    """
import os, time
"""
    + GOOD
    + """
    def build(self, config):
        with open(os.environ.get("NOTES", os.devnull), "a") as notes:
            notes.write("built\\n")
        time.sleep(float(os.environ.get("DELAY", "0")))
        return super().build(config)
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good and a wrong adapter, which notes how often it builds a layer."""
    write(tmp_path, "good.py", NOTING)
    write(tmp_path, "wrong.py", WRONG)
    write(tmp_path, "faults.toml", FAULT)
    return tmp_path


def resumed(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Results]:
    done = bnconform(folder, "run", "-n", "0", "--resume", "part.jsonl", *arguments)
    return done, read_results(folder / "part.jsonl")


def cut(folder: Path, size: int) -> None:
    (folder / "part.jsonl").write_bytes((folder / "out.jsonl").read_bytes()[:size])


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_where_it_was(folder: Path) -> None:
    patterns = ("*/eps*", "*gamma*", "*beta*", "*parameters*")
    write(folder, "faults.toml", "".join(FAULT.replace("*", pattern) for pattern in patterns))
    command = [sys.executable, "-m", "bn_conformance", "run", *ASKED, "-n", "2", "--results", "part.jsonl"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DELAY": "0.1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not _has_good_items(folder / "part.jsonl"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    before = read_results(folder / "part.jsonl")
    assert before.end is None
    missing = [item for item in before.missing() if item.startswith("good::")]
    notes = {"NOTES": str(folder / "notes")}
    done = bnconform(folder, "run", "-n", "2", "--resume", "part.jsonl", **notes)
    _, whole = run(folder, *ASKED)
    assert done.returncode == 1, done.stderr
    assert_same_run(read_results(folder / "part.jsonl"), whole)
    layers = len((folder / "notes").read_text().splitlines())
    assert len(missing) <= layers < 3 * len(missing)


def _has_good_items(path: Path) -> bool:
    """Whether a few items of the slow implementation are there, of many."""
    try:
        return path.read_text().count('"implementation":"good","case":"fwd/') > 3
    except OSError:
        return False


@pytest.mark.slow
def test_a_file_that_was_cut_off_anywhere_ends_as_a_whole_one(folder: Path) -> None:
    _, whole = run(folder, "-i", "wrong.py", "-i", "good.py", "--case", "fwd/nc/float32/*a*", *ASKED[-2:])
    lines = (folder / "out.jsonl").read_bytes().splitlines(keepends=True)
    first_item = next(place for place, line in enumerate(lines) if b'"quantities":[{' in line)
    places = {
        "after the header": len(lines[0]),
        "in an environment": len(lines[0]) + len(lines[1]) + 20,
        "among the unsupported": sum(map(len, lines[: first_item - 1])) + 5,
        "in an item": sum(map(len, lines[: first_item + 3])) + 700,
        "before the newline": sum(map(len, lines[: first_item + 5])) - 1,
        "in the end": sum(map(len, lines)) - 3,
        "nowhere": sum(map(len, lines)),
    }
    for where, size in places.items():
        cut(folder, size)
        done, results = resumed(folder)
        assert done.returncode == 0, where + done.stderr
        assert_same_run(results, whole)
        assert "Nothing new fails in 2 implementations" in done.stdout, where


@pytest.mark.slow
def test_a_run_that_is_not_the_same_is_one_line(folder: Path) -> None:
    bnconform(folder, "run", "-n", "0", *ASKED, "--results", "out.jsonl")
    cut(folder, -100)
    before = (folder / "part.jsonl").read_bytes()

    def refused(words: str, *arguments: str) -> None:
        assert_usage(bnconform(folder, "run", "-n", "0", "--resume", "part.jsonl", *arguments), words)

    refused("--case was fwd/nc/float32/* and is err/*; run again without --resume", "--case", "err/*")
    refused("--level was degraded and is tight", "--level", "tight")
    refused("leave out --results", "--results", "other.jsonl")
    write(folder, "good.py", NOTING + "\n")
    refused("good is not what it was: its own files changed")
    write(folder, "good.py", NOTING)
    assert (folder / "part.jsonl").read_bytes() == before
    (folder / "part.jsonl").write_bytes(before.replace(b'"suite":"', b'"suite":"0.', 1))
    refused("began it, this is")
    (folder / "part.jsonl").write_bytes(before.replace(b'"planned":["', b'"planned":["good::err/nc/float32/x","', 1))
    refused("names no such implementation or case")
    (folder / "part.jsonl").write_bytes(before.replace(b'"versions":{}', b'"versions":{"numpy":"1.0"}', 1))
    refused("wrong is not what it was: versions was numpy 1.0 and is nothing")
    for content in (b"", before[:50], b"{}\n", b"\x00" * 100 + b"\n"):
        (folder / "part.jsonl").write_bytes(content)
        refused("part.jsonl")


@pytest.mark.slow
def test_known_faults_that_decide_otherwise_now_are_one_line(folder: Path) -> None:
    bnconform(folder, "run", "-n", "0", *ASKED, "--results", "out.jsonl")
    cut(folder, -30)
    write(folder, "faults.toml", "")
    done = bnconform(folder, "run", "-n", "0", "--resume", "part.jsonl")
    assert_usage(done, "other known faults decide its verdicts now")


@pytest.mark.slow
def test_a_file_that_a_run_still_writes_is_left_alone(folder: Path) -> None:
    bnconform(folder, "run", "-n", "0", *ASKED, "--results", "out.jsonl")
    cut(folder, -100)
    before = (folder / "part.jsonl").read_bytes()
    with (folder / "part.jsonl").open("rb") as stream:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
        assert_usage(bnconform(folder, "run", "-n", "0", "--resume", "part.jsonl"), "another run writes it")
    assert (folder / "part.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_shard_is_resumed_as_the_shard_that_it_is(folder: Path) -> None:
    shard = ("--shard", "1/2", "--times", "times.jsonl")
    bnconform(folder, "run", "-n", "0", *ASKED, "--results", "times.jsonl")
    _, whole = run(folder, *ASKED, *shard)
    cut(folder, -1500)
    done, results = resumed(folder)
    assert whole.end is not None
    assert done.returncode == whole.end.exit_code, done.stderr
    assert_same_run(results, whole)


def test_a_file_that_grew_since_it_was_read_is_not_cut(tmp_path: Path) -> None:
    from bn_conformance.results.file import Extent
    from bn_conformance.results.json_line import ResultsError

    path = tmp_path / "grown.jsonl"
    path.write_bytes(b"12345")
    with pytest.raises(ResultsError, match="another run has written it meanwhile"):
        Writer(path, Extent(size=4, judged=2))
    assert path.read_bytes() == b"12345"
