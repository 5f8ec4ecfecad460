"""Benchmarks of the suite: `make bench`, or `python -m tests.measure.speed [NAME ...]`.

Figures are ratios wherever a machine's noise would drown seconds; each is the median of several runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COMMAND = [sys.executable, "-m", "bn_conformance"]
TORCH_MODULE = """
from bn_adapters.torch_modules import TorchModuleLayer, hyperparameters
from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig


class Mine(Adapter):
    name = "my.torch"
    convention = Convention()
    capabilities = Capabilities(ranks=frozenset({4}), dtypes=frozenset({"float32"}), state=False)

    def build(self, config: LayerConfig) -> Layer:
        import torch

        return TorchModuleLayer(torch.nn.BatchNorm2d(config.num_channels, **hyperparameters(config)))
"""


def seconds(command: list[str], folder: str | None = None) -> float:
    """Wall time of a command; its exit code is not looked at."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=False, env=os.environ | {"COLUMNS": "100"})
    return time.perf_counter() - start


def median_seconds(command: list[str], runs: int = 5, folder: str | None = None) -> float:
    """Median wall time of a command, after one run that warms caches."""
    seconds(command, folder)
    return statistics.median(seconds(command, folder) for _ in range(runs))


def bench_help() -> str:
    """`bnconform --help` against starting Python and importing click."""
    suite = median_seconds([*COMMAND, "--help"])
    bare = median_seconds([sys.executable, "-c", "import click"])
    return f"bnconform --help: {suite:.3f} s, {suite / bare:.2f} times starting Python with click (goal: under 0.3 s)"


def bench_collection() -> str:
    """Collecting 20,000 items against pytest's 20,000 trivial parameterised ones, side by side."""
    count = 20_000
    with tempfile.TemporaryDirectory() as folder:
        trivial = Path(folder) / "test_trivial.py"
        trivial.write_text(
            "import pytest\n\n\n"
            f"@pytest.mark.parametrize('item', IDS := [f'implementation-{{n % 14}}::family/layout/float32/case-{{n}}' "
            f"for n in range({count})], ids=IDS)\ndef test_case(item):\n    pass\n"
        )
        program = Path(folder) / "ours.py"
        program.write_text(
            "import sys, pytest\n"
            "from dataclasses import replace\n"
            "from bn_conformance.catalogue import all_cases, selection\n"
            "from bn_conformance.matrix import plan\n"
            f"each = {count} // 14 + 1\n"
            "base = list(all_cases().values())\n"
            "many = [replace(base[n % len(base)], id=f'{base[n % len(base)].id}-copy{n}') for n in range(each)]\n"
            "plan.all_cases = selection.all_cases = lambda: {case.id: case for case in many}\n"
            "plan.unsupported_reason = lambda *declared: None\n"
            "from importlib.resources import files\n"
            "matrix = str(files('bn_conformance').joinpath('matrix'))\n"
            "frameworks = {'torch', 'tensorflow', 'jax', 'keras', 'flax'}\n"
            "code = pytest.main(['-c', f'{matrix}/pytest.ini', '--rootdir', matrix, f'{matrix}/test_matrix.py',\n"
            "                    '--collect-only', '-qq', '-p', 'no:cacheprovider'])\n"
            "assert not frameworks & set(sys.modules), frameworks & set(sys.modules)\n"
            "sys.exit(code)\n"
        )
        plain_pytest = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", str(trivial)]
        check = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
        collected = sum(int(line.rpartition(": ")[2]) for line in check.stdout.splitlines() if ".py: " in line)
        if check.returncode or collected < count:
            return f"collection failed: {collected} items {check.stdout[-300:]} {check.stderr[-500:]}"
        suite_seconds, plain_seconds = (
            median_seconds([sys.executable, str(program)], 3),
            median_seconds(plain_pytest, 3),
        )
    return (
        f"collection: {suite_seconds:.2f} s for {collected} items against {plain_seconds:.2f} s for {count} trivial "
        f"ones, {suite_seconds / plain_seconds:.2f} times (goal: 2)"
    )


def bench_harness() -> str:
    """Harness time of a verdict beyond the framework's own calls, from a run of torch.nn and textbook.numpy."""
    from bn_conformance.results.file import read_results

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/results.jsonl"
        command = [*COMMAND, "run", "-i", "torch.nn", "-i", "textbook.numpy", "-n", "0", "--results", path]
        seconds(command)
        times = [1e3 * item.harness_seconds for item in read_results(path).items if item.quantities]
    median, mean = statistics.median(times), statistics.mean(times)
    return f"harness per verdict: median {median:.2f} ms, mean {mean:.2f} ms (goal: median under 3)"


def bench_check() -> str:
    """`bnconform check` on a small torch module, start to verdict."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mine.py").write_text(TORCH_MODULE)
        command = [*COMMAND, "check", "mine.py", "--results", "r.jsonl"]
        taken = median_seconds(command, 3, folder)
        end = json.loads(Path(folder, "r.jsonl").read_text().splitlines()[-1])
    return f"bnconform check of a torch module: {taken:.1f} s, exit code {end['exit_code']} (goal: under 15 s)"


def bench_matrix() -> str:
    """The default matrix over every installed implementation."""
    from bn_conformance.results.file import read_results

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/results.jsonl"
        taken = seconds([*COMMAND, "run", "--results", path])
        items = [item for item in read_results(path).items if item.outcome != "unsupported"]
        harness = statistics.median(item.harness_seconds for item in items if item.quantities)
        start = time.perf_counter()
        subprocess.run([*COMMAND, "report", path], capture_output=True, check=True)
        report = time.perf_counter() - start
        size = Path(path).with_suffix(".html").stat().st_size / 1e6
    return (
        f"default matrix: {taken:.0f} s for {len(items)} items (goal: under 240 s), "
        f"harness per verdict: median {1e3 * harness:.2f} ms; report {report:.1f} s, {size:.1f} MB"
    )


def bench_large() -> str:
    """The case of ten million values on a right layer in NumPy: time and peak memory of the process that judges it."""
    from tests.support.large_cost import measured

    from bn_conformance.catalogue import large_cases

    return "\n".join(str(measured(case_id)) for case_id in large_cases())


BENCHMARKS: dict[str, Callable[[], str]] = {
    "help": bench_help,
    "collection": bench_collection,
    "harness": bench_harness,
    "check": bench_check,
    "matrix": bench_matrix,
    "large": bench_large,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.stderr.write(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    for name in names or BENCHMARKS:
        sys.stdout.write(BENCHMARKS[name]() + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
