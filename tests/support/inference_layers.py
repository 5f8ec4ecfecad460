"""Layers of inference alone, in one format and layout: few cases, some of them sweeps and one at a usual edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array

PLAIN, SWEEPS = 31, 6
"""Cases that a check asks first, and those that it asks where these allow it."""

EDGE = "edge/nchw/float64/nan-in-inference"
"""The plain case that is at a usual edge."""


class Right(GoodNumpy):
    """Conforms."""

    name = "right"
    capabilities = replace(
        GoodNumpy.capabilities,
        modes=frozenset({"inference"}),
        gradients=frozenset(),
        second_order=frozenset(),
        dtypes=frozenset({"float64"}),
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


class _RepeatsOneChannel(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        return super().forward(np.repeat(x, self.config.num_channels, 1) if x.shape[1] == 1 else x, training)


class WrongInASweep(Right):
    """Takes an x of one channel for one of many, which only a sweep asks."""

    name, layer = "repeats-one-channel", _RepeatsOneChannel
