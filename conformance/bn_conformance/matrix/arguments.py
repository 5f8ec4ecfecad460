"""What pytest's arguments say of a run: its options, and expressions that are read before anything starts."""

from __future__ import annotations

import pytest
from _pytest.mark.expression import Expression

from bn_conformance.options import OPTIONS, RunOptions


def require_expressions(config: pytest.Config) -> None:
    """Refuse what pytest cannot read of `-k` and `-m` before anything starts: a process of xdist would end in it.

    Raises:
        pytest.UsageError: an expression cannot be read.
    """
    for option, text in (("-k", config.option.keyword), ("-m", config.option.markexpr)):
        if text:
            try:
                Expression.compile(text)
            except Exception as error:  # of a type that depends on the version of pytest
                raise pytest.UsageError(f"Wrong expression passed to '{option}': {text}: {error}") from None


def options_of(config: pytest.Config) -> RunOptions:
    """The options of the run from pytest's."""
    return RunOptions.from_json({name: config.getoption(f"bn_{name}") for name in OPTIONS})
