"""Layers of inference alone, in one format and layout: few cases, some of them sweeps and one at a usual edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array

PLAIN, SWEEPS = 52, 3
"""Cases that a check asks first, and those that it asks where these allow it."""

EDGE = "edge/nchw/float32/nan-in-inference"
"""The plain case that is at a usual edge."""


class Right(GoodNumpy):
    """Conforms."""

    name = "right"
    capabilities = replace(
        GoodNumpy.capabilities,
        modes=frozenset({"inference"}),
        gradients=frozenset(),
        second_order=frozenset(),
        dtypes=frozenset({"float32"}),
        mixed=frozenset(),
        ranks=frozenset({4}),
        layouts=frozenset({"first"}),
        shards=frozenset(),
        masks=False,
        statistics=False,
    )


class _EpsOutside(GoodLayer):
    def inverse(self, variance: Array) -> Array:
        return np.asarray(1.0 / (np.sqrt(variance) + self.eps))


class Wrong(Right):
    """Fails plain cases."""

    name, layer = "wrong", _EpsOutside


class _NoNaN(GoodLayer):
    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return super().finish(np.nan_to_num(rows), shape)


class HidesNaN(Right):
    """Fails at a usual edge alone."""

    name, layer = "hides-nan", _NoNaN


class _Tires(GoodLayer):
    calls = 0

    def forward(self, x: Array, training: bool) -> Array:
        self.calls += 1
        return super().forward(x, training) + np.float32(self.calls > 50)


class WrongInASweep(Right):
    """Is wrong from the 51st call on, for which only a sweep asks."""

    name, layer = "tires", _Tires
