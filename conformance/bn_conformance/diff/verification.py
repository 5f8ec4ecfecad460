"""The conversion, run and checked.

A is trained and converted to B. Both evaluate the same data, then both train on. Every difference has its error bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.diff.conversion import converted_variance
from bn_conformance.diff.sides import Side
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.probe.laboratory import CHANNELS, BadAnswer, Laboratory, ProbedLayer
from bn_reference.arithmetic.quad import Quad, to_float64, to_quad
from bn_reference.definition.state import Statistics
from bn_reference.specification.grades import DEGRADED, STABLE

COUNT, TRAINED, LATER = 16, 8, 4
"""Values a channel, training steps before the conversion, and after it."""


OUTPUTS_CHECK = "outputs after conversion"


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        what: compared quantity.
        difference: largest absolute difference.
        allowed: what is allowed where the ratio is largest.
        ratio: largest difference over what is allowed; infinite where something is not finite.
        note: what it says in words.
    """

    what: str
    difference: float
    allowed: float
    ratio: float
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether every difference is within its bound."""
        return self.ratio <= 1.0


@dataclass(frozen=True)
class Verification:
    """The conversion from one side to the other, executed."""

    source: str
    target: str
    checks: tuple[Check, ...] = ()
    failure: str = ""
    gap: float = 0.0
    """After training on: largest predicted difference between B's running variance and A's, over A's."""

    @property
    def verified(self) -> bool:
        """Whether it ran and every check holds."""
        return not self.failure and bool(self.checks) and all(check.holds for check in self.checks)


def within(quantity: str, difference: Quad, allowed: Quad, meaningful: Any, note: str = "") -> Check:
    """A difference beside its bound, both of one shape, where `meaningful` says that the bound means anything."""
    mask = np.broadcast_to(meaningful, difference.shape)
    size, bound = to_float64(np.abs(difference)), to_float64(np.asarray(allowed))
    if not mask.any():
        return Check(quantity, float(np.max(size)), float("nan"), np.inf, "no bound means anything here")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(size == 0, 0.0, size / bound)
    ratios = np.where(mask, np.nan_to_num(ratios, nan=np.inf, posinf=np.inf), 0.0)
    worst = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
    return Check(quantity, float(np.max(np.where(mask, size, 0.0))), float(bound[worst]), float(ratios[worst]), note)


def verify(source: tuple[Side, Laboratory], target: tuple[Side, Laboratory]) -> Verification:
    """Execute the conversion from one side to the other. An error of a side becomes `Verification.failure`."""
    names = source[0].name, target[0].name
    if not target[0].capabilities.set_statistics:
        return Verification(*names, failure=f"{names[1]} cannot set running statistics")
    try:
        return _verify(*source, *target)
    except (LayerError, BadAnswer) as error:
        return Verification(*names, failure=str(error))
    except HostLost as loss:
        for _, laboratory in (source, target):
            laboratory.lost(loss)
        return Verification(*names, failure=loss.message)


def _rows(name: str, place: int, offset: float = 0.0, scale: float = 1.0) -> Any:
    recipe = DataRecipe(kind="normal", seed=seed_of(f"diff {name} {place}"), offset=offset, scale=scale)
    return recipe.rows(CHANNELS, COUNT)


def _verify(a: Side, lab_a: Laboratory, b: Side, lab_b: Laboratory) -> Verification:
    layer_a = lab_a.subject(lab_a.config(("float32", "float32"), **a.own_settings()))
    layer_b = lab_b.subject(lab_b.config(("float32", "float32"), eps=a.eps, momentum=a.weight))
    for place in range(TRAINED):
        layer_a.train(layer_a.shaped(_rows("training", place, 0.5 * (place % 3), 1.0 + 0.25 * place)))
    trained = layer_a.known()
    exact = converted_variance(trained.variance, a.convention, b.convention, a.eps)
    if bool(np.any(exact < 0)):
        return Verification(a.name, b.name, failure="the converted running variance is below 0")
    layer_b.put(to_float64(trained.mean), to_float64(exact))
    state = _rounded(layer_b, trained, exact, a, b)
    checks = [*_held(layer_b, state), _outputs(layer_a, layer_b, trained, state)]
    later, gap = _later(layer_a, layer_b, trained, state, a, b)
    return Verification(a.name, b.name, (*checks, *later), gap=gap)


