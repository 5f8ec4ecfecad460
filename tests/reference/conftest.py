"""Figures that tests measure are shown after the run (`pytest tests/reference`), and kept in JUnit files."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.figures import Figures


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Record a line of measured figures: printed (see it with -rP), and repeated in the summary after the run."""

    def record(line: str) -> None:
        print(line)
        record_property("figures", line)

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    lines = [
        str(value)
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == "figures"
    ]
    if lines:
        terminalreporter.section("measured figures")
        for line in lines:
            terminalreporter.write_line(line)
