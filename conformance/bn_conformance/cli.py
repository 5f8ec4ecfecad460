"""The command `bnconform`. Imports click alone; each command imports its work when it runs."""

from __future__ import annotations

import sys

import click

EPILOG = "Exit codes: 0 all conform, 1 something does not, 2 usage, 3 nothing or too little was judged."


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(package_name="bnconform")
def main() -> None:
    """Judge batch-normalisation implementations by an exact reference and derived error bounds."""


def _lazy(
    name: str, implementation: str, summary: str, params: list[click.Parameter], epilog: str = ""
) -> click.Command:
    """A command whose callback is imported when it is called, so that `--help` starts at once."""
    module, _, function = implementation.partition(":")

    def call(**arguments: object) -> None:
        import importlib

        sys.exit(getattr(importlib.import_module(module), function)(**arguments))

    return click.Command(name, callback=call, params=params, help=summary, epilog=epilog or None)


_RUN_OPTIONS: list[click.Parameter] = [
    click.Option(["--clause", "clauses"], multiple=True, metavar="ID", help="A clause or family (STAT-3, STAT)."),
    click.Option(["--case", "cases"], multiple=True, metavar="PATTERN", help="Case id, or a pattern of * and ?."),
    click.Option(["-n", "processes"], default="auto", show_default=True, help="Processes; 0 runs in this one."),
    click.Option(
        ["--level"], type=click.Choice(["tight", "stable", "degraded"]), default="degraded", show_default=True,
        help="Worst level that passes.",
    ),
    click.Option(
        ["--profile"], type=click.Choice(["default", "standard"]), default="default", show_default=True,
        help="`standard` fails nonstandard conventions.",
    ),
    click.Option(["--results"], default="", metavar="FILE", help="Results file  [default: reports/TIME.jsonl]"),
    click.Option(["--device"], default="cpu", show_default=True, help="Device to run on."),
    click.Option(["--known-faults"], multiple=True, metavar="FILE", help="Your own known faults, a TOML file."),
    click.Option(["--timeout"], type=float, default=120.0, show_default=True, help="Seconds that one call may take."),
    click.Option(["--in-process"], is_flag=True, help="Run layers in pytest's process, for debuggers (needs -n 0)."),
    click.Option(
        ["--regressions"], multiple=True, metavar="PATH", help="Replay regressions that fuzz wrote: a file or a folder."
    ),
]  # fmt: skip

_KIND_OPTIONS: list[click.Parameter] = [
    click.Option(
        ["--as", "kind"],
        default="",
        metavar="KIND",
        help="The target is no adapter but torch-module, keras-layer, flax-module or numpy-functions.",
    ),
    click.Option(
        ["--convention"],
        multiple=True,
        metavar="NAME=VALUE",
        help="With --as: what is meant where it is not the convention of the kind.",
    ),
]

