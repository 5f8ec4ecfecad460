"""The environment of a process whose verdict must not depend on how its caller's shell or terminal is set up."""

from __future__ import annotations

import os
from collections.abc import Mapping

REMOVED = (
    "PYTHONOPTIMIZE",  # without assertions an implementation that refuses by one accepts everything
    "PYTHONWARNINGS",  # an error for every warning of a framework would be an error of the implementation
    "PYTHONIOENCODING",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
)
"""Variables that change what Python code does."""

SET = {
    "PYTHONSAFEPATH": "1",  # a file json.py or torch.py in the caller's folder is not imported instead of a library
    "PYTHONUTF8": "1",  # what an implementation prints cannot fail for the encoding of a terminal
}


def neutral_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables without those that change what Python code does.

    `PYTHONPATH` stays, but for its empty entries, which stand for the current folder.
    """
    kept = {name: text for name, text in environment.items() if name not in REMOVED}
    folders = [folder for folder in kept.pop("PYTHONPATH", "").split(os.pathsep) if folder]
    return kept | SET | ({"PYTHONPATH": os.pathsep.join(folders)} if folders else {})
