"""Seconds of `bnconform.check`, with its diagnosis: `python -m tests.measure.check_seconds [FILE:NAME]...`.

Each layer is judged in a fresh process. What importing torch takes is not counted: it is imported before. With
`--command`, the command `bnconform check` is measured on what is named, from its start to its end: wall time, processor
time of all its processes, and when the first failure is shown. On a machine that others use too, compare the ratio: it
is processor time over that of a fixed piece of binary128 arithmetic, which is done before each.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bn_reference.arithmetic.quad import to_quad

LAYERS = {
    "NumPy, fully capable": "from tests.support.good_numpy import GoodNumpy as layer",
    "textbook NumPy": "from bn_adapters.textbook import TextbookNumpy as layer",
    "torch.nn.BatchNorm2d": "import torch; layer = torch.nn.BatchNorm2d",
}
FROM_FILE = """
import importlib.util, sys
try:
    import torch
except ImportError:
    pass
spec = importlib.util.spec_from_file_location("measured", {path!r})
module = sys.modules["measured"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
layer = getattr(module, {name!r})
"""
PROGRAM = """
import time
{load}
start = time.perf_counter()
import bnconform
imported, processor = time.perf_counter(), time.process_time()
verdict = bnconform.check(layer)
seconds, processor = time.perf_counter() - imported, time.process_time() - processor
print(f"{{imported - start:.1f}} s import, {{seconds:.1f}} s check ({{processor:.1f}} s of processor time); "
      f"{{verdict.headline}}; {{verdict.coverage}}")
"""

FIRST, VERDICT = re.compile(rb"first failure"), re.compile(r"^[✕✓?] .*(?:conform|judged|broken).*$", re.MULTILINE)


def unit() -> float:
    """Processor seconds of 2,000,000 products and sums in binary128 on this machine, as it is now."""
    values = to_quad(np.linspace(0.5, 1.5, 200_000))
    start = time.process_time()
    for _ in range(10):
        (values * values).sum()
    return time.process_time() - start


def of_command(target: str) -> str:
    """What `bnconform check` takes on a target, with further options behind it, as a line."""
    load, before, start = unit(), _of_children(), time.perf_counter()
    shown, first = b"", None
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bn_conformance", "check", *shlex.split(target)]
        command += ["--results", str(Path(folder, "results.jsonl"))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
            assert process.stdout is not None
            while more := os.read(process.stdout.fileno(), 1 << 16):
                shown += more
                if first is None and FIRST.search(shown):
                    first = time.perf_counter() - start
    seconds, processor = time.perf_counter() - start, _of_children() - before
    verdicts = VERDICT.findall(shown.decode(errors="replace"))
    said = verdicts[-1] if verdicts else shown.decode(errors="replace").strip().rpartition("\n")[2]
    early = "" if first is None else f", first failure after {first:.1f} s"
    return f"{seconds:.1f} s{early} ({processor:.1f} s of processor time, ratio {processor / load:.0f}); {said}"


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a line for each layer: those of this module, or those that are named."""
    if "--command" in sys.argv:
        for target in [part for part in sys.argv[1:] if part != "--command"] or ["bn_adapters.textbook:TextbookNumpy"]:
            print(f"{target}: {of_command(target)}", flush=True)
        return
    parts = {target: target.partition(":") for target in sys.argv[1:]}
    named = {target: FROM_FILE.format(path=path, name=name) for target, (path, _, name) in parts.items()}
    for name, load in (named or LAYERS).items():
        command = [sys.executable, "-c", PROGRAM.format(load=load)]
        print(f"{name}: {subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()}")


if __name__ == "__main__":
    main()
