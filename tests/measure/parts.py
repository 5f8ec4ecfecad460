"""Seconds of a run that is divided, resumed, reused or on a cluster, beside those of one run.

`python -m tests.measure.parts [ARGUMENT...]`: the arguments are those of `bnconform run`, such as `-i torch.nn`;
without them the default matrix is run. Ray's line is left out where Ray is not installed. The shards run one after
the other here, so that what counts is the slowest.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Print a line for each way to run."""
    with tempfile.TemporaryDirectory() as folder:
        run = runner(Path(folder), arguments)
        whole = run("--results", "whole.jsonl", "-n", "2")
        print(f"one run, -n 2: {whole:.1f} s", flush=True)
        print(
            f"--reuse, nothing changed: {run('--reuse', 'whole.jsonl', '--results', 'reused.jsonl'):.1f} s", flush=True
        )
        lines = Path(folder, "whole.jsonl").read_bytes()
        Path(folder, "cut.jsonl").write_bytes(lines[: len(lines) // 2])
        print(f"--resume, half of the file there: {run('--resume', 'cut.jsonl', '-n', '2'):.1f} s", flush=True)
        shards = [shard(run, number) for number in (1, 2)]
        print(f"--shard K/2, -n 2 each: {shards[0]:.1f} s and {shards[1]:.1f} s", flush=True)
        if importlib.util.find_spec("ray") is not None:
            on_cluster(run, whole)


def runner(folder: Path, arguments: list[str]) -> Callable[..., float]:
    """What runs the command in a folder and gives the seconds that it took."""

    def run(*more: str) -> float:
        resumed = [] if "--resume" in more else arguments
        start = time.perf_counter()
        command = [sys.executable, "-m", "bn_conformance", "run", *resumed, *more]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr)
        return time.perf_counter() - start

    return run


def shard(run: Callable[..., float], number: int) -> float:
    """Seconds of one of two shards, balanced by the times of the whole."""
    return run("--shard", f"{number}/2", "--times", "whole.jsonl", "--results", f"{number}.jsonl", "-n", "2")


def on_cluster(run: Callable[..., float], whole: float) -> None:
    """Print the seconds on a cluster of two nodes on this machine, with a processor each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        seconds = run("--ray", cluster.address, "--results", "ray.jsonl")
    finally:
        cluster.shutdown()
    print(f"--ray, two nodes of one processor: {seconds:.1f} s, {seconds / whole:.2f} times -n 2", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
