"""The pytest plugin: options `--bn-...`, and the matrix where the arguments name it.

Every pytest run of an environment with bnconform loads this module, so it imports the table of options alone; the
suite is imported once the matrix is asked for.
"""

from __future__ import annotations

from typing import Any

import pytest

from bn_conformance.options import DEFAULTS, OPTIONS, Option


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the matrix, all prefixed `--bn-`."""
    group = parser.getgroup("bnconform", "batch-normalisation conformance")
    for name, option in OPTIONS.items():
        group.addoption(option.pytest_flag, dest=f"bn_{name}", help=option.help, **_declared(option, DEFAULTS[name]))
    group.addoption("--bn-fewest", action="store_true", help="set by `bnconform run`: no more processes than it needs")
    group.addoption("--bn-forks", type=int, default=0, help="set by `bnconform check`: processes that judge, by forks")
    group.addoption("--bn-front", action="store_true", help="set by `bnconform run`: own progress and summary")
    group.addoption("--bn-alone", action="store_true", help="set by `bnconform run`: nothing else reads the reports")


def _declared(option: Option, default: Any) -> dict[str, Any]:
    """What argparse must know of an option beside its flag and help."""
    if default is False:
        return {"action": "store_true"}
    if isinstance(default, tuple):
        return {"action": "append", "default": [], "metavar": option.metavar}
    shown = {"choices": option.choices} if option.choices else {"metavar": option.metavar}
    return {"type": type(default), "default": default, **shown}


def pytest_configure(config: pytest.Config) -> None:
    """Register the matrix where the arguments name it."""
    if any("bn_conformance" in str(argument) for argument in config.args):
        from bn_conformance.matrix.plugin import register

        register(config)
