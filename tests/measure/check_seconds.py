"""Seconds of `bnconform.check`, with its diagnosis: `python -m tests.measure.check_seconds [FILE:NAME]...`.

Each layer is judged in a fresh process. What importing torch takes is not counted: it is imported before. On a machine
that others use too, compare processor time.
"""

from __future__ import annotations

import subprocess
import sys

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


def main() -> None:
    """Print a line for each layer: those of this module, or those that are named."""
    parts = {target: target.partition(":") for target in sys.argv[1:]}
    named = {target: FROM_FILE.format(path=path, name=name) for target, (path, _, name) in parts.items()}
    for name, load in (named or LAYERS).items():
        command = [sys.executable, "-c", PROGRAM.format(load=load)]
        print(f"{name}: {subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()}")


if __name__ == "__main__":
    main()
