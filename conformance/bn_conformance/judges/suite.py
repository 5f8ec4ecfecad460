"""A suite as data: what it tries, what it compares and by which rule, with where that is from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError
from bn_reference.arithmetic.formats import format_of

OUTPUTS = ("y", "dx", "dgamma", "dbeta", "running_mean", "running_var")
"""What a suite may compare."""

AGAIN = {"y_again": "y", "y_apart": "y"}
"""Outputs once more, by rules that compare them with those of the call before."""


@dataclass(frozen=True, kw_only=True)
class InputRecipe:
    """How a suite makes a tensor: a kind of `inputs.KINDS`, with its two numbers, or values written out."""

    kind: str
    low: float | None = None
    high: float | None = None
    values: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class SuiteStep:
    """One call: its mode, where its x is from ("new", "first", "previous" y), and a name that rules select it by."""

    mode: str = "training"
    x: str = "new"
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class SuiteTrial:
    """One input of a suite.

    Attributes:
        shape, original: of x as it is judged here, and in the suite where that is another one.
        axis: of the channels.
        formats: of x and of the parameters, each a trial of its own.
        eps, momentum: of the layer; the weight of the new statistic. None leaves an argument to the layer.
        affine: whether the layer has gamma and beta.
        x, dy, gamma, beta, mean, variance: recipes; what is None is left out, or as in a fresh layer.
        steps: the calls.
        only: what is compared here, of what the suite compares; empty for all.
        seeds: how many times it is drawn.
    """

    shape: tuple[int, ...]
    original: tuple[int, ...] = ()
    axis: int = 1
    formats: tuple[str, ...] = ("float32",)
    eps: float | None = 1e-5
    momentum: float | None = 0.1
    affine: bool = True
    x: InputRecipe
    dy: InputRecipe | None = None
    gamma: InputRecipe | None = None
    beta: InputRecipe | None = None
    mean: InputRecipe | None = None
    variance: InputRecipe | None = None
    steps: tuple[SuiteStep, ...] = (SuiteStep(),)
    only: tuple[str, ...] = ()
    seeds: int = 1

    def config(self, dtype: str) -> LayerConfig:
        """The layer in one of the formats."""
        return LayerConfig(
            num_channels=self.shape[self.axis],
            rank=len(self.shape),
            channel_axis=self.axis,
            dtype=dtype,
            parameter_dtype=dtype,
            eps=self.eps,
            momentum=self.momentum,
            gamma=self.affine,
            beta=self.affine,
        )


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite; the fields are described at the top of `suites.toml`."""

    name: str
    title: str
    source: str
    read: str
    tolerance: str
    uncertain: str = ""
    dtypes_alike: bool = False
    convention: Convention = field(default_factory=Convention)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trials: tuple[SuiteTrial, ...] = ()

    @property
    def compares(self) -> tuple[str, ...]:
        """The quantities that some trial compares."""
        found = {name for trial in self.trials for name in self.rules if not trial.only or name in trial.only}
        return tuple(name for name in OUTPUTS if name in found)

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of its inputs."""
        return tuple(dict.fromkeys(name for trial in self.trials for name in trial.formats))


@cache
def suites() -> Mapping[str, Suite]:
    """Every suite of `suites.toml` by name."""
    text = files(__package__).joinpath("suites.toml").read_text(encoding="utf-8")
    tables = {table["name"]: table for table in tomllib.loads(text)["suite"]}
    return {name: suite_of(table, tables) for name, table in tables.items()}


def suites_named(names: Iterable[str]) -> list[Suite]:
    """The suites of these names; all for `all`.

    Raises:
        UserError: there is no such suite.
    """
    chosen: dict[str, Suite] = {}
    for name in names:
        if name == "all":
            chosen |= suites()
        elif name in suites():
            chosen[name] = suites()[name]
        else:
            there = ", ".join(("all", *suites()))
            raise UserError(f"there is no suite {name!r}{did_you_mean(name, suites(), f'there are {there}')}")
    return list(chosen.values())


def suite_of(table: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]] | None = None) -> Suite:
    """A suite from its table.

    Args:
        table: as in `suites.toml`.
        tables: of the others, for one that `copies_trials_of` another.

    Raises:
        ValueError: a field, a quantity or a format is unknown.
    """
    own = {key: value for key, value in table.items() if key not in ("trial", "common", "copies_trials_of")}
    from_whom = (tables or {})[table["copies_trials_of"]] if "copies_trials_of" in table else table
    if unknown := set(own.get("rules", {})) - {*OUTPUTS, *AGAIN}:
        raise ValueError(f"{table['name']} compares {', '.join(unknown)}; allowed are {', '.join(OUTPUTS)}")
    own["convention"] = replace(Convention(), **own.get("convention", {}))
    trials = (_trial({**from_whom.get("common", {}), **entry}) for entry in from_whom.get("trial", ()))
    return Suite(**own, trials=tuple(trials))


RECIPES = ("x", "dy", "gamma", "beta", "mean", "variance")


def _trial(entry: Mapping[str, Any]) -> SuiteTrial:
    known: dict[str, Any] = dict(_typed(entry))
    for dtype in known.get("formats", ()):
        format_of(dtype)
    return SuiteTrial(**known)


def _typed(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a trial, tables as dataclasses and lists as tuples."""
    for key, value in entry.items():
        if key in RECIPES:
            yield key, InputRecipe(**value)
        elif key == "steps":
            yield key, tuple(SuiteStep(**step) for step in value)
        elif value == "default":
            yield key, None
        else:
            yield key, tuple(value) if isinstance(value, list) else value
