"""Runs a script in a process of its own and says whether the fault shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 600.0
"""Time that a script may take."""


def shows(text: str) -> tuple[bool, str]:
    """Whether a script shows its fault here, and the last line that it wrote.

    A script that ends with a traceback does not: it shows a mistake in itself.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "repro.py")
        path.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run(
                [sys.executable, str(path)],
                cwd=folder,
                env=dict(os.environ),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False, f"it did not end within {SECONDS:g} seconds"
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    shown = ended.returncode == 1 and any(line.startswith("FAULT:") for line in ended.stdout.splitlines())
    return shown, lines[-1] if lines else f"it ended with exit code {ended.returncode} and wrote nothing"
