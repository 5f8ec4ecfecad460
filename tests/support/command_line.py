"""`bnconform` in a process of its own, and the beginning of an adapter that a test writes into a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD = """
from bn_conformance.adapter import Adapter, Array, Convention
from tests.support.good_numpy import GoodLayer, GoodNumpy
"""


def bnconform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bn_conformance", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name
