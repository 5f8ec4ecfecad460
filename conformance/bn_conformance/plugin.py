"""The pytest plugin's options. Imports nothing of the suite until the matrix is really asked for."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the matrix, all prefixed `--bn-`."""
    group = parser.getgroup("bnconform", "batch-normalisation conformance")
    group.addoption(
        "--bn-implementation", action="append", default=[], metavar="NAME", help="implementation, pattern or target"
    )
    group.addoption("--bn-clause", action="append", default=[], metavar="ID", help="clause or family of clauses")
    group.addoption("--bn-case", action="append", default=[], metavar="GLOB", help="case id or pattern")
    group.addoption(
        "--bn-level", choices=["tight", "stable", "degraded"], default="degraded", help="worst level to pass"
    )
    group.addoption(
        "--bn-profile",
        choices=["default", "standard"],
        default="default",
        help="standard fails nonstandard conventions",
    )
    group.addoption("--bn-results", default="", metavar="FILE", help="results file to write")
    group.addoption("--bn-device", default="cpu", metavar="NAME", help="device to run implementations on")
    group.addoption(
        "--bn-known-faults", action="append", default=[], metavar="FILE", help="your own known faults (TOML)"
    )
    group.addoption("--bn-timeout", type=float, default=120.0, metavar="SECONDS", help="limit of one call")
    group.addoption(
        "--bn-regressions", action="append", default=[], metavar="PATH", help="regressions of fuzz: a file or a folder"
    )
    group.addoption("--bn-in-process", action="store_true", help="run layers in the pytest process (for debuggers)")
    group.addoption("--bn-front", action="store_true", help="set by `bnconform run`: own progress and summary")


def pytest_configure(config: pytest.Config) -> None:
    """Register the matrix where the arguments name it."""
    if any("bn_conformance" in str(argument) for argument in config.args):
        from bn_conformance.matrix.plugin import MatrixPlugin

        config.pluginmanager.register(MatrixPlugin(config), "bnconform-matrix")
