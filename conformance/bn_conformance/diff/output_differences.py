"""How far the outputs of two sides differ: both run the cases of family STATE on the same data, each with its defaults.

Each difference is set beside what the two declared conventions predict for it. What is left must be within the sum of
both error bounds; otherwise the conventions do not explain it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.model import Batch, Case, Freeze, Reload, has_data
from bn_conformance.cases.steps import has_step, type_of
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.tensors import CaseData, data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.diff.sides import Side
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.observing.observe import observe
from bn_conformance.probe.laboratory import Laboratory
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, to_float64, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import DEGRADED

VARIANTS = (
    *("untrained", "alternating", "train-evaluate", "after-1", "after-2", "after-10", "after-100"),
    *("defaults", "from-set-statistics", "two-layer-network"),
)
"""Cases of the family STATE that say something about outputs. Of each, the first layout that both sides know is run."""

LAYOUTS = ("nc", "nchw", "nhwc", "nc-256x8")


@dataclass(frozen=True)
class OutputDifference:
    """The largest difference of outputs in one case.

    Attributes:
        case: its id.
        step: number of the step with data, from 1.
        mode: "training" or "inference".
        difference: largest absolute difference of the outputs.
        relative: the same over the standard deviation of A's output in that step.
        predicted: what the two conventions predict for that element.
        unexplained: what is left after the prediction, of the element whose ratio is largest, over all steps.
        allowed: what is allowed there.
        ratio: unexplained over allowed there.
        small: whether no output of any step differs by more than rounding may cause, conventions aside.
    """

    case: str
    step: int
    mode: str
    difference: float
    relative: float
    predicted: float
    unexplained: float
    allowed: float
    ratio: float
    small: bool = False


@dataclass(frozen=True)
class _Output:
    """y of one step with data, as rows: what a side gave and what its convention predicts.

    `observed` is float64 of shape (channels, n); `predicted` and `allowed` are binary128 of that shape; `meaningful`
    has the shape (channels,).
    """

    observed: Array
    predicted: Quad
    allowed: Quad
    meaningful: np.ndarray


def output_differences(
    a: tuple[Side, Laboratory], b: tuple[Side, Laboratory]
) -> tuple[list[OutputDifference], list[str]]:
    """The difference in each shared case, largest first; and what could not be run, in words."""
    differences, failures = [], []
    for case in shared_cases(a[0], b[0]):
        try:
            differences.append(_difference(case, _outputs(case, *a), _outputs(case, *b)))
        except LayerError as error:
            failures.append(f"{case.id}: {error}")
        except HostLost as loss:
            for _, laboratory in (a, b):
                laboratory.lost(loss)
            failures.append(f"{case.id}: {loss.message}")
    return sorted(differences, key=lambda entry: -float(_finite_or_inf(entry.difference))), failures


def shared_cases(a: Side, b: Side) -> list[Case]:
    """The cases that both sides can run."""
    candidates = (_shared_case(variant, (a, b)) for variant in VARIANTS)
    return [case for case in candidates if case is not None]


def _shared_case(variant: str, sides: Sequence[Side]) -> Case | None:
    """The variant in the first layout that both sides can run."""
    for layout in LAYOUTS:
        case = all_cases().get(f"state/{layout}/float32/{variant}")
        if case is None or has_step(case.steps, Freeze, Reload):
            continue
        if not any(unsupported_reason(case, side.capabilities) for side in sides):
            return case
    return None


def _outputs(case: Case, side: Side, laboratory: Laboratory) -> list[_Output]:
    """Run a case on a side with its own defaults."""
    own = replace(case, config=replace(case.config, **side.own_settings()))
    data = data_of(own)
    observation = observe(own, data, laboratory.host, side.convention.statistics_move == "explicit")
    if observation.error is not None:
        raise observation.error
    rows = (_rows(step.forward.y if step.forward else None, own.config.channel_axis) for step in observation.steps)
    predictions = predicted_outputs(own, data, side.convention)
    return [_Output(y, *prediction) for y, prediction in zip(rows, predictions, strict=True)]


def _rows(y: object, axis: int) -> Array:
    if not isinstance(y, np.ndarray):
        raise LayerError("forward", "TypeError", f"y is {type(y).__name__}; expected an array")
    return channels_first(y, axis).astype(np.float64)


def predicted_outputs(case: Case, data: CaseData, convention: Convention) -> Iterator[tuple[Quad, Quad, np.ndarray]]:
    """y of every step with data as rows, what it may be off, and the channels where that means anything."""
    state = Statistics.initial(case.config.num_channels, convention)
    batches = iter(zip(case.batches, data.batches, strict=True))
    for step in case.steps:
        recipes = type_of(step).statistics(step)
        if recipes is not None:
            mean, variance = (recipe.vector(case.config.num_channels, "float32") for recipe in recipes)
            state = Statistics.known(mean, variance, state.updates)
        if has_data(step):
            batch, tensors = next(batches)
            parameters = GammaBeta(*(None if v is None else to_quad(v) for v in (tensors.gamma, tensors.beta)))
            x = to_quad(channels_first(tensors.x, case.config.channel_axis))
            golden = Golden(case.config, convention, x, parameters)
            expected = (golden.training(None) if batch.training else golden.inference(state, None))["y"]
            bound = expected.bound(DEGRADED[0])
            yield expected.values, bound.allowed, bound.meaningful
            if batch.training and (convention.statistics_move != "backward" or batch.dy is not None):
                state = golden.update(state, DEGRADED[0])[0]


def _difference(case: Case, outputs_a: Sequence[_Output], outputs_b: Sequence[_Output]) -> OutputDifference:
    """The largest difference of all steps, with the worst of what the conventions leave unexplained in any step."""
    steps = zip(case.batches, outputs_a, outputs_b, strict=True)
    differences = [_step_difference(case.id, place, batch, a, b) for place, (batch, a, b) in enumerate(steps, 1)]
    small = all(entry.small for entry in differences)
    largest = replace(max(differences, key=lambda entry: entry.difference), small=small)
    worst = max(differences, key=lambda entry: entry.ratio)
    if not worst.ratio:
        return replace(largest, unexplained=0.0, allowed=0.0, ratio=0.0)
    return replace(largest, unexplained=worst.unexplained, allowed=worst.allowed, ratio=worst.ratio)


def _step_difference(case: str, place: int, batch: Batch, a: _Output, b: _Output) -> OutputDifference:
    """The largest difference of one step, and apart from it the element that the conventions explain worst."""
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.asarray(a.observed - b.observed)
        explained = to_float64(a.predicted - b.predicted)
        unexplained, allowed = np.abs(difference - explained), to_float64(a.allowed + b.allowed)
        ratios = np.nan_to_num(np.where(unexplained == 0, 0.0, unexplained / allowed), nan=np.inf)
    meaningful = (a.meaningful & b.meaningful)[:, None]
    ratios = np.where(meaningful, ratios, 0.0)
    worst = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
    size = _finite_or_inf(np.abs(difference))
    largest = np.unravel_index(int(np.argmax(size)), size.shape)
    values = to_float64(a.predicted)
    spread = float(np.std(values)) if np.isfinite(values).all() else float("inf")
    return OutputDifference(
        case=case,
        step=place,
        mode="training" if batch.training else "inference",
        difference=float(size[largest]),
        relative=float(size[largest]) / spread if 0 < spread < np.inf else float("inf"),
        predicted=float(abs(explained[largest])),
        unexplained=float(unexplained[worst]),
        allowed=float(allowed[worst]),
        ratio=float(ratios[worst]),
        small=bool(np.all((size <= allowed) | ~meaningful)),
    )


def _finite_or_inf(values: Any) -> Any:
    """NaN and infinities as infinity, which any difference is smaller than."""
    return np.nan_to_num(values, nan=np.inf, posinf=np.inf)
