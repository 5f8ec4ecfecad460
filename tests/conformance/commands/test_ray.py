"""`bnconform run --ray ADDRESS`: on a cluster of two nodes, one of which is lost, everything is as on one machine."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import CRASHING, GOOD, ROOT, WRONG, assert_usage, bnconform, run, write
from tests.support.runs import assert_same_run

from bn_conformance.matrix.attempts import Attempts
from bn_conformance.results.file import read_results

NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
SLOW = (
    "import time\n"
    + GOOD
    + """
    def build(self, config):
        time.sleep(0.3)
        return super().build(config)
"""
)
ASKED = ("-i", "good.py", "-i", "wrong.py", "--case", "fwd/*/float32/*", "--known-faults", "faults.toml")
FAULT = '[[fault]]\nimplementation = "wrong"\ncase = "*/*/float32/*-*"\nreason = "on purpose"\n'


def test_an_item_that_ends_its_process_is_tried_once_more_and_then_lost() -> None:
    attempts = Attempts()
    assert attempts.after_end(["a::1", "a::2"]) == ([], ["a::1", "a::2"])
    lost, left = attempts.after_end(["a::1", "a::2"])
    assert [item for item, _ in lost] == ["a::1"]
    assert left == ["a::2"]


def test_an_implementation_that_loses_several_items_is_given_up() -> None:
    attempts = Attempts()
    for item in ("a::1", "a::2", "a::3"):
        attempts.after_end([item, "a::4"])
        lost, left = attempts.after_end([item, "a::4"])
    assert [item for item, _ in lost] == ["a::3", "a::4"]
    assert left == []


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster whose head has one processor, to which tests add nodes."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@NEEDS_RAY
@pytest.mark.slow
def test_what_a_lost_node_had_to_do_is_done_on_another(tmp_path: Path, cluster: Any) -> None:
    write(tmp_path, "good.py", SLOW)
    write(tmp_path, "wrong.py", WRONG)
    write(tmp_path, "faults.toml", FAULT)
    node = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    results = tmp_path / "ray.jsonl"
    command = [sys.executable, "-m", "bn_conformance", "run", *ASKED, "--ray", cluster.address, "--results", results]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        while not results.exists() or results.read_text().count('"implementation":"good"') < 15:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        cluster.remove_node(node, allow_graceful=False)
        code = process.wait(240)
    _, whole = run(tmp_path, *ASKED)
    assert whole.end is not None
    assert code == whole.end.exit_code
    assert_same_run(read_results(results), whole)


@NEEDS_RAY
@pytest.mark.slow
def test_a_cluster_judges_crashes_and_resumes_as_one_machine_does(tmp_path: Path, cluster: Any) -> None:
    write(tmp_path, "good.py", GOOD)
    write(tmp_path, "crashing.py", CRASHING)
    asked = ("-i", "crashing.py", "-i", "good.py", "--case", "*/nc/float32/random")
    _, whole = run(tmp_path, *asked)
    (tmp_path / "part.jsonl").write_bytes((tmp_path / "out.jsonl").read_bytes()[:-3000])
    done = bnconform(tmp_path, "run", "--resume", "part.jsonl", "--ray", cluster.address)
    assert done.returncode == 1, done.stderr
    part = read_results(tmp_path / "part.jsonl")
    assert part.missing() == ()
    assert {item.id: (item.outcome, item.verdict) for item in part.items} == {
        item.id: (item.outcome, item.verdict) for item in whole.items
    }


@NEEDS_RAY
@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, "good.py", GOOD)
    done = bnconform(tmp_path, "run", "-i", "good.py", "--case", "fwd/*", "--ray", "127.0.0.1:1")
    assert_usage(done, "--ray 127.0.0.1:1: there is no such cluster")
    assert not (tmp_path / "reports").exists()


def test_a_cluster_takes_no_number_of_processes(tmp_path: Path) -> None:
    done = bnconform(tmp_path, "run", "-i", "textbook.numpy", "--ray", "auto", "-n", "2")
    assert_usage(done, "--ray judges on a cluster; leave out -n and --in-process")
