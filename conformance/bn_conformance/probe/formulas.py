"""Experiments on the formulas: where eps enters, the form of inference and its gradient, what a frozen layer does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.comparison.array import judge
from bn_conformance.probe.candidates import fit
from bn_conformance.probe.declaration import against_declaration
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import CHANNELS, COUNT, Laboratory, ProbedLayer, Unmeasurable
from bn_conformance.results.outcomes import EXACT
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE, TIGHT

INSIDE = "inside the root, once"
FAR = 8192.0
"""Mean, in standard deviations, at which the error of a folded inference exceeds that of a direct one."""


def placements(variance: Quad, eps: Any) -> dict[str, Quad]:
    """What each way to use eps adds to the variance under the root, by its name: vectors of shape (C,)."""
    root = np.sqrt(variance) + eps
    return {
        INSIDE: variance * 0 + eps,
        "outside the root": root * root - variance,
        "missing": variance * 0,
        "inside the root, twice": variance * 0 + 2 * eps,
        "inside, on an unbiased variance": variance / (COUNT - 1) + eps,
    }


def training_eps(laboratory: Laboratory) -> Iterator[Finding]:
    """Where eps enters a training forward."""
    subject = laboratory.subject(laboratory.config())
    x = subject.data("eps in training", scale=0.5)
    y = subject.forward(x, True)
    rows = subject.rows(x)
    centred = rows - to_quad(rows.mean(axis=1))[:, None]
    variance = (centred * centred).mean(axis=1)
    predictions: dict[str, list[tuple[Expected, Array]]] = {}
    for way, added in placements(variance, to_quad(subject.eps)).items():
        golden = subject.golden(x)
        golden.eps = added
        predictions[way] = [(golden.training(None)["y"], y)]
    fits = fit(predictions, subject.config.channel_axis)
    yield _placed("eps in training", fits.fitting, fits.numbers, "FWD-2", "fwd/nc/float32/random")


def _placed(name: str, fitting: list[str], numbers: str, clause: str, case: str) -> Finding:
    if fitting == [INSIDE]:
        return Finding.agreeing(name, INSIDE)
    if INSIDE in fitting:
        return Finding.observed(name, " or ".join(fitting), numbers, INSIDE, Status.UNDETERMINED)
    return Finding.fault(name, " or ".join(fitting) or "none of the known ways", clause, numbers, case, INSIDE)


def inference_eps(laboratory: Laboratory) -> Iterator[Finding]:
    """Whether inference adds eps to the running variance."""
    laboratory.need_mode("inference")
    subject = laboratory.subject(laboratory.config())
    statistics = subject.set_statistics()
    x = subject.data("eps in inference", offset=1.0)
    y = subject.forward(x, False)
    ways = placements(statistics.variance, to_quad(subject.eps))
    axis = subject.config.channel_axis
    predictions = {way: [(_inferred(subject, x, statistics, added), y)] for way, added in ways.items()}
    by_batch = subject.golden(x).training(None)["y"]
    fits = fit(predictions | {"batch statistics": [(by_batch, y)]}, axis)
    declarable = {INSIDE: True, "missing": False}
    values = [declarable[way] for way in fits.fitting if way in declarable]
    way = " or ".join(fits.fitting) or "none of the known ways"
    if values == [False] and not laboratory.convention.eps_in_running_variance:
        laboratory.measured["eps_in_inference"] = False
        detail = f"inference without eps on a running variance that does not hold it ({fits.numbers})"
        declared = "yes" if laboratory.declared.eps_in_inference else "no"
        yield Finding.fault("eps_in_inference", "no", "EVAL-2", detail, "eval/nc/float32/random", declared)
        return
    detail = f"used: {way}; {fits.numbers}"
    clause = "EVAL-3" if fits.fitting == ["batch statistics"] else "EVAL-2"
    yield against_declaration(laboratory, "eps_in_inference", values, detail, clause, "eval/nc/float32/random")


def _inferred(subject: ProbedLayer, x: Array, statistics: Statistics, eps: Any) -> Expected:
    """y of inference where exactly this eps, a number or a vector, is added."""
    golden = subject.golden(x)
    known = Statistics.known(statistics.mean, statistics.variance + eps)
    golden.eps = known.variance * 0
    return golden.inference(known, None)["y"]


def inference_form(laboratory: Laboratory) -> Iterator[Finding]:
    """Whether inference is direct or folded into one scale and one shift, from its error at a large mean."""
    if not laboratory.can.set_statistics:
        raise Unmeasurable("it needs running statistics that can be set, which is not declared")
    subject = laboratory.subject(laboratory.config())
    statistics = subject.set_statistics(DataRecipe(kind="centred", seed=seed_of("far"), offset=FAR, scale=64.0))
    rows = DataRecipe(kind="centred", seed=seed_of("far x")).rows(CHANNELS, COUNT)
    x = subject.shaped(rows + np.asarray(statistics.mean, np.float64)[:, None])
    y = subject.forward(x, False)
    golden = subject.golden(x).inference(statistics, None)["y"]
    quantity = judge("y", golden, y, subject.config.channel_axis, ())
    detail = f"largest error at a mean of {FAR:g} deviations: {quantity.error or 0.0:.2g}"
    if quantity.ratio is not None:
        detail += f", {quantity.ratio:.2g} times what a direct evaluation may have"
    if quantity.outcome in (EXACT, TIGHT.level):
        yield Finding.observed("form of inference", "direct: gamma (x - mean) r + beta", detail)
    elif quantity.outcome == STABLE.level:
        yield Finding.observed("form of inference", "folded: a x + b", detail)
    else:
        yield Finding.fault("form of inference", f"neither direct nor folded ({quantity.outcome})", "EVAL-1", detail)


def gradient(laboratory: Laboratory) -> Iterator[Finding]:
    """Whether the statistics are constants for the gradient in inference."""
    if "inference" not in laboratory.can.gradients:
        raise Unmeasurable("gradients in inference are not declared")
    subject = laboratory.subject(laboratory.config())
    statistics = subject.set_statistics()
    x, dy = subject.data("gradient x", offset=1.0), subject.data("gradient dy", offset=2.0)
    subject.forward(x, False)
    dx = subject.backward(dy)[0]
    golden, rows = subject.golden(x), subject.rows(dy)
    constants, batch = "statistics are constants", "through the batch's statistics"
    fits = fit(
        {
            constants: [(golden.inference(statistics, rows)["dx"], dx)],
            batch: [(golden.training(rows)["dx"], dx)],
        },
        subject.config.channel_axis,
    )
    what = "gradient in inference"
    if fits.fitting == [constants]:
        yield Finding.agreeing(what, constants)
    else:
        measured = " or ".join(fits.fitting) or "neither constants nor through the batch"
        yield Finding.fault(what, measured, "GRAD-4", fits.numbers, "grad/nc/float32/inference-random", constants)


def freezing(laboratory: Laboratory) -> Iterator[Finding]:
    """What a frozen layer does in training."""
    if not laboratory.can.freeze:
        raise Unmeasurable("freezing is not declared")
    subject = laboratory.subject(laboratory.config())
    subject.train(subject.data("before freezing", offset=1.0))
    known = subject.known()
    subject.freeze()
    x = subject.data("frozen", offset=-2.0, scale=2.0)
    y = subject.forward(x, True)
    golden = subject.golden(x)
    running, batch = "uses its running statistics", "uses the batch"
    fits = fit(
        {running: [(golden.inference(known, None)["y"], y)], batch: [(golden.training(None)["y"], y)]},
        subject.config.channel_axis,
    )
    after = subject.known()
    kept = bool(np.all(after.mean == known.mean) and np.all(after.variance == known.variance))
    how = f"{' or '.join(fits.fitting) or 'uses neither'}, {'keeps' if kept else 'moves'} them"
    if fits.fitting == [running] and kept:
        yield Finding.agreeing("frozen layer", how)
    else:
        expected = f"{running}, keeps them"
        yield Finding.fault("frozen layer", how, "STATE-3", fits.numbers, "state/nc/float32/freeze", expected)
