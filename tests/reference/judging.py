"""How far inside a grade an output is, and which level the suite's own judge gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.reference.families import Sample

from bn_conformance.judge import judge
from bn_reference.convention import Convention
from bn_reference.formats import format_of
from bn_reference.golden import Expected
from bn_reference.grades import STABLE, TIGHT, Grade
from bn_reference.quad import to_quad

QUANTITIES = ("y", "dx", "dgamma", "dbeta", "running_mean", "running_var")
INFERENCE = ("inference_y", "inference_dx", "inference_dgamma", "inference_dbeta")


def expected_of(sample: Sample, momentum: float = 0.25, unbiased: bool = True) -> dict[str, Expected]:
    """The goldens of everything that `computed.outputs` gives."""
    convention = Convention(running_variance="unbiased" if unbiased else "biased")
    golden = sample.golden(convention, momentum)
    found = golden.training(sample.dy_quad) | golden.update(sample.statistics, STABLE)[1]
    inference = golden.inference(sample.statistics, sample.dy_quad)
    return found | {f"inference_{name}": expected for name, expected in inference.items()}


def level(name: str, expected: Expected, got: NDArray[Any]) -> str:
    """The level that the judge of the suite gives."""
    return judge(name, expected, got, 0, ("TEST",)).outcome


def ratio(expected: Expected, got: NDArray[Any], grade: Grade = TIGHT) -> float:
    """Largest error / allowed over the finite elements whose bound is not vacuous; 0 where there are none."""
    allowed, meaningful = expected.bound(grade)
    mask = np.isfinite(expected.values) & np.isfinite(allowed)
    mask = mask & (meaningful[:, None] if expected.values.ndim == 2 else meaningful)
    mask = mask & (np.abs(expected.values) < format_of(got.dtype).largest / 2)
    with np.errstate(invalid="ignore"):
        errors = np.abs(to_quad(got) - expected.values)[mask]
    if not errors.size:
        return 0.0
    assert np.all(allowed[mask] > 0) or np.all(errors[allowed[mask] == 0] == 0)
    with np.errstate(invalid="ignore"):
        ratios = np.where(errors == 0, to_quad(0.0), errors / allowed[mask])
    return float(np.max(ratios.astype(np.float64)))


def worst(table: dict[str, float], ratios: Mapping[str, float]) -> None:
    for name, value in ratios.items():
        table[name] = max(table.get(name, 0.0), value)
