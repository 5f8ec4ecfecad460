"""Seconds of `bnconform.check`, start to verdict: `python -m tests.measure.check_seconds`.

Each layer is judged in a fresh process. What importing torch takes is not counted: it is imported before.
"""

from __future__ import annotations

import subprocess
import sys

LAYERS = {
    "NumPy, fully capable": "from tests.support.good_numpy import GoodNumpy as layer",
    "textbook NumPy": "from bn_adapters.textbook import TextbookNumpy as layer",
    "torch.nn.BatchNorm2d": "import torch; layer = torch.nn.BatchNorm2d",
}
PROGRAM = """
import time
{load}
start = time.perf_counter()
import bnconform
imported = time.perf_counter()
verdict = bnconform.check(layer)
print(f"{{imported - start:.1f}} s import, {{time.perf_counter() - imported:.1f}} s check; {{verdict.headline}}; "
      f"{{verdict.coverage}}")
"""


def main() -> None:
    """Print a line for each layer."""
    for name, load in LAYERS.items():
        command = [sys.executable, "-c", PROGRAM.format(load=load)]
        print(f"{name}: {subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()}")


if __name__ == "__main__":
    main()
