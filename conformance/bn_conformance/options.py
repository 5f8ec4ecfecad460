"""The options of a run, each defined once: its name, default, meaning and the values that it may have.

The command line (`bn_conformance.commands.declaring`), pytest (`bn_conformance.plugin`, with the prefix `--bn-`) and
the plan of a run read the same table: the fields of `RunOptions`. This module imports nothing of the suite, so that
pytest starts at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

EVERY_CASE = "*"
"""The pattern of all cases."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """How an option is written and what it means.

    Attributes:
        flags: the flags of the command line; the last is the long one.
        help: one sentence for people.
        metavar: what stands for the value in a list of options; empty where the type says enough.
        choices: values that are allowed; empty where any is.
    """

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()

    @property
    def pytest_flag(self) -> str:
        """The flag as pytest has it."""
        return f"--bn-{self.flags[-1].removeprefix('--')}"


def _option(*flags: str, default: Any, help: str, metavar: str = "", choices: tuple[str, ...] = ()) -> Any:  # noqa: A002
    option = Option(flags=flags, help=help, metavar=metavar, choices=choices)
    return field(default=default, metadata={"option": option})


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run was asked to do.

    An option whose default is a tuple may be given several times; one whose default is False is a switch.
    """

    implementations: tuple[str, ...] = _option(
        "-i",
        "--implementation",
        default=(),
        metavar="NAME",
        help="Name or pattern, module:Class, file.py:Class or KIND=file.py:Class; without it the default group.",
    )
    clauses: tuple[str, ...] = _option(
        "--clause", default=(), metavar="ID", help="Cases of this clause or family (STAT-3, STAT)."
    )
    cases: tuple[str, ...] = _option(
        "--case", default=(), metavar="PATTERN", help="Cases whose id matches this pattern of * and ?."
    )
    level: str = _option(
        "--level", default="degraded", choices=("tight", "stable", "degraded"), help="The worst level that passes."
    )
    case_set: str = _option(
        "--set",
        default="",
        metavar="NAME",
        help="A published set of cases, such as 2026.1: cases that are newer only warn.",
    )
    profile: str = _option(
        "--profile",
        default="default",
        choices=("default", "standard"),
        help="`standard` fails nonstandard conventions.",
    )
    thorough: bool = _option(
        "--thorough",
        default=False,
        help="Ask everything instead of a sample: all sizes and tours, for what compiles, too.",
    )
    plain_first: bool = _option(
        "--plain-first",
        default=False,
        help="Ask sizes and tours only where at most the usual edges fail without; set by `bnconform check`.",
    )
    results: str = _option(
        "--results", default="", metavar="FILE", help="Results file to write  [default: reports/TIME.jsonl]"
    )
    device: str = _option("--device", default="cpu", metavar="NAME", help="Device that the layers run on.")
    known_faults: tuple[str, ...] = _option(
        "--known-faults", default=(), metavar="FILE", help="Your own known faults, a TOML file."
    )
    timeout: float = _option(
        "--timeout", default=120.0, metavar="SECONDS", help="Seconds that one call of a layer may take."
    )
    in_process: bool = _option(
        "--in-process", default=False, help="Run layers in pytest's own process, for debuggers (needs -n 0)."
    )
    regressions: tuple[str, ...] = _option(
        "--regressions", default=(), metavar="PATH", help="Replay regressions that fuzz wrote: a file or a folder."
    )

    shard: str = _option(
        "--shard", default="", metavar="K/N", help="Run one of N parts; bnconform merge puts the results together."
    )
    times: str = _option(
        "--times", default="", metavar="FILE", help="With --shard: earlier results, whose times balance the parts."
    )

    resume: str = _option(
        "--resume",
        default="",
        metavar="FILE",
        help="Finish the run that wrote FILE: judge what is missing.",
    )
    reuse: str = _option(
        "--reuse", default="", metavar="FILE", help="Take over from earlier results what cannot have changed since."
    )

    ray: str = _option(
        "--ray",
        default="",
        metavar="ADDRESS",
        help="Judge on a cluster of Ray (HOST:PORT, or auto for one that runs here).",
    )

    @property
    def sampled(self) -> bool:
        """Whether a sample is asked, in which every class of cases occurs; what a person selects is all asked."""
        return not (self.thorough or self.cases or self.clauses or self.regressions or self.case_set)

    @property
    def every_case(self) -> bool:
        """Whether no part of the cases is selected: by no pattern, or by that of all."""
        return not (self.clauses or self.regressions) and (not self.cases or EVERY_CASE in self.cases)

    @property
    def in_stages(self) -> bool:
        """Whether many sizes and tours are asked only once all plain cases are."""
        return self.plain_first and self.sampled

    def to_json(self) -> dict[str, Any]:
        """The options as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunOptions:
        """The inverse of `to_json`, also of data that went through JSON."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**fields)

    def pytest_arguments(self) -> list[str]:
        """The options as arguments of pytest; those that have their default are left out."""
        arguments = []
        for name, option in OPTIONS.items():
            value = getattr(self, name)
            if value is True:
                arguments.append(option.pytest_flag)
            elif isinstance(value, tuple):
                arguments += [f"{option.pytest_flag}={entry}" for entry in value]
            elif value != DEFAULTS[name]:
                arguments.append(f"{option.pytest_flag}={value}")
        return arguments


OPTIONS: dict[str, Option] = {entry.name: entry.metadata["option"] for entry in fields(RunOptions)}
"""Every option by the name of its field."""

DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in fields(RunOptions)}
"""The default of every option by the name of its field."""
