"""What may be imported before a target's file is: libraries that it imports before it does anything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bn_conformance.targets.first_imports import first_imports

ADAPTER = """
from bn_conformance.adapter import Adapter

class Mine(Adapter):
    requires = ("numpy",)
"""
FILES = {
    "libraries alone": (
        "import os\nimport numpy as np, click\nfrom rich.console import Console\n",
        ["os", "numpy", "click", "rich.console"],
    ),
    "after a docstring": ('"""Layers."""\nfrom __future__ import annotations\nimport numpy\n', ["__future__", "numpy"]),
    "not after a call": ("import numpy\nnumpy.seterr(all='raise')\nimport click\n", ["numpy"]),
    "not after an assignment": ("import sys\nsys.flags_of_mine = 1\nimport numpy\n", ["sys"]),
    "not after a condition": ("if True:\n    import click\nimport numpy\n", []),
    "not after a module of one's own": ("import my_own_layers\nimport numpy\n", []),
    "not after a relative import": ("from . import layers\nimport numpy\n", []),
    "none where variables are set": ("import os\nimport numpy\n\ndef f():\n    os.environ['A'] = 'b'\n", []),
    "none of a file that cannot be read": ("import numpy\ndef f(:\n", []),
    "what an adapter requires": (ADAPTER, ["bn_conformance.adapter", "numpy"]),
    "not where the file does more": (ADAPTER + "\nprint(Mine)\n", ["bn_conformance.adapter"]),
    "not where a name is computed": (ADAPTER + "\nX = open('x')\n", ["bn_conformance.adapter"]),
}


@pytest.mark.parametrize("name", FILES)
def test_the_first_imports_of_a_file(tmp_path: Path, name: str) -> None:
    text, expected = FILES[name]
    (file := tmp_path / "layers.py").write_text(text)
    assert first_imports(f"{file}:Layer") == expected
    assert first_imports(f"numpy-class={file}:Layer+running_variance=biased") == expected


@pytest.mark.parametrize("target", ["none.py:Layer", "module:Layer", "", "layers.c:solve", "kind="])
def test_what_is_no_readable_file_imports_nothing(target: str) -> None:
    assert first_imports(target) == []


def imported_after(target: str, *variables: str) -> set[str]:
    code = f"""
import sys
from bn_conformance.targets.first_imports import import_first
import_first({target!r}, {variables!r})
print(*sys.modules)
"""
    return {*subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()}


def test_nothing_is_imported_without_the_variables_that_it_reads_then(tmp_path: Path) -> None:
    (file := tmp_path / "layers.py").write_text("import click\n")
    assert "click.core" in imported_after(f"{file}:Layer")
    assert "click.core" not in imported_after(f"{file}:Layer", "JAX_PLATFORMS")
    (file := tmp_path / "flax_layers.py").write_text("import click\nfrom flax import linen\n")
    assert "click.core" not in imported_after(f"{file}:Layer")
