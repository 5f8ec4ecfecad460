"""With which factors the three terms of dx stand in a wrong one: a catalogue cannot hold every factor.

In training, dx is gamma / sqrt(variance + eps) * (dy - mean(dy) - xhat * mean(dy * xhat)). Three numbers are fitted to
dx as it came, by least squares, one for each term. Nothing is said unless they explain every number of every case
within its bound, and are the same in all cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.mutant_runs import FailingCase
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.observing.observation import StepObservation
from bn_conformance.text import counted
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import quietly, to_float64
from bn_reference.specification.grades import STABLE

TERMS = ("dy", "mean(dy)", "xhat * mean(dy * xhat)")

FEWEST_CASES = 3
"""Cases that must give the same factors."""

FREEDOM = 8
"""How many more numbers than factors a dx must have: any three numbers have three factors that fit them."""

CERTAIN = 1e-2
"""How well factors must be known, and how far one must be from 1."""


@dataclass(frozen=True)
class _Fit:
    """The factors of the three terms in one dx, and whether every number is within its bound with them."""

    factors: NDArray[np.float64]
    fits: bool


def terms_sentence(cases: Iterable[FailingCase]) -> str:
    """The factors with which the terms of dx stand in cases that nothing explains; empty where nothing is certain.

    Args:
        cases: in which dx is wrong.
    """
    fits = [fit for case in cases if (fit := _fit(case)) is not None]
    if len(fits) < FEWEST_CASES or not all(fit.fits for fit in fits):
        return ""
    factors = np.array([fit.factors for fit in fits])
    middle = np.median(factors, axis=0)
    if np.abs(factors - middle).max() > CERTAIN or np.abs(middle - 1.0).max() <= CERTAIN:
        return ""
    terms = [
        f"{_told(factor)} * {term}" if _is_off(factor) else term for factor, term in zip(middle, TERMS, strict=True)
    ]
    return (
        f"In all {counted(len(fits), 'failing case')} that tell, dx in training is gamma / sqrt(variance + eps) * "
        f"({' - '.join(terms)}), where no term has a factor of its own."
    )


def _told(factor: float) -> str:
    """A factor with the digits that are certain: that of a term which is not there is 0."""
    return f"{round(factor / CERTAIN) * CERTAIN:.3g}"


def _is_off(factor: float) -> bool:
    return abs(factor - 1.0) > CERTAIN


def _fit(failing: FailingCase) -> _Fit | None:
    """The factors in the first step of a case; None where it is no plain training step, or they are not certain."""
    if failing.observation.error is not None or not failing.goldens or not failing.observation.steps:
        return None
    return _fit_of_step(failing.case, failing.goldens[0], failing.observation.steps[0])


@quietly
def _fit_of_step(case: Case, golden: StepGolden, step: StepObservation) -> _Fit | None:
    batch, backward = case.batches[0], step.backward
    got = None if backward is None else backward.dx
    plain = batch.mask is None and not batch.shards and not batch.between and case.config.gamma
    if golden.training is None or golden.dy is None or not plain:
        return None
    if not isinstance(got, np.ndarray) or got.shape != batch.shape:
        return None
    expected = golden.training["dx"]
    rows = channels_first(got, case.config.channel_axis).astype(np.float64)
    allowed, meaningful = expected.bound(STABLE)
    if rows.size < len(TERMS) + FREEDOM or not meaningful.all():
        return None
    # A wrong dx is rounded at its own size, also where the right one is near 0: so a row has its largest bound.
    bounds = TUNING.bound_growth * np.broadcast_to(to_float64(allowed).max(axis=1, keepdims=True), rows.shape)
    basis = _terms(golden)
    weighed = basis / bounds.reshape(-1, 1), (rows / bounds).reshape(-1)
    if not all(np.isfinite(part).all() for part in weighed):
        return None
    factors, _, rank, sizes = np.linalg.lstsq(*weighed, rcond=None)
    if rank < len(TERMS) or sizes[-1] * CERTAIN < np.sqrt(rows.size):
        return None
    return _Fit(np.asarray(factors, np.float64), bool((np.abs(weighed[0] @ factors - weighed[1]) <= 1.0).all()))


def _terms(golden: StepGolden) -> NDArray[np.float64]:
    """The three terms, each with its sign and the factor before the bracket, as columns."""
    nodes, gamma = golden.golden.nodes, golden.golden.parameters.gamma
    assert golden.dy is not None
    dy, normalised = to_float64(golden.dy), to_float64(nodes.normalised)
    # A layer whose gamma is not set has 1.
    scale = to_float64(nodes.inverse_deviation if gamma is None else gamma * nodes.inverse_deviation)[:, None]
    columns: Sequence[NDArray[np.float64]] = (
        dy,
        -np.broadcast_to(dy.mean(axis=1, keepdims=True), dy.shape),
        -normalised * (dy * normalised).mean(axis=1, keepdims=True),
    )
    return np.stack([(scale * part).reshape(-1) for part in columns], axis=1)