main.add_command(
    _lazy(
        "run",
        implementation="bn_conformance.commands.run:run",
        summary="Run the matrix and write a results file.",
        epilog=EPILOG + " Arguments after -- go to pytest.",
        params=[
            click.Option(
                ["-i", "--implementation", "implementations"],
                multiple=True,
                metavar="NAME",
                help="Implementation, pattern, module:Class, file.py:Class or KIND=file.py:Class; all of the default "
                "group without.",
            ),
            *_RUN_OPTIONS,
            click.Argument(["pytest_arguments"], nargs=-1, type=click.UNPROCESSED),
        ],
    )
)
main.add_command(
    _lazy(
        "check",
        implementation="bn_conformance.commands.check:check",
        summary="Judge one implementation of your own: path/to/file.py:Class or module:Class, an adapter or, with "
        "--as, the code itself.",
        epilog=EPILOG,
        params=[click.Argument(["target"]), *_KIND_OPTIONS, *_RUN_OPTIONS],
    )
)
main.add_command(
    _lazy(
        "list",
        implementation="bn_conformance.commands.inspect:list_",
        summary="List implementations, cases or clauses.",
        params=[
            click.Option(["--cases"], is_flag=True, help="Cases instead of implementations."),
            click.Option(["--clauses"], is_flag=True, help="Clauses instead of implementations."),
            click.Option(["--clause", "clause"], multiple=True, metavar="ID", help="With --cases: those of a clause."),
        ],
    )
)
main.add_command(
    _lazy(
        "show",
        implementation="bn_conformance.commands.inspect:show",
        summary="Show a case: what it tests, its data, and code to reproduce it.",
        params=[
            click.Argument(["case"]),
            click.Option(
                ["-i", "--implementation"], default="", metavar="NAME", help="With goldens of its convention."
            ),
        ],
    )
)
main.add_command(
    _lazy(
        "report",
        implementation="bn_conformance.commands.results:report",
        summary="Make a report of a results file.",
        params=[
            click.Argument(["results"]),
            click.Option(
                ["--format", "format_"],
                type=click.Choice(["html", "markdown", "terminal"]),
                default="html",
                show_default=True,
            ),
            click.Option(
                ["-o", "--output"],
                default="",
                metavar="FILE",
                help="Output  [default: beside the results; - is stdout]",
            ),
            click.Option(
                ["--baseline"], default=None, metavar="NAME", help="Implementation that conventions are compared to."
            ),
        ],
    )
)
main.add_command(
    _lazy(
        "compare",
        implementation="bn_conformance.commands.results:compare",
        summary="Compare two results files: new failures, fixed, changed. Exits with 1 if the new one is worse.",
        params=[click.Argument(["old"]), click.Argument(["new"])],
    )
)
main.add_command(
    _lazy(
        "merge",
        implementation="bn_conformance.commands.results:merge",
        summary="Merge results files into one.",
        params=[
            click.Argument(["results"], nargs=-1, required=True),
            click.Option(["-o", "--output"], required=True, metavar="FILE", help="Results file to write."),
        ],
    )
)
main.add_command(
    _lazy(
        "power",
        implementation="bn_conformance.commands.power:power",
        summary="Show which deviations the suite catches, and where; exits with 1 if any survives.",
        params=[
            click.Argument(["deviations"], nargs=-1, metavar="[DEVIATION]..."),
            click.Option(["--case", "cases"], multiple=True, metavar="PATTERN", help="Case id, or a pattern."),
            click.Option(["-n", "processes"], type=int, default=0, help="Processes  [default: one a core]"),
            click.Option(
                ["--format", "format_"],
                type=click.Choice(["terminal", "markdown", "json"]),
                default="terminal",
                show_default=True,
            ),
            click.Option(["-o", "--output"], default="", metavar="FILE", help="Output  [default: standard output]"),
        ],
    )
)
main.add_command(
    _lazy(
        "fuzz",
        implementation="bn_conformance.commands.fuzz:fuzz",
        summary="Draw configurations and sequences, judge them as the matrix does, and shrink what fails to a minimal "
        "case, which is written as a regression.",
        epilog="Exit codes: 0 nothing found, 1 a violation found, 2 usage, 3 nothing was judged.",
        params=[
            click.Argument(["target"]),
            *_KIND_OPTIONS,
            click.Option(
                ["--seconds"], type=float, default=30.0, show_default=True, help="How long configurations are drawn."
            ),
            click.Option(["--configs"], type=int, default=0, metavar="N", help="At most so many configurations."),
            click.Option(["--seed"], type=int, default=0, show_default=True, help="Equal seeds draw equal cases."),
            click.Option(
                ["--without", "without"], multiple=True, metavar="ID", help="Draw no case of this clause or family."
            ),
            click.Option(
                ["--out"], default="", metavar="FILE", help="Regression to write  [default: regressions/NAME.json]"
            ),
            click.Option(
                ["--regressions"],
                multiple=True,
                metavar="PATH",
                help="Regressions to run first: files or folders  [default: ./regressions]",
            ),
            click.Option(
                ["--level"],
                type=click.Choice(["tight", "stable", "degraded"]),
                default="degraded",
                show_default=True,
                help="Worst level that passes.",
            ),
            click.Option(["--device"], default="cpu", show_default=True, help="Device to run on."),
            click.Option(["--known-faults"], multiple=True, metavar="FILE", help="Your own known faults, a TOML file."),
            click.Option(
                ["--timeout"], type=float, default=60.0, show_default=True, help="Seconds that one call may take."
            ),
            click.Option(["--in-process"], is_flag=True, help="Run layers in this process: faster, not protected."),
        ],
    )
)
main.add_command(
    _lazy(
        "probe",
        implementation="bn_conformance.commands.probe:probe",
        summary="Measure the convention of an implementation from its behaviour, beside what it declares.",
        epilog="Exit codes: 0 all agrees, 1 something does not, 2 usage, 3 nothing could be measured.",
        params=[
            click.Argument(["implementation"]),
            *_KIND_OPTIONS,
            click.Option(
                ["--format", "format_"], type=click.Choice(["terminal", "json"]), default="terminal", show_default=True
            ),
            click.Option(["-o", "--output"], default="", metavar="FILE", help="Output  [default: standard output]"),
            click.Option(["--device"], default="cpu", show_default=True, help="Device to run on."),
            click.Option(
                ["--timeout"], type=float, default=60.0, show_default=True, help="Seconds that one call may take."
            ),
            click.Option(["--known-faults"], multiple=True, metavar="FILE", help="Your own known faults, a TOML file."),
        ],
    )
)
main.add_command(
    _lazy(
        "diff",
        implementation="bn_conformance.commands.diff:diff",
        summary="How two implementations (or conventions) differ, and the verified recipe that converts one's state.",
        epilog="Exit codes: 0 converted and verified, 1 not, 2 usage.",
        params=[
            click.Argument(["a"]),
            click.Argument(["b"]),
            click.Option(
                ["--format", "format_"],
                type=click.Choice(["terminal", "markdown", "html", "json"]),
                default="terminal",
                show_default=True,
            ),
            click.Option(["-o", "--output"], default="", metavar="FILE", help="Output  [default: standard output]"),
            click.Option(["--device"], default="cpu", show_default=True, help="Device to run on."),
            click.Option(
                ["--timeout"], type=float, default=60.0, show_default=True, help="Seconds that one call may take."
            ),
        ],
    )
)


