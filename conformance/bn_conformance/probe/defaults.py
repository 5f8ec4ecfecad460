"""Experiments on the default eps and the default momentum.

Each is solved for, with an interval in which it must lie; the shortest decimal number in the interval is the finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.operations import SupportsCall
from bn_conformance.probe.declaration import against_declaration, value_in_words
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import CHANNELS, COUNT, Laboratory, ProbedLayer
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.running import eps_of, weights_of
from bn_reference.specification.grades import STABLE

SCALES = 2.0 ** -np.linspace(1, 26, CHANNELS).round()
"""Standard deviations of the channels: one of them is small beside any usual eps."""


def shortest(estimate: float, is_right: Callable[[float], bool]) -> float | None:
    """The number of fewest decimal digits, rounded from an estimate, that is right; None where none is."""
    candidates = (float(f"{estimate:.{digits}g}") for digits in range(1, 18))
    return next((candidate for candidate in candidates if is_right(candidate)), None)


def _without(laboratory: Laboratory, **left_out: None) -> ProbedLayer | str:
    """A layer that was built without an argument and trained for one step; else the reason why there is none."""
    config = laboratory.config(laboratory.widest(), **left_out)
    reason = laboratory.host.ask(SupportsCall(config))
    if reason:
        return reason
    try:
        subject = laboratory.subject(config, parameters=False)
        subject.train(subject.data("before defaults"))  # some refuse only when they need the number
    except LayerError as error:
        if not laboratory.built:
            raise
        return str(error)
    return subject


def eps_finding(laboratory: Laboratory) -> Iterator[Finding]:
    """The eps of a layer built without one."""
    field, declared = "default_eps", laboratory.declared.default_eps
    subject = _without(laboratory, eps=None)
    if isinstance(subject, str):
        yield against_declaration(laboratory, field, [None], subject, "FWD-5")
        return
    rows = DataRecipe(kind="centred", seed=seed_of("default eps")).rows(CHANNELS, COUNT) * SCALES[:, None]
    x = subject.shaped(rows)
    y = subject.forward(x, True)
    estimate, allowed = _solved_eps(subject, subject.rows(x), subject.rows(y), x)
    convention = laboratory.convention

    def is_right(value: float | None) -> bool:
        if value is None or not 0.0 < value < 1.0:
            return False
        return bool(abs(eps_of(subject.config, replace(convention, default_eps=value)) - estimate) <= allowed)

    detail = f"solved from y: {float(estimate):.12g} within {float(allowed):.2g}"
    eps = declared if is_right(declared) else shortest(float(estimate), is_right)
    if eps is None:
        yield Finding.fault(field, f"{float(estimate):.3g}", "FWD-5", detail, declared=value_in_words(declared))
    else:
        yield against_declaration(laboratory, field, [eps], detail, "FWD-5", "fwd/nchw/float32/eps-default")


def _solved_eps(subject: ProbedLayer, rows: Quad, y: Quad, x: Any) -> tuple[Any, Any]:
    """eps = ((x - mean) / y)^2 - variance, from the element that gives it best, and how far it may be off."""
    centred = rows - rows.mean(axis=1)[:, None]
    variance = (centred * centred).mean(axis=1)
    largest = np.argmax(np.abs(np.asarray(centred, np.float64)), axis=1)
    channels = np.arange(rows.shape[0])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = centred[channels, largest] / y[channels, largest]
        eps = ratio * ratio - variance
    golden = subject.golden(x, replace(subject.laboratory.convention, default_eps=0.5))
    golden.eps = np.where(np.isfinite(eps), np.abs(eps), to_quad(0.0))
    expected = golden.training(None)["y"].bound(STABLE)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = expected.allowed[channels, largest] / np.abs(y[channels, largest])
        allowed = 2 * (variance + np.abs(eps)) * relative
    sharpness = np.nan_to_num(np.asarray(allowed / np.abs(eps), np.float64), nan=np.inf)
    best = int(np.argmin(np.where(expected.meaningful, sharpness, np.inf)))
    return eps[best], allowed[best]


def default_momentum(laboratory: Laboratory) -> Iterator[Finding]:
    """The momentum of a layer built without one; its weight also tells what momentum weighs."""
    laboratory.need_statistics()
    field, declared = "default_momentum", laboratory.declared
    subject = _without(laboratory, momentum=None)
    if isinstance(subject, str):
        yield against_declaration(laboratory, field, [None], subject, "STAT-6")
        if "momentum_weighs" not in laboratory.measured:
            detail = "it shows only where there is a default: layers are configured by the weight of the new statistic"
            yield _unknown_direction(laboratory, detail)
        return
    laboratory.need_moving()
    new, allowed = _solved_weight(laboratory, subject)
    convention = laboratory.convention
    updates = subject.updates - 1

    def is_right(value: float | None, weighs: str) -> bool:
        if value is None or not 0.0 <= value <= 1.0:
            return False
        candidate = replace(convention, default_momentum=value, momentum_weighs=weighs)  # type: ignore[arg-type]
        return bool(abs(weights_of(subject.config, candidate, updates).new - new) <= allowed)

    number = declared.default_momentum
    directions = [weighs for weighs in ("new", "old") if is_right(number, weighs)]
    detail = f"the new statistic weighs {float(new):.12g} within {float(allowed):.2g} in the second step"
    if "momentum_weighs" not in laboratory.measured:
        if directions:
            explained = f"with the default {value_in_words(number)}, {detail}"
            yield against_declaration(laboratory, "momentum_weighs", directions, explained, "STAT-6")
        else:
            yield _unknown_direction(laboratory, detail)
    if directions:
        yield against_declaration(laboratory, field, [number], detail, "STAT-6")
        return
    weighs = declared.momentum_weighs
    share = float(_share(laboratory, new))
    estimate = share if weighs == "new" else 1.0 - share
    momentum = shortest(estimate, lambda value: is_right(value, weighs))
    fitting = [estimate if momentum is None else momentum]
    yield against_declaration(laboratory, field, fitting, f"weighing the {weighs}: {detail}", "STAT-6")


def _unknown_direction(laboratory: Laboratory, detail: str) -> Finding:
    declared = laboratory.declared.momentum_weighs
    return Finding.observed("momentum_weighs", "new or old", detail, declared, Status.UNDETERMINED)


def _share(laboratory: Laboratory, new: Any) -> Any:
    """Momentum from the weight in the second step: with zero-debias that is 1 / (1 + keep)."""
    return 2 - 1 / new if laboratory.convention.debiasing == "zero-debias" and new else new


def _solved_weight(laboratory: Laboratory, subject: ProbedLayer) -> tuple[Any, Any]:
    """The weight of the new statistic in the second step, and how far it may be off."""
    subject.train(subject.data("first", offset=1.0))
    before = subject.known()
    x = subject.data("second", offset=-5.0)
    subject.train(x)
    after = to_quad(subject.statistics()[0])
    mean = subject.rows(x).mean(axis=1)
    change = mean - before.mean
    weights = (after - before.mean) / change
    convention = replace(laboratory.convention, default_momentum=0.5, debiasing="none")
    bound = subject.golden(x, convention).update(before, STABLE)[1]["running_mean"].bound(STABLE)
    # Under debiasing the weights have errors of their own, a few unit roundoffs more.
    factor = 4.0 if laboratory.convention.debiasing == "zero-debias" else 1.0
    allowed = factor * bound.allowed / np.abs(change)
    best = int(np.argmin(np.asarray(allowed, np.float64)))
    return weights[best], allowed[best]
