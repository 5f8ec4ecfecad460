"""The closed list of choices that implementations legitimately make differently.

Every choice is a field of `Convention`. `CHOICES` lists the allowed values of each, what they mean, and whether they
are standard. A value that is not listed cannot be declared: it is a fault in every implementation. SPEC.md, section
"Conventions", says what is not declarable.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from math import isfinite
from typing import Any, Literal


class Standing(StrEnum):
    """What the specification thinks of a declared value."""

    STANDARD = "standard"
    NONSTANDARD = "nonstandard"


@dataclass(frozen=True)
class Choice:
    """One allowed value of one convention field: its standing and what it means, in a sentence."""

    standing: Standing
    meaning: str


_S, _N = Standing.STANDARD, Standing.NONSTANDARD

CHOICES: dict[str, dict[Any, Choice]] = {
    "running_variance": {
        "biased": Choice(_S, "the running variance takes in the batch variance divided by n"),
        "unbiased": Choice(_S, "the running variance takes in the batch variance divided by n - 1"),
    },
    "initial_running_variance": {
        1.0: Choice(_S, "the running variance starts at 1"),
        0.0: Choice(_N, "the running variance starts at 0, so that inference before training divides by sqrt(eps)"),
    },
    "momentum_weighs": {
        "new": Choice(_S, "momentum is the weight of the new batch statistic"),
        "old": Choice(_S, "momentum is the weight of the old running statistic"),
    },
    "debiasing": {
        "none": Choice(_S, "the running statistics are a plain exponential average, the initial values included"),
        "zero-debias": Choice(_S, "the initial values have no weight: an exponential average of the batches alone"),
        "first-batch": Choice(
            _N, "the first training batch replaces the initial values, and outweighs every other batch for long"
        ),
    },
    "statistics_move": {
        "forward": Choice(_S, "running statistics move in the forward pass in training"),
        "backward": Choice(_S, "running statistics move in the backward pass"),
        "explicit": Choice(_S, "running statistics move when the user runs the update"),
    },
    "eps_in_running_variance": {
        False: Choice(_S, "eps does not enter the running variance"),
        True: Choice(_N, "the running variance takes in variance + eps"),
    },
    "eps_in_inference": {
        True: Choice(_S, "inference divides by sqrt(running variance + eps)"),
        False: Choice(_N, "inference divides by sqrt(running variance): eps is inside the running variance already"),
    },
    "eps_dtype": {
        "float64": Choice(_S, "eps is kept in float64"),
        "float32": Choice(_S, "eps is kept in float32, also for float64 tensors"),
        "x": Choice(_N, "eps is rounded to the format of x: below 3e-8 it is 0 where x is float16"),
    },
    "momentum_dtype": {
        "float64": Choice(_S, "momentum is kept in float64"),
        "float32": Choice(_S, "momentum is kept in float32, also for float64 tensors"),
        "float32-new": Choice(_S, "the weight of the new statistic is kept in float32, whichever momentum weighs"),
    },
    "statistics_dtype": {
        "parameter": Choice(_S, "running statistics are kept in the dtype of the parameters"),
        "float32": Choice(_S, "running statistics are kept in the dtype of the parameters, float32 at least"),
        "float64": Choice(_S, "running statistics are kept in float64, whatever the dtype of the parameters"),
    },
}
"""Per enumerated field, its allowed values. The numeric fields are checked by range in `Convention`."""


@dataclass(frozen=True, kw_only=True)
class Convention:
    """The choices of one implementation; the default is PyTorch's `torch.nn.BatchNorm2d`.

    Attributes:
        running_variance: estimator that the running variance takes in.
        initial_running_variance: 1.0 or 0.0.
        momentum_weighs: what the implementation calls momentum weighs the new or the old statistic.
        default_momentum: its default, in its own direction, in [0, 1]; None where there is no default.
        default_eps: its default, in (0, 1); None where there is no default.
        debiasing: what weight the initial values and the first batch have (`definition.running.weights_of`).
        statistics_move: when the running statistics move.
        eps_in_running_variance: whether eps enters the running variance.
        eps_in_inference: whether inference adds eps to the running variance.
        eps_dtype: the format in which eps is kept; "x" is that of the data.
        momentum_dtype: the format in which momentum (or the weight of the new statistic) is kept.
        statistics_dtype: the format of the running statistics.

    Raises:
        ValueError: a value cannot be declared; the message names the field, its value and what is allowed.
    """

    running_variance: Literal["biased", "unbiased"] = "unbiased"
    initial_running_variance: float = 1.0
    momentum_weighs: Literal["new", "old"] = "new"
    default_momentum: float | None = 0.1
    default_eps: float | None = 1e-5
    debiasing: Literal["none", "zero-debias", "first-batch"] = "none"
    statistics_move: Literal["forward", "backward", "explicit"] = "forward"
    eps_in_running_variance: bool = False
    eps_in_inference: bool = True
    eps_dtype: Literal["float64", "float32", "x"] = "float64"
    momentum_dtype: Literal["float64", "float32", "float32-new"] = "float64"
    statistics_dtype: Literal["parameter", "float32", "float64"] = "parameter"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if not any(type(value) is type(choice) and value == choice for choice in allowed):
                raise ValueError(f"{name} is {value!r}; declarable are {', '.join(map(repr, allowed))}")
        if self.default_momentum is not None and not 0.0 <= self.default_momentum <= 1.0:
            raise ValueError(f"default_momentum is {self.default_momentum!r}; declarable are 0 to 1, or None")
        if self.default_eps is not None and not (isfinite(self.default_eps) and 0.0 < self.default_eps < 1.0):
            raise ValueError(f"default_eps is {self.default_eps!r}; declarable are above 0 and below 1, or None")
        if not self.eps_in_inference and not self.eps_in_running_variance:
            raise ValueError(
                "eps_in_inference is False; declarable only with eps_in_running_variance=True, "
                "else inference loses eps (SPEC.md, EVAL-2)"
            )

    def nonstandard(self) -> dict[str, str]:
        """The nonstandard choices: field name to what the choice means."""
        chosen = {name: CHOICES[name][getattr(self, name)] for name in CHOICES}
        return {name: choice.meaning for name, choice in chosen.items() if choice.standing is Standing.NONSTANDARD}

    def differences(self, other: Convention) -> dict[str, tuple[Any, Any]]:
        """Fields in which two conventions differ: name to (own value, other's value)."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def to_json(self) -> dict[str, Any]:
        """The convention as plain data (JSON types)."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Convention:
        """The convention that `to_json` gave.

        Raises:
            ValueError: a value cannot be declared.
            TypeError: a key is unknown.
        """
        return cls(**data)
