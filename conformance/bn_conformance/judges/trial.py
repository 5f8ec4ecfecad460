"""Runs a layer on one input of a suite, and keeps what a suite may compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.cases.recipes import dtype_of, seed_of
from bn_conformance.judges.inputs import drawn_rows
from bn_conformance.judges.suite import InputRecipe, SuiteStep, SuiteTrial
from bn_reference.arithmetic.channels import channels_back

Build = Callable[[LayerConfig], Any]


@dataclass(frozen=True)
class Drawn:
    """A trial in one format with one seed: everything that is not computed by the layer."""

    trial: SuiteTrial
    dtype: str
    seed: str

    @property
    def count(self) -> int:
        """Values a channel."""
        return int(np.prod(self.trial.shape)) // self.trial.shape[self.trial.axis]

    def tensor(self, recipe: InputRecipe, role: str) -> Array:
        """A tensor like x."""
        trial = self.trial
        rows = drawn_rows(recipe, seed_of(f"{self.seed} {role}"), trial.shape[trial.axis], self.count)
        return np.ascontiguousarray(channels_back(rows, trial.shape, trial.axis)).astype(dtype_of(self.dtype))

    def vector(self, recipe: InputRecipe, role: str) -> Array:
        """A vector of one value a channel."""
        channels = self.trial.shape[self.trial.axis]
        return drawn_rows(recipe, seed_of(f"{self.seed} {role}"), channels, 1)[:, 0].astype(dtype_of(self.dtype))


@dataclass(frozen=True)
class StepResult:
    """What one call gave.

    Attributes:
        step: the call.
        x, dy: what went in; dy is None where no gradient was asked.
        outputs: by name, y, dx, dgamma, dbeta and the running statistics.
    """

    step: SuiteStep
    x: Array
    dy: Array | None
    outputs: Mapping[str, Array]


def run_suite_trial(build: Build, drawn: Drawn) -> list[StepResult]:
    """The calls of a trial on a fresh layer.

    Raises:
        Exception: whatever the layer raises.
    """
    trial, layer = drawn.trial, build(drawn.trial.config(drawn.dtype))
    if trial.affine:
        layer.set_parameters(
            drawn.vector(trial.gamma or InputRecipe(kind="constant", low=1.0), "gamma"),
            drawn.vector(trial.beta or InputRecipe(kind="constant", low=0.0), "beta"),
        )
    if trial.mean is not None and trial.variance is not None:
        layer.set_running_statistics(drawn.vector(trial.mean, "mean"), drawn.vector(trial.variance, "variance"))
    results: list[StepResult] = []
    for number, step in enumerate(trial.steps):
        results.append(_call(layer, drawn, step, number, results))
    return results


def _call(layer: Any, drawn: Drawn, step: SuiteStep, number: int, before: list[StepResult]) -> StepResult:
    if step.x == "new":
        x = drawn.tensor(drawn.trial.x, f"x {number}")
    else:
        x = before[0].x if step.x == "first" else np.asarray(before[-1].outputs["y"])
    outputs: dict[str, Array] = {"y": layer.forward(x.copy(), step.mode == "training")}
    dy = None
    if drawn.trial.dy is not None:
        dy = _dy(drawn, drawn.trial.dy, outputs["y"], number)
        gradients = layer.backward(dy.copy())
        named = {"dx": gradients.dx, "dgamma": gradients.dgamma, "dbeta": gradients.dbeta}
        outputs |= {name: array for name, array in named.items() if array is not None}
    outputs["running_mean"], outputs["running_var"] = layer.running_statistics()
    return StepResult(step, x, dy, outputs)


def _dy(drawn: Drawn, recipe: InputRecipe, y: Array, number: int) -> Array:
    if recipe.kind != "of-y":
        return drawn.tensor(recipe, f"dy {number}")
    return (y.astype(np.float64) * (recipe.high or 1.0)).astype(dtype_of(drawn.dtype))
