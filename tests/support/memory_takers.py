"""Adapters that take memory without measure; their test is in `test_limits.py`."""

from __future__ import annotations

import os
import time

import numpy as np
from tests.support.excess import Own
from tests.support.good_numpy import GoodLayer

from bn_conformance.adapter import Array


class TakesAllMemory(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            taken = []
            for _ in range(200):  # an end, should nobody end it
                taken.append(np.ones(1 << 21))
                time.sleep(0.02)
            return super().forward(x, training)


class TakesAllMemoryInAChild(Own):
    class Layer(TakesAllMemory.Layer):
        def forward(self, x: Array, training: bool) -> Array:
            child = os.fork()
            if not child:
                super().forward(x, training)
                os._exit(0)
            os.waitpid(child, 0)
            return GoodLayer.forward(self, x, training)
