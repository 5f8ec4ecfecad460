"""Claims: equations between numbers that an implementation gave, each with what the error bounds allow.

Two right answers that must agree may differ by the sum of their bounds. A sum that must vanish may be as large as the
sum of the bounds of its terms. There is no other tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.comparison.array import shape_and_dtype_fault
from bn_conformance.hosting.operations import Returned
from bn_conformance.laws.trials import Trial
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import Quad, to_float64, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import GammaBeta, LayerFormats, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import STABLE, Grade

Allowed = Callable[[Grade], Bound]

ROWS = frozenset({"y", "dx"})
"""Quantities that have the shape of x."""


class NoNumbers(Exception):
    """An implementation gave a result that is no array of the right shape and format; the message says what."""


@dataclass(frozen=True, eq=False)
class Equality:
    """`got` must equal `values` up to the allowed error; both are rows (C, n) or vectors (C,)."""

    name: str
    values: Quad
    got: Array
    allowed: Allowed


class TrialResult:
    """The results of a trial, as rows and vectors, with their bounds."""

    def __init__(self, trial: Trial, convention: Convention) -> None:
        self.trial, self.setup = trial, trial.setup
        self._convention = convention
        self._formats = LayerFormats.of(trial.setup.config, convention)

    def got(self, name: str) -> Array:
        """One of y, dx, dgamma, dbeta, running_mean and running_var, as rows or a vector.

        Raises:
            NoNumbers: it is no array, or of another shape or format than it should be.
        """
        setup, formats = self.setup, self._formats
        shape = setup.shape if name in ROWS else (setup.config.num_channels,)
        dtype = formats.storage if name in ROWS else formats.parameters
        if name.startswith("running"):
            dtype = formats.statistics
        value = self._returned(name)
        message = shape_and_dtype_fault(name, value, shape, dtype_of(dtype.name))
        if message or not isinstance(value, np.ndarray):
            raise NoNumbers(message)
        return channels_first(value, setup.config.channel_axis) if name in ROWS else value

    def _returned(self, name: str) -> Returned | None:
        if name.startswith("running"):
            return self.trial.after[name == "running_var"]
        value: Returned | None = getattr(self.trial, name)
        return value

    def numbers(self, name: str) -> Quad:
        """As `got`, in binary128."""
        return to_quad(self.got(name))

    @property
    def has(self) -> tuple[str, ...]:
        """Names of what a trial with a backward gives: y, dx, and gradients of the parameters that the layer has."""
        config = self.setup.config
        return ("y", "dx", *(("dgamma",) if config.gamma else ()), *(("dbeta",) if config.beta else ()))

    @cached_property
    def golden(self) -> Golden:
        """The reference on the data of the trial."""
        setup = self.setup
        gamma, beta = (None if part is None else to_quad(part) for part in (setup.gamma, setup.beta))
        return Golden(setup.config, self._convention, to_quad(setup.x), GammaBeta(gamma, beta))

    @cached_property
    def dy(self) -> Quad:
        """dy in binary128."""
        assert self.setup.dy is not None
        return to_quad(self.setup.dy)

    @cached_property
    def expected(self) -> dict[str, Expected]:
        """Goldens of the trial, by name of the quantity; they give the bounds.

        Raises:
            NoNumbers: the running statistics are no vectors.
        """
        dy = None if self.setup.dy is None else self.dy
        if not all(isinstance(part, np.ndarray) and part.ndim == 1 for part in self.trial.before):
            raise NoNumbers("the running statistics are no vectors")
        known = Statistics.known(*self.trial.before)
        if not self.setup.training:
            return self.golden.inference(known, dy)
        return self.golden.training(dy) | self.golden.update(known, STABLE)[1]

    def bound(self, name: str, grade: Grade) -> Bound:
        """The bound of a quantity under a grade."""
        return self.expected[name].bound(grade)


Rearranged = Callable[[Any], Any]


def agree(
    name: str,
    first: TrialResult,
    second: TrialResult,
    rearrange: Rearranged = lambda values: values,
    factor: float = 1.0,
    label: str = "",
) -> Equality:
    """Claim that a quantity of the first trial, rearranged and times a power of two, is that of the second trial."""

    def allowed(grade: Grade) -> Bound:
        bound_of_first, bound_of_second = first.bound(name, grade), second.bound(name, grade)
        size = to_quad(abs(factor)) * rearrange(bound_of_first.allowed)
        return Bound(
            size + bound_of_second.allowed,
            _of_channels(rearrange, bound_of_first.meaningful) & bound_of_second.meaningful,
        )

    return Equality(label or name, rearrange(first.numbers(name)) * to_quad(factor), second.got(name), allowed)


def _of_channels(rearrange: Rearranged, meaningful: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which channels mean anything, rearranged as rows of one column are."""
    return np.asarray(rearrange(meaningful[:, None])[:, 0])


def vanishes(name: str, residual: Quad, allowed: Allowed) -> Equality:
    """Claim that a vector is zero but for what is allowed."""
    return Equality(name, np.zeros_like(residual), to_float64(residual), allowed)
