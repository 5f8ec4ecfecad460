"""Writing results: one run at a time, whole lines, and one line of text where it is not possible."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import GOOD, ROOT, assert_usage, bnconform, called, write
from tests.support.sample_results import item, records, results

from bn_conformance.results.file import read_results
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.writer import Writer

SAMPLE = records(results([item("i", "a")]))


def test_a_file_that_another_run_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first = Writer(path)
    first.write(*SAMPLE)
    with pytest.raises(ResultsError, match=r"cannot be written \(another run writes it\); name another"):
        Writer(path)
    first.close()
    assert len(read_results(path).items) == 1
    Writer(path).close()
    assert path.read_bytes() == b""


def test_a_file_that_is_removed_while_it_is_written_is_told_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    writer = Writer(path)
    writer.write(*SAMPLE)
    path.unlink()
    writer.write(*SAMPLE[1:])
    with pytest.raises(ResultsError, match="was removed while the run wrote it"):
        writer.close()


def test_runs_that_name_no_file_never_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    writers = [Writer("") for _ in range(3)]
    assert len({writer.path for writer in writers}) == 3


@pytest.mark.parametrize("name", ["n" * 300, "folder", "file/below", "pipe", "/dev/full", "/proc/none/results"])
def test_a_file_that_cannot_be_written_is_one_line_before_anything_is_judged(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path, "file", "")
    done = called(tmp_path, "run", "-n", "0", "-i", write(tmp_path, "good.py", GOOD), "--results", name)
    assert_usage(done, "name a")


@pytest.mark.slow
def test_a_disk_that_is_full_in_the_middle_keeps_what_was_judged(tmp_path: Path) -> None:
    write(tmp_path, "good.py", GOOD)
    command = ["run", "-n", "0", "-i", "good.py", "--case", "fwd/nc/float32/*", "--results", "out.jsonl"]
    assert bnconform(tmp_path, *command).returncode == 0
    whole = (tmp_path / "out.jsonl").read_bytes()
    room = len(whole) * 3 // 4
    done = subprocess.run(
        [sys.executable, "-m", "bn_conformance", *command],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("out.jsonl: cannot be written (File too large)") == 1
    assert "Traceback" not in done.stdout + done.stderr
    kept = read_results(tmp_path / "out.jsonl")
    assert kept.items
    assert kept.end is None
    assert kept.missing()
