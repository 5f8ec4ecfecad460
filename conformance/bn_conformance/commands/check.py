"""`bnconform check`: one implementation of your own, an adapter or code without one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from bn_conformance.commands.declaring import EXIT_CODES, SuiteCommand, processes_option, run_options, target_options
from bn_conformance.commands.run import OF_A_CHECK
from bn_conformance.hosting.spawn import template_for
from bn_conformance.options import OPTIONS, RunOptions
from bn_conformance.targets.naming import is_target

OF_SEVERAL = ("implementations", "shard", "times", "resume", "reuse", "ray")
"""Options of a run that make little sense for one implementation."""


@click.command(cls=SuiteCommand, epilog=EXIT_CODES)
@click.argument("target")
@target_options
@click.option(
    "--signature",
    default="",
    metavar="TEXT",
    help="Of a C function: its parameters in order, such as 'x:in gamma:in beta:in y:out n c eps'.",
)
@run_options(*(name for name in OPTIONS if name not in (*OF_SEVERAL, OF_A_CHECK)))
@processes_option
def command(
    target: str,
    kind: str,
    convention: tuple[str, ...],
    names: tuple[str, ...],
    arguments: tuple[str, ...],
    signature: str,
    processes: str,
    **options: Any,
) -> int:
    """Judge one implementation of your own, in a file or a module.

    TARGET is path/to/file.py:NAME or module:NAME: an adapter, or the code itself. What the code is, is found out and
    said; --as says it where two readings fit. The name may be left out where the file has one thing to judge.

    A sample of the cases is asked: plain ones first, then sizes and tours, where these conform or fail at usual edges
    alone. --thorough asks all of them in any case. What --case and --clause select is all asked.
    """
    arguments += (f"signature={signature}",) if signature else ()
    with ExitStack() as stack:
        if kind or is_target(target):
            stack.enter_context(template_for(target))
        from bn_conformance.commands.checking import judge_target  # imports the suite, and the template does beside it
        from bn_conformance.commands.subject import target_of

        target = target_of(target, kind, convention, names, arguments)
        return judge_target(RunOptions(implementations=(target,), plain_first=True, **options), processes)
