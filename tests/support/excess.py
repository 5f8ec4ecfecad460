"""Adapters that send, say, keep or take more than anybody should, or arrays that are not what they seem.

Their tests are in `test_limits.py`.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar, cast

import numpy as np
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array, Gradients, LayerConfig, RunningStatistics
from bn_conformance.adapter import Layer as AnyLayer


class Own(GoodNumpy):
    """Builds the class's own `Layer`."""

    Layer: type[GoodLayer] = GoodLayer

    def build(self, config: LayerConfig) -> AnyLayer:
        return self.Layer(config)


def answers() -> int:
    """The descriptor that answers go to, as code that means harm finds it."""
    for descriptor in range(3, 64):
        with suppress(OSError):
            writes = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            if writes and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                return descriptor
    raise AssertionError("no such descriptor")


class Sends(Own):
    """Sends text of its own as the answer to a forward."""

    text: ClassVar[bytes]
    more: ClassVar[bytes] = b""
    """Sent again and again."""

    def build(self, config: LayerConfig) -> AnyLayer:
        own = type(self)

        class Layer(GoodLayer):
            def forward(self, x: Array, training: bool) -> Array:
                content, descriptor = own.text, answers()
                while content:
                    content = content[os.write(descriptor, content) :] or own.more
                return super().forward(x, training)

        return Layer(config)


class SendsATerabyte(Sends):
    text = b'{"ok":{"y":{"dtype":"float64","shape":[125000000000],"data":"'
    more = b"AAAA" * 15000


class SendsATerabyteInOtherWords(Sends):
    text = b'{ "ok" : { "y" : { "dtype" : "int8" , "shape" : [ 1000000 , 1000000 ] , "data":"'
    more = b"AAAA" * 15000


class SendsAShapeOfManyAxes(Sends):
    text = b'{"ok":{"y":{"dtype":"float16","shape":[' + b",".join([b"99999"] * 40) + b'],"data":"'
    more = b"AAAA" * 15000


class SendsALineWithoutEnd(Sends):
    text = b'{"ok":'
    more = b" " * 60000


class SendsTextWithoutEnd(Sends):
    text = b'{"error":{"type":"ValueError","message":"'
    more = b"no " * 20000


class SendsDeepLists(Sends):
    text = b'{"ok":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"


class SendsDeepObjects(Sends):
    text = b'{"ok":' * 100_000 + b"1" + b"}" * 100_000 + b"\n"


class SendsALongInteger(Sends):
    text = b'{"ok":null,"seconds":' + b"9" * 100_000 + b"}\n"


class SendsAHugeShape(Sends):
    text = b'{"ok":{"y":{"dtype":"float64","shape":[' + b"9" * 400 + b'],"data":""}}}\n'


class SendsAShapeOfTexts(Sends):
    text = b'{"ok":{"y":{"dtype":"float64","shape":["8","5"],"data":""}}}\n'


class SendsALongKey(Sends):
    text = b'{"ok":{"' + b"k" * 1_000_000 + b'":1}}\n'


class SendsNothingInParticular(Sends):
    text = b"\n" * 1000


class AnswersTwice(Own):
    """Answers that nobody asked for, which are there when the next request is made."""

    class Layer(GoodLayer):
        def running_statistics(self) -> RunningStatistics:
            os.write(answers(), b'{"ok":null,"seconds":0}\n')
            return super().running_statistics()


class WritesWithoutMeasure(Own):
    """Much more to standard error, and to standard output, than is kept."""

    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            for _ in range(200):
                sys.stderr.write("noise " * 50_000)
                os.write(1, b"more " * 50_000)
                time.sleep(0.001)
            sys.stderr.flush()
            return super().forward(x, training)


class WritesThenEnds(WritesWithoutMeasure):
    class Layer(WritesWithoutMeasure.Layer):
        def forward(self, x: Array, training: bool) -> Array:
            super().forward(x, training)
            sys.stderr.write("\nthe last word")
            sys.stderr.flush()
            time.sleep(0.6)
            os._exit(3)


class RaisesALongMessage(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise ValueError("far too much " * 2_000_000)


class RaisesALongName(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            raise type("Long" * 100_000, (ValueError,), {})("its name is long")


class GivesADtypeOfManyFields(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            super().forward(x, training)
            return np.zeros(3, [(f"field_{index}", "f4") for index in range(10_000)])


class GivesGradientsWithoutEnd(Own):
    class Layer(GoodLayer):
        def backward(self, dy: Array) -> Gradients:
            return cast(Gradients, itertools.repeat(dy))


class GivesStatisticsWithoutEnd(Own):
    class Layer(GoodLayer):
        def running_statistics(self) -> RunningStatistics:
            def endless() -> Iterator[Array]:
                while True:
                    yield self.running_mean

            return cast(RunningStatistics, endless())


class Odd(np.ndarray[Any, Any]):
    """A class of arrays of an implementation's own, in which nothing differs from anything."""

    def __eq__(self, other: object) -> Any:
        return True

    def __ne__(self, other: object) -> Any:
        return False

    __hash__ = None

    def tobytes(self, order: Any = "C") -> bytes:
        raise RuntimeError("these bytes are mine")


def masked(array: Array) -> Array:
    """All of it masked: NumPy compares it with anything and finds no difference."""
    return np.ma.MaskedArray(array, mask=True)


def matrix(array: Array) -> Array:
    return np.asmatrix(array)


def odd(array: Array) -> Array:
    return array.view(Odd)


def recarray(array: Array) -> Array:
    return array.view(np.recarray)


class MaskedOutput(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return masked(super().forward(x, training))


class MatrixOutput(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return matrix(super().forward(x, training))


class OddOutput(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return odd(super().forward(x, training))


class RecordOutput(Own):
    class Layer(GoodLayer):
        def forward(self, x: Array, training: bool) -> Array:
            return recarray(super().forward(x, training))


class MaskedGradients(Own):
    class Layer(GoodLayer):
        def backward(self, dy: Array) -> Gradients:
            dx, dgamma, dbeta = super().backward(dy)
            return Gradients(dx, dgamma if dgamma is None else masked(dgamma), dbeta)


class OddGradients(Own):
    class Layer(GoodLayer):
        def backward(self, dy: Array) -> Gradients:
            dx, dgamma, dbeta = super().backward(dy)
            return Gradients(odd(dx), dgamma, dbeta)


class MaskedStatistics(Own):
    class Layer(GoodLayer):
        def running_statistics(self) -> RunningStatistics:
            mean, variance = super().running_statistics()
            return RunningStatistics(masked(mean), variance)


class MatrixState(Own):
    class Layer(GoodLayer):
        def state(self) -> dict[str, Array]:
            return {name: matrix(array) for name, array in super().state().items()}


class SupportsNothingInWords(Own):
    def supports(self, config: LayerConfig) -> str | None:
        return ""


class SupportsBlanks(Own):
    def supports(self, config: LayerConfig) -> str | None:
        return " \n\t"


class SupportsFalse(Own):
    def supports(self, config: LayerConfig) -> str | None:
        return cast(str, False)


class SupportsAnArray(Own):
    def supports(self, config: LayerConfig) -> str | None:
        return cast(str, np.zeros(3))