def _rounded(layer_b: ProbedLayer, trained: Statistics, exact: Quad, a: Side, b: Side) -> Statistics:
    """The converted state, with what rounding it to B's format may cost. B may keep eps in another format, too."""
    u = to_quad(2.0**-24)
    eps = np.abs(layer_b.golden(layer_b.shaped(_rows("eps", 0))).eps - to_quad(a.eps))
    used = eps * float(b.convention.eps_in_inference)
    return Statistics(trained.mean, exact, u * np.abs(trained.mean), u * np.abs(exact) + used)


def _held(layer_b: ProbedLayer, state: Statistics) -> list[Check]:
    mean, variance = (to_quad(part) for part in layer_b.statistics())
    everywhere = np.ones(mean.shape, np.bool_)
    return [
        within("converted running mean is held", mean - state.mean, state.mean_error, everywhere),
        within("converted running variance is held", variance - state.variance, state.variance_error, everywhere),
    ]


def _outputs(layer_a: ProbedLayer, layer_b: ProbedLayer, trained: Statistics, state: Statistics) -> Check:
    rows = _rows("evaluation", 0, 1.0, 2.0)
    x_a, x_b = layer_a.shaped(rows), layer_b.shaped(rows)
    y_a, y_b = layer_a.rows(layer_a.forward(x_a, False)), layer_b.rows(layer_b.forward(x_b, False))
    bound_a = layer_a.golden(x_a).inference(trained, None)["y"].bound(STABLE)
    bound_b = layer_b.golden(x_b).inference(state, None)["y"].bound(STABLE)
    meaningful = (bound_a.meaningful & bound_b.meaningful)[:, None]
    note = "inference of both on the same data"
    return within(OUTPUTS_CHECK, y_a - y_b, bound_a.allowed + bound_b.allowed, meaningful, note)


def _later(
    layer_a: ProbedLayer, layer_b: ProbedLayer, trained: Statistics, state: Statistics, a: Side, b: Side
) -> tuple[list[Check], float]:
    """Training goes on in both: the difference of the two beside that of their golden trajectories.

    Returns the checks, and the largest relative gap that the conventions predict for the running variance (0 for none).
    """
    golden_a, golden_b = replace(trained, updates=layer_a.updates), replace(state, updates=0)
    for place in range(LATER):
        rows = _rows("later", place, -1.0 + place, 1.5)
        x_a, x_b = layer_a.shaped(rows), layer_b.shaped(rows)
        golden_a = layer_a.golden(x_a).update(golden_a, DEGRADED[0])[0]
        golden_b = layer_b.golden(x_b).update(golden_b, DEGRADED[0])[0]
        layer_a.train(x_a)
        layer_b.train(x_b)
    (mean_a, var_a), (mean_b, var_b) = (map(to_quad, side.statistics()) for side in (layer_a, layer_b))
    everywhere = np.ones(mean_a.shape, np.bool_)
    note = f"after {LATER} more training steps in both"
    predicted_mean = golden_a.mean - golden_b.mean
    mapped = converted_variance(golden_a.variance, a.convention, b.convention, a.eps)
    predicted = mapped - golden_b.variance
    shown = converted_variance(var_a, a.convention, b.convention, a.eps) - var_b
    allowed_mean, allowed = golden_a.mean_error + golden_b.mean_error, golden_a.variance_error + golden_b.variance_error
    gap = float(np.max(np.abs(to_float64(predicted / mapped))))
    follows = bool(np.all(np.abs(predicted) <= allowed))
    promise = "B follows A" if follows else f"B departs from A by {100 * gap:.2g} %, as the conventions predict"
    return [
        within("running mean, training on", mean_a - mean_b - predicted_mean, allowed_mean, everywhere, note),
        within("running variance, training on", shown - predicted, allowed, everywhere, f"{note}: {promise}"),
    ], 0.0 if follows else gap
