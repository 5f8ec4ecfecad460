"""TensorFlow on one thread, and gradients of the first and the second order by `tf.GradientTape`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any

from bn_conformance.adapter import Array, Gradients, SecondOrder

TENSORFLOW_ENVIRONMENT: Mapping[str, str] = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
"""One thread, and no chatter on the standard streams; both are read when TensorFlow is imported or first used."""


TENSORFLOW_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")
"""Either provides TensorFlow."""


@cache
def tensorflow() -> Any:
    """TensorFlow on one CPU thread, with GPUs hidden."""
    import tensorflow as tf

    try:
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # Something else in this process has used TensorFlow already: its settings stand.
        pass
    return tf


class Tapes:
    """The record of a forward: entered while that runs, asked for gradients of its y afterwards, any number of times.

    There are two tapes. The inner one gives the gradients; the outer one has recorded the forward as well, and records
    how the inner one gives them where a second order is asked for.

    Args:
        x: the tensor x.
        gamma: a variable, None if absent.
        beta: a variable, None if absent.
    """

    def __init__(self, x: Any, gamma: Any, beta: Any) -> None:
        tape = tensorflow().GradientTape
        self._sources = {"dx": x, "dgamma": gamma, "dbeta": beta}
        self._sources = {name: source for name, source in self._sources.items() if source is not None}
        self._outer, self._inner = (tape(persistent=True, watch_accessed_variables=False) for _ in range(2))
        self._recording = ExitStack()

    def __enter__(self) -> Tapes:
        for tape in (self._outer, self._inner):
            self._recording.enter_context(tape)
            # Anything but a floating x is for the layer to refuse.
            tape.watch([source for source in self._sources.values() if source.dtype.is_floating])
        return self

    def __exit__(self, *error: object) -> None:
        self._recording.close()

    def gradients(self, y: Any, dy: Array) -> Gradients:
        """Gradients of sum(y * dy)."""
        found = self._inner.gradient(y, self._sources, output_gradients=tensorflow().constant(dy))
        arrays = {name: gradient.numpy() for name, gradient in found.items()}
        return Gradients(arrays["dx"], arrays.get("dgamma"), arrays.get("dbeta"))

    def second_order(self, y: Any, dy: Array, weights: Mapping[str, Array | None]) -> SecondOrder:
        """Gradients of the gradients, weighed with `weights` by name: dx, dgamma, dbeta, None for no such term."""
        tf = tensorflow()
        upstream = tf.constant(dy)
        with self._outer:
            self._outer.watch(upstream)
            first = self._inner.gradient(y, self._sources, output_gradients=upstream)
        terms = {name: tf.constant(weight) for name, weight in weights.items() if weight is not None}
        wanted = {**self._sources, "ddy": upstream}
        wanted.pop("dbeta", None)
        found = self._outer.gradient(
            [first[name] for name in terms],
            wanted,
            output_gradients=list(terms.values()),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,  # of x in inference without gamma, for example
        )
        arrays = {name: gradient.numpy() for name, gradient in found.items()}
        return SecondOrder(arrays["dx"], arrays.get("dgamma"), arrays["ddy"])
