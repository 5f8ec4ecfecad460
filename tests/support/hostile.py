"""Adapters that do what no adapter should; their tests are in `test_hostile.py`."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any, cast

import numpy as np
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array, Capabilities, Gradients, LayerConfig, RunningStatistics
from bn_conformance.adapter import Layer as AnyLayer

print("hostile: printed at import, which must not reach the protocol")


class Plain(GoodNumpy):
    name = "plain"


class RaisesInBuild(GoodNumpy):
    def build(self, config: LayerConfig) -> AnyLayer:
        raise RuntimeError("no such kernel")


class RaisesInSupports(GoodNumpy):
    def supports(self, config: LayerConfig) -> str | None:
        raise RuntimeError("cannot say")


class Own(GoodNumpy):
    """Builds the class's own `Layer`."""

    Layer: type[GoodLayer]

    def build(self, config: LayerConfig) -> AnyLayer:
        return self.Layer(config)


class RaisesInForward(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise ValueError("forward is\nnot for you")


class RaisesInBackward(Own):
    class Layer(GoodLayer):
        def backward(self, dy: Array) -> Gradients:
            raise NotImplementedError("no gradient yet")


class RaisesWithoutWords(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise AssertionError


class InterruptsItself(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            os.kill(os.getpid(), signal.SIGINT)
            return super().forward(x, training)


class RaisesSystemExit(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise SystemExit(7)


class Exits(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            os._exit(5)


class Segfaults(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            sys.stderr.write("kernel panic in tile 3\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
            return x


class Hangs(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            time.sleep(600)
            return x


class GivesNone(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            super().forward(x, training)
            return cast(Array, None)


class AcceptsAnything(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return x.copy()


class GivesAList(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return cast(Array, super().forward(x, training).tolist())


class GivesObjects(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return super().forward(x, training).astype(object)


class GivesComplex(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return super().forward(x, training).astype(np.complex64)


class GivesAnotherShape(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return super().forward(x, training).reshape(-1)


class GivesAnotherDtype(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return super().forward(x, training).astype(np.float64)


class GivesNan(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return np.full_like(super().forward(x, training), np.nan)


class GivesReadOnly(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            y = super().forward(x, training)
            y.setflags(write=False)
            return y


class GivesStrided(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            y = super().forward(x, training)
            wide = np.zeros((*y.shape[:-1], 2 * y.shape[-1]), y.dtype)
            wide[..., ::2] = y
            return np.asfortranarray(wide)[..., ::2]


class GivesBigEndian(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            y = super().forward(x, training)
            return y.astype(y.dtype.newbyteorder(">"))


class GivesTwoGradients(Own):
    class Layer(GoodLayer):
        def backward(self, dy: Array) -> Gradients:
            return cast(Gradients, tuple(super().backward(dy))[:2])


class GivesNoGradients(Own):
    class Layer(GoodLayer):
        def backward(self, dy: Array) -> Gradients:
            return cast(Gradients, None)


class GivesOneStatistic(Own):
    class Layer(GoodLayer):
        def running_statistics(self) -> RunningStatistics:
            return cast(RunningStatistics, (self.running_mean,))


class GivesNoStatistics(Own):
    class Layer(GoodLayer):
        def running_statistics(self) -> RunningStatistics:
            return RunningStatistics(cast(Array, None), cast(Array, None))


class GivesStatisticsOfAnotherShape(Own):
    class Layer(GoodLayer):
        def running_statistics(self) -> RunningStatistics:
            return RunningStatistics(self.running_mean[:, None], self.running_var[:, None])


class SavesObjects(Own):
    class Layer(GoodLayer):
        def state(self) -> dict[str, Any]:
            return {**super().state(), "note": object()}


class ModifiesItsInput(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            y = super().forward(x, training)
            x *= 2
            return y


class GivesAViewOfItsInput(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            x[...] = super().forward(x, training)
            return x[...]


class Prints(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            print('{"ok": null}')
            os.write(1, b'{"ok": null}\n')
            sys.stdin.read()
            return super().forward(x, training)


class ClaimsFreeze(Own):
    class Layer(GoodLayer):
        def freeze(self) -> None:
            AnyLayer.freeze(self)


class ClaimsNothing(GoodNumpy):
    capabilities = Capabilities(dtypes=frozenset())


class OverwritesItsResult(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            self.y = super().forward(x, training)
            return self.y

        def backward(self, dy: Array) -> Gradients:
            self.y[...] = 0
            return super().backward(dy)


class ClaimsThreads(GoodNumpy):
    def set_threads(self, count: int) -> None:
        super(GoodNumpy, self).set_threads(count)


class RaisesBesideAnother(Own):
    """In one of two threads, so that the other waits for it."""

    class Layer(GoodLayer):
        built = 0

        def __init__(self, config: LayerConfig) -> None:
            super().__init__(config)
            RaisesBesideAnother.Layer.built += 1
            self.number = RaisesBesideAnother.Layer.built

        def forward(self, x: Array, training: bool) -> Array:
            if self.number % 6 == 0:  # a case builds a layer, one that interrupts it, two alone and two together
                raise RuntimeError("this kernel is not reentrant")
            return super().forward(x, training)


class HangsBesideAnother(Own):
    class Layer(RaisesBesideAnother.Layer):
        def forward(self, x: Array, training: bool) -> Array:
            try:
                return super().forward(x, training)
            except RuntimeError:
                time.sleep(60)
                raise
