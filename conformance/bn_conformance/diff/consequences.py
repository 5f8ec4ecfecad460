"""What a model would feel: both sides on the state-sequence cases with their own defaults and the same data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.model import (
    Case,
    Freeze,
    Reload,
    has_data,
)
from bn_conformance.cases.steps import has_step, type_of
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.tensors import CaseData, data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.diff.parties import Party
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.observing.observe import observe
from bn_conformance.probe.laboratory import Laboratory
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, to_float64, to_quad
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import DEGRADED

VARIANTS = (
    "untrained", "alternating", "train-evaluate", "after-1", "after-2", "after-10", "defaults", "from-set-statistics",
    "after-100", "two-layer-network",
)  # fmt: skip
"""Cases of the family STATE that say something about outputs; the first layout that both sides know is enough."""

LAYOUTS = ("nc", "nchw", "nhwc")


@dataclass(frozen=True)
class Felt:
    """The largest difference of outputs in one case.

    Attributes:
        case: its id.
        step: number of the step with data, from 1.
        mode: "training" or "inference".
        difference: largest absolute difference of the outputs.
        relative: the same over the standard deviation of A's output in that step.
        predicted: what the two conventions predict for that element.
        unexplained: largest of what is left after the prediction, over all steps.
        allowed: what is allowed there.
        ratio: unexplained over allowed at its worst.
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


def shared_cases(a: Party, b: Party) -> list[Case]:
    """The cases that both sides can run."""
    found: list[Case] = []
    for variant in VARIANTS:
        cases = (all_cases().get(f"state/{layout}/float32/{variant}") for layout in (*LAYOUTS, "nc-256x8"))
        able = (
            case for case in cases
            if case and not any(unsupported_reason(case, side.capabilities) for side in (a, b))
            and not has_step(case.steps, Freeze, Reload)
        )  # fmt: skip
        found += [case for case in [next(able, None)] if case]
    return found


def predicted(case: Case, data: CaseData, convention: Convention) -> Iterator[tuple[Quad, Quad, np.ndarray]]:
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


def _with_defaults(case: Case, party: Party) -> Case:
    return replace(case, config=replace(case.config, **party.own_settings()))


def feel(a: tuple[Party, Laboratory], b: tuple[Party, Laboratory]) -> tuple[list[Felt], list[str]]:
    """The difference in each shared case, largest first; and what could not be run, in words."""
    felt, failures = [], []
    for case in shared_cases(a[0], b[0]):
        try:
            felt.append(_feel(case, a, b))
        except LayerError as error:
            failures.append(f"{case.id}: {error}")
        except HostLost as loss:
            for _, laboratory in (a, b):
                laboratory.lost(loss)
            failures.append(f"{case.id}: {loss.message}")
    return sorted(felt, key=lambda one: -_sortable(one.difference)), failures


def _sortable(value: float) -> float:
    return float(np.nan_to_num(value, nan=np.inf, posinf=np.inf))


def _feel(case: Case, *sides: tuple[Party, Laboratory]) -> Felt:
    observed, goldens = [], []
    for party, laboratory in sides:
        own = _with_defaults(case, party)
        data = data_of(own)
        seen = observe(own, data, laboratory.host, party.convention.statistics_move == "explicit")
        if seen.error is not None:
            raise seen.error
        axis = own.config.channel_axis
        observed.append([_output(step.forward.y if step.forward else None, axis) for step in seen.steps])
        goldens.append(list(predicted(own, data, party.convention)))
    worst: Felt | None = None
    rest = (0.0, 0.0, 0.0)
    for place, batch in enumerate(case.batches):
        (y_a, y_b), (gold_a, gold_b) = (side[place] for side in observed), (side[place] for side in goldens)
        with np.errstate(invalid="ignore"):
            difference = np.asarray(y_a - y_b)
            explained = to_float64(gold_a[0] - gold_b[0])
            left, allowed = np.abs(difference - explained), to_float64(gold_a[1] + gold_b[1])
        mask = np.broadcast_to((gold_a[2] & gold_b[2])[:, None], left.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(mask, np.nan_to_num(np.where(left == 0, 0.0, left / allowed), nan=np.inf), 0.0)
        top = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
        if ratios[top] > rest[2]:
            rest = float(left[top]), float(allowed[top]), float(ratios[top])
        size = np.nan_to_num(np.abs(difference), nan=np.inf, posinf=np.inf)
        at = np.unravel_index(int(np.argmax(size)), size.shape)
        if worst is None or size[at] > worst.difference:
            values = to_float64(gold_a[0])
            spread = float(np.std(values)) if np.isfinite(values).all() else float("inf")
            mode = "training" if batch.training else "inference"
            relative = float(size[at]) / spread if 0 < spread < np.inf else float("inf")
            worst = Felt(case.id, place + 1, mode, float(size[at]), relative, float(abs(explained[at])), 0, 0, 0)
    assert worst is not None
    return replace(worst, unexplained=rest[0], allowed=rest[1], ratio=rest[2])


def _output(y: object, axis: int) -> Array:
    if not isinstance(y, np.ndarray):
        raise LayerError("forward", "TypeError", f"y is {type(y).__name__}; expected an array")
    return channels_first(y, axis).astype(np.float64)
