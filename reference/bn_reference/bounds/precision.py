"""The roundoffs of one computation: the numbers that formats and a grade give to bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bn_reference.arithmetic.formats import Format
from bn_reference.arithmetic.quad import QUAD, Quad
from bn_reference.definition.graph import Forward, Vector, column
from bn_reference.specification.grades import SAFETY, Grade, path_length

ROOT = 4.0
"""a of BOUNDS.md: how many roundings adding eps, taking the root and dividing may have together."""


@dataclass(frozen=True)
class Precision:
    """Roundoffs of one computation, each a number of binary128 or of float64.

    Attributes:
        u: roundoff of the arithmetic, times C.
        sum_u: roundoff of the additions in a sum, times C.
        sequential_u: roundoff of the additions in one running sum; 0 where the grade allows none.
        u_s: roundoff of storing a result; 0 where the storage format is no narrower than that of the arithmetic.
        eta: error of an operation by underflow, times C. It is the smallest normal number, since implementations flush
            subnormals (but hardware keeps those of float16). `composite` grades add `eta_s`, since they store between.
        eta_kept: the same without `eta_s`, of what no composite grade stores between: statistics and their root.
        eta_s: error of storing by underflow: half the spacing of the storage format's subnormals.
    """

    u: Any
    sum_u: Any
    sequential_u: Any
    u_s: Any
    eta: Any
    eta_kept: Any
    eta_s: Any

    @classmethod
    @cache
    def of(
        cls, compute: Format, storage: Format, grade: Grade, safety: float | None = None, wide: bool = True
    ) -> Precision:
        """Precision of a grade that computes in one format and stores in another.

        Args:
            compute: format of sound arithmetic.
            storage: format of the result.
            grade: gives C, and says whether the arithmetic may be in `storage`.
            safety: a C that replaces the grade's; None for the grade's.
            wide: whether the numbers are of binary128; else they are of float64.
        """
        factor = grade.safety if safety is None else safety
        narrower = storage.precision < compute.precision
        arithmetic = storage if narrower and grade.storage_precision else compute
        sum_u = SAFETY * compute.unit_roundoff if grade.wide_sums else factor * arithmetic.unit_roundoff
        u_s = storage.unit_roundoff if narrower else 0.0
        eta_s = storage.smallest_normal * storage.unit_roundoff if narrower else 0.0
        eta_kept = factor * (eta_s if arithmetic.name == "float16" else arithmetic.smallest_normal)
        eta = eta_kept + (eta_s if grade.composite else 0.0)
        sequential_u = compute.unit_roundoff if grade.sequential else 0.0
        numbers = (factor * arithmetic.unit_roundoff, sum_u, sequential_u, u_s, eta, eta_kept, eta_s)
        return cls(*(np.float64(number).astype(QUAD if wide else np.float64) for number in numbers))

    def adding(self, count: int) -> Any:
        """Error of a sum of `count` terms, relative to the sum of their absolute values."""
        return np.maximum(path_length(count) * self.sum_u, count * self.sequential_u)

    @property
    def _each_path(self) -> Any:
        """Three results are stored between the operations of a path."""
        return 3 * self.u_s

    def of_paths(self, grade: Grade) -> Any:
        """Roundoff of the paths to a result, which storing between operations rounds too; 0 where a grade has none."""
        return self._each_path if grade.composite else 0 * self._each_path

    def of_y(self, nodes: Forward, of_normalised: Vector, everywhere: Vector) -> Quad:
        """The error of y in training and in inference, by the rows that its terms multiply: rows.

        Args:
            nodes: the forward pass.
            of_normalised: what multiplies |normalised|, a vector; |y| and |centred| have one factor each.
            everywhere: terms that are the same in a whole row, a vector.
        """
        error = column(of_normalised) * np.abs(nodes.normalised)
        error += column(everywhere)
        error += (self.u + self.u_s) * np.abs(nodes.y)
        error += self.eta * np.abs(nodes.centred)
        return error

    def stored(self, values: Quad, paths: Quad | None) -> Quad:
        """The error that storing adds.

        Args:
            values: the golden result, which is rounded once.
            paths: sums of the absolute terms of the result, whose paths are rounded too; None where they are not.
        """
        rounding = self.u_s * np.abs(values) + self.eta_s
        return np.asarray(rounding if paths is None else rounding + self._each_path * paths)


def root_error(relative: Quad) -> Quad:
    """Relative error of 1 / sqrt(v) where v has the given relative error: (1 - relative)**(-1/2) - 1.

    The relative error is cut at a half, so that no bound is NaN. No channel where it is larger is judged.
    """
    relative = np.minimum(relative, np.float64(0.5).astype(relative.dtype))
    root = np.sqrt(1 - relative)
    return np.asarray(relative / (root * (1 + root)))
