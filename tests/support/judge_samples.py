"""How far inside a grade an output is, and which level the suite's own judge gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import Algorithm
from bn_conformance.comparison.array import judge
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.golden.expected import Expected
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import STABLE, TIGHT, Grade

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


@dataclass(frozen=True)
class Judged:
    """The elements of a golden whose bound means something: which they are, their values, and 1 / allowed."""

    where: NDArray[np.bool_]
    values: Quad
    scale: Quad


_JUDGED: WeakKeyDictionary[Expected, dict[tuple[Grade, Any], Judged]] = WeakKeyDictionary()


def judged_elements(expected: Expected, dtype: np.dtype[Any], grade: Grade) -> Judged:
    """Finite elements, short of overflow, whose bound is not vacuous; worked out once for all algorithms.

    Where a bound is cut to a share of the result, what is beyond the share is not judged: the whole bound is asked.
    """
    known = _JUDGED.setdefault(expected, {})
    if (grade, dtype) not in known:
        allowed, meaningful = (expected.uncut or expected.bound)(grade)
        where = np.isfinite(expected.values) & np.isfinite(allowed)
        where = where & (meaningful[:, None] if expected.values.ndim == 2 else meaningful)
        where = where & (np.abs(expected.values) < format_of(dtype).largest / 2)
        with np.errstate(divide="ignore"):
            known[grade, dtype] = Judged(where, expected.values[where], 1 / allowed[where])
    return known[grade, dtype]


def ratio(expected: Expected, got: NDArray[Any], grade: Grade = TIGHT) -> float:
    """Largest error / allowed over the finite elements whose bound is not vacuous; 0 where there are none."""
    return ratios(expected, got, grade)[0]


_RATIOS: WeakKeyDictionary[Expected, dict[Any, list[float]]] = WeakKeyDictionary()


def ratios(expected: Expected, got: NDArray[Any], *grades: Grade) -> list[float]:
    """`ratio` under several grades; worked out once for all algorithms that give the same bits, as many do."""
    known, key = _RATIOS.setdefault(expected, {}), (got.dtype, got.tobytes(), grades)
    if key not in known:
        known[key] = _ratios(expected, got, *grades)
    return known[key]


def _ratios(expected: Expected, got: NDArray[Any], *grades: Grade) -> list[float]:
    found: list[float] = []
    errors, last = to_quad(0.0), None
    for grade in grades:
        judged = judged_elements(expected, got.dtype, grade)
        if last is None or not np.array_equal(judged.where, last):
            errors, last = np.abs(to_quad(got[judged.where]) - judged.values), judged.where
        if not errors.size:
            found.append(0.0)
            continue
        assert np.all(np.isfinite(judged.scale) | (errors == 0))
        with np.errstate(invalid="ignore"):
            found.append(float(np.max(np.where(errors == 0, errors, errors * judged.scale))))
    return found


def worst(table: dict[str, float], ratios: Mapping[str, float]) -> None:
    for name, value in ratios.items():
        table[name] = max(table.get(name, 0.0), value)


GRADE_OF = {"tight": TIGHT, "stable": STABLE}


def is_for(algorithm: Algorithm, sample: Sample) -> bool:
    """Whether the algorithm says something of the sample, and is right on it."""
    narrow = sample.dtype in ("float16", "bfloat16")
    return (narrow or algorithm.rounds == "result") and not (
        algorithm.not_for and sample.name.startswith(algorithm.not_for)
    )