@main.group("vectors", epilog=EPILOG)
def _vectors() -> None:
    """Golden vectors for other languages: export them, and judge results that were made with them."""


_vectors.add_command(
    _lazy(
        "export",
        implementation="bn_conformance.commands.vectors:export",
        summary="Write cases with their goldens and error bounds as JSON, one file a case.",
        params=[
            click.Option(
                ["-o", "--output"], default="", metavar="DIR", help="Folder to write to  [default: ./vectors]"
            ),
            click.Option(["--case", "cases"], multiple=True, metavar="PATTERN", help="Case id, or a pattern."),
            click.Option(["--clause", "clauses"], multiple=True, metavar="ID", help="A clause or family."),
            click.Option(["--core"], is_flag=True, help="The core set, as it comes with bnconform."),
            click.Option(
                ["--convention"],
                multiple=True,
                metavar="NAME=VALUE",
                help="A change to torch's convention, or a named one: biased, momentum-old, textbook.",
            ),
            click.Option(["-i", "--implementation"], default="", metavar="NAME", help="Under its convention."),
        ],
    )
)
_vectors.add_command(
    _lazy(
        "check",
        implementation="bn_conformance.commands.vectors:check",
        summary="Judge results made elsewhere: JSON lines with case, step, quantity and values.",
        epilog=EPILOG,
        params=[
            click.Argument(["file"]),
            click.Option(
                ["--level"],
                type=click.Choice(["tight", "stable", "degraded"]),
                default="degraded",
                show_default=True,
                help="Worst level that passes.",
            ),
        ],
    )
)
