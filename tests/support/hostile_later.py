"""Adapters that are right on float32 and do what no adapter should on float64: on the case after a right one."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support import hostile
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.adapter import Layer as AnyLayer

BUILT = "FILE_OF_BUILT"
"""The environment variable that names a file, which is there once a layer of float64 was built."""


def wide(config: LayerConfig) -> bool:
    return config.dtype == "float64"


class Plain(GoodNumpy):
    def build(self, config: LayerConfig) -> AnyLayer:
        if wide(config) and BUILT in os.environ:
            Path(os.environ[BUILT]).touch()
        return GoodLayer(config)


class RaisesInSupports(GoodNumpy):
    def supports(self, config: LayerConfig) -> str | None:
        if wide(config):
            raise RuntimeError("cannot say")
        return None


class Declines(GoodNumpy):
    def supports(self, config: LayerConfig) -> str | None:
        return "no float64" if wide(config) else None


class ExitsInSupports(GoodNumpy):
    def supports(self, config: LayerConfig) -> str | None:
        if wide(config):
            os._exit(5)
        return None


class Own(GoodNumpy):
    """Builds the class's own `Layer` for float64."""

    Layer: type[GoodLayer]

    def build(self, config: LayerConfig) -> AnyLayer:
        return self.Layer(config) if wide(config) else GoodLayer(config)


class RaisesInForward(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise ValueError("forward is not for you")


class Exits(Own):
    Layer = hostile.Exits.Layer


class Segfaults(Own):
    Layer = hostile.Segfaults.Layer


class Hangs(Own):
    Layer = hostile.Hangs.Layer


class WritesOverItsChannel(Own):
    """It answers what nobody asked, on every pipe that it finds."""

    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            for file in range(3, 20):
                try:
                    os.write(file, b'{"ok": null}\n')
                except OSError:
                    continue
            return super().forward(x, training)
