"""Scripts of known faults: written and run in this process."""

from __future__ import annotations

import io
import runpy
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from bn_conformance.matrix.reproducing import Reproducer, plan_of


def script_of(item: str) -> str:
    """The script of an item, whose layers run in this process."""
    return Reproducer(plan_of(item, in_process=True)).script_of(item).text


def shown(item: str) -> str:
    """Write the script of an item and run it in this process: empty where it shows the fault, else what it says."""
    text = script_of(item)
    code, output = outcome_of(text)
    return "" if code == 1 and "\nFAULT:" in f"\n{output}" else f"{item} ends with {code}:\n{output}\n{text}"


def outcome_of(script: str) -> tuple[object, str]:
    """The exit code of a script, and what it prints; None for one that does not exit."""
    assert "bn_conformance" not in script
    output = io.StringIO()
    with TemporaryDirectory() as folder, redirect_stdout(output):
        path = Path(folder, "repro.py")
        path.write_text(script, encoding="utf-8")
        try:
            runpy.run_path(str(path))
        except SystemExit as ended:
            return int(ended.code or 0), output.getvalue()
        except Exception:
            return "a traceback", output.getvalue() + traceback.format_exc()
    return None, output.getvalue()
