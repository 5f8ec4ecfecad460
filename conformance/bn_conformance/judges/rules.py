"""The tolerances of other suites: each says whether a result is close enough to what the suite expects.

They are rebuilt to count which mistakes those suites would catch. Nothing that bnconform judges is judged by them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.judges.trial import Drawn, StepResult
from bn_reference.arithmetic.channels import channels_first

FLOAT32_EPSILON = 2.0**-23
"""The distance of float32 numbers next to 1, in which hipDNN counts."""


@dataclass(frozen=True)
class Compared:
    """One result beside what is expected.

    Attributes:
        rule: the rule's numbers, as `suites.toml` has them.
        got, expected: arrays of one shape.
        drawn: the trial.
        here: the call that gave the result, of the layer under test.
        before: the calls before it.
        gamma, beta: vectors of the layer, of one value where it has none.
    """

    rule: Mapping[str, Any]
    got: Array
    expected: Array
    drawn: Drawn
    here: StepResult
    before: list[StepResult]
    gamma: Array
    beta: Array


Rule = Callable[[Compared], bool]


def is_accepted(comparison: Compared) -> bool:
    """Whether the suite would accept the result.

    Raises:
        ValueError: the rule is unknown.
    """
    kind = comparison.rule["kind"]
    if kind not in RULES:
        raise ValueError(f"kind is {kind!r}; allowed are {', '.join(RULES)}")
    if comparison.got.shape != comparison.expected.shape:
        return False
    with np.errstate(all="ignore"):
        return bool(RULES[kind](comparison))


def _within(got: Array, expected: Array, rtol: float, atol: float) -> bool:
    """As `numpy.allclose` with these tolerances: a NaN is close to nothing, an infinity to itself."""
    return bool(np.allclose(got.astype(np.float64), expected.astype(np.float64), rtol=rtol, atol=atol))


def _close(c: Compared) -> bool:
    rtol = c.rule.get("rtol_of", {}).get(c.drawn.dtype, c.rule["rtol"])
    times = c.drawn.count if c.rule.get("atol_times_n") else 1
    return _within(c.got, c.expected, rtol, c.rule["atol"] * times)


def _before(c: Compared) -> bool:
    """Close to the y of the call before, on the same x."""
    return _within(c.got, c.before[-1].outputs["y"], c.rule["rtol"], c.rule["atol"])


def _not_before(c: Compared) -> bool:
    """Not close to the y of the call before, which was in another mode."""
    return not _before(c)


def _near(c: Compared) -> bool:
    return _within(c.got, np.full_like(c.got, c.rule["value"]), 0.0, c.rule["atol"])


def _moments(c: Compared) -> bool:
    """Mean 0 and deviation 1 of each channel, with gamma 1 and beta 0."""
    rows = channels_first(c.got, c.drawn.trial.axis).astype(np.float64)
    off = np.maximum(np.abs(rows.mean(axis=1)), np.abs(rows.std(axis=1) - 1.0))
    return bool(np.all(off <= c.rule["atol"]))


def _ulp(c: Compared) -> bool:
    """At most so many numbers of float32 lie between."""
    if not (np.isfinite(c.got).all() and np.isfinite(c.expected).all()):
        return bool(np.array_equal(c.got, c.expected))
    return bool(np.all(np.abs(_place(c.got) - _place(c.expected)) <= c.rule["ulp"]))


def _place(values: Array) -> Any:
    """The place of each float32 number in their order."""
    bits = np.ascontiguousarray(values, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _relative(c: Compared) -> bool:
    """The relative difference, absolute near 0; where beta cancels, that of gamma times the normalised value."""
    got, expected = c.got.astype(np.float64), c.expected.astype(np.float64)
    shape = [1] * got.ndim
    shape[c.drawn.trial.axis] = -1
    scaled = expected - c.beta.astype(np.float64).reshape(shape)
    off, size = np.abs(got - expected), np.abs(expected)
    plain = off <= np.where(size > 1e-5, size, 1.0) * c.rule["limit"]
    cancelled = (np.abs(scaled) > size) & (off <= np.abs(scaled) * c.rule["limit"])
    return bool(np.all(plain | cancelled))


def _norms(c: Compared) -> bool:
    """The relative difference in the norms 1, 2 and infinity."""
    got, expected = c.got.astype(np.float64).ravel(), c.expected.astype(np.float64).ravel()
    off = got - expected
    orders = (1.0, 2.0, math.inf)
    return all(np.linalg.norm(off, o) <= c.rule["limit"] * np.linalg.norm(expected, o) for o in orders)


def _rms(c: Compared) -> bool:
    """The root of the mean square of the difference, over the largest value."""
    got, expected = c.got.astype(np.float64), c.expected.astype(np.float64)
    largest = max(np.abs(got).max(), np.abs(expected).max())
    times = math.prod(c.drawn.trial.shape) if c.here.step.mode in c.rule.get("times_elements", ()) else 1
    return bool(np.sqrt(np.mean(np.square(got - expected))) <= c.rule["limit"] * times * largest)


@dataclass(frozen=True)
class _Sizes:
    """The largest numbers from which hipDNN derives its tolerances."""

    x: float
    dy: float
    scale: float
    bias: float
    higham: float
    eps: float

    @classmethod
    def of(cls, c: Compared) -> _Sizes:
        """Those of a trial."""
        step = c.drawn.count * FLOAT32_EPSILON
        dy = 0.0 if c.here.dy is None else _largest(c.here.dy)
        sizes = _largest(c.here.x), dy, _largest(c.gamma), _largest(c.beta)
        return cls(*sizes, step / (1.0 - step), float(c.drawn.trial.eps or 0.0))

    @property
    def inverse(self) -> float:
        """1 / sqrt(variance + eps), the variance taken for the largest x squared."""
        return 1.0 / math.sqrt(max(self.x * self.x, self.eps) + self.eps)

    @property
    def normalised(self) -> float:
        """The largest normalised value by this estimate."""
        return self.x * self.inverse


def _largest(values: Array) -> float:
    return float(np.abs(values.astype(np.float64)).max())


def _apart(c: Compared, tolerance: float) -> bool:
    return _within(c.got, c.expected, 0.0, tolerance)


def _higham_y(c: Compared) -> bool:
    """In training, the errors of both sums and six roundings; in inference, seven roundings of the largest product."""
    s = _Sizes.of(c)
    if c.here.step.mode == "training":
        return _apart(c, s.scale * (1.5 * s.higham + 7.0 * FLOAT32_EPSILON) + s.bias * FLOAT32_EPSILON)
    mean, variance = (c.here.outputs[name].astype(np.float64) for name in ("running_mean", "running_var"))
    product = (s.x + _largest(mean)) / math.sqrt(variance.min() + s.eps) * s.scale
    return _apart(c, FLOAT32_EPSILON * (7.0 * product + s.bias))


def _higham_dbeta(c: Compared) -> bool:
    s = _Sizes.of(c)
    return _apart(c, s.higham * s.dy)


def _higham_dgamma(c: Compared) -> bool:
    s = _Sizes.of(c)
    return _apart(c, (s.higham + FLOAT32_EPSILON) * s.normalised * s.dy)


def _higham_dx(c: Compared) -> bool:
    s = _Sizes.of(c)
    through = (s.higham + FLOAT32_EPSILON) + s.normalised**2 * (s.higham + 2.0 * FLOAT32_EPSILON)
    rounding = 5.0 * FLOAT32_EPSILON * (2.0 + s.normalised**2)
    return _apart(c, s.scale * s.inverse * s.dy * (through + rounding))


RULES: Mapping[str, Rule] = {
    "close": _close,
    "before": _before,
    "not-before": _not_before,
    "near": _near,
    "moments": _moments,
    "ulp": _ulp,
    "relative": _relative,
    "norms": _norms,
    "rms": _rms,
    "higham-y": _higham_y,
    "higham-dx": _higham_dx,
    "higham-dgamma": _higham_dgamma,
    "higham-dbeta": _higham_dbeta,
}
"""How a suite compares."""
