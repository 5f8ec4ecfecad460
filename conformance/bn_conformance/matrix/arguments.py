"""What pytest's arguments say of a run: its options, and expressions that are read before anything starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from _pytest.mark.expression import Expression

from bn_conformance.options import EVERY_CASE, OPTIONS, RunOptions


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
    """The options of the run from pytest's. What pytest selects from is every case, and no sample of them.

    A run that is resumed has the cases that it had.
    """
    options = RunOptions.from_json({name: config.getoption(f"bn_{name}") for name in OPTIONS})
    all_ = options.sampled and not options.resume and _selects(config)
    return replace(options, cases=(EVERY_CASE,)) if all_ else options


def _selects(config: pytest.Config) -> bool:
    """Whether pytest is told which items to take: by an expression, by what failed last, or by their names."""
    option = config.option
    named = any("::" in argument for argument in config.args)
    failed_last = getattr(option, "lf", False)  # there is no such option where nothing is remembered
    return bool(option.keyword or option.markexpr or option.deselect or failed_last or named)
