"""What layers on TensorFlow share that run eagerly: a forward on tapes, and what is asked of these afterwards."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from bn_adapters.recorded import recorded
from bn_adapters.tensorflow_tapes import Tapes, tensorflow
from bn_conformance.adapter import Array, Gradients, Layer, SecondOrder


class TapedLayer(Layer):
    """A layer with gradients by `tf.GradientTape`; `apply` is what such layers differ in.

    Attributes:
        parameters: the variables gamma and beta, None for one that the layer does not have. They may have any shape of
            C values, such as (1, C, 1, 1).
        latest: the record of the latest forward, and its y.
    """

    parameters: tuple[Any, Any]
    latest: tuple[Tapes, Any] | None = None

    @abstractmethod
    def apply(self, x: Any, training: bool) -> Any:
        """The implementation's own forward pass, tensor to tensor; in training the moving statistics move."""

    def forward(self, x: Array, training: bool) -> Array:
        x_tensor = tensorflow().constant(x)
        with Tapes(x_tensor, *self.parameters) as tapes:
            y_tensor = self.apply(x_tensor, training)
        self.latest = (tapes, y_tensor)
        y: Array = y_tensor.numpy()
        return y

    def backward(self, dy: Array) -> Gradients:
        tapes, y_tensor = recorded(self.latest)
        dx, *vectors = tapes.gradients(y_tensor, dy)
        return Gradients(dx, *(None if vector is None else vector.reshape(-1) for vector in vectors))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        tapes, y_tensor = recorded(self.latest)
        weights = {"dx": v_dx} | {
            name: None if given is None or held is None else given.reshape(held.shape)
            for name, given, held in zip(("dgamma", "dbeta"), (v_dgamma, v_dbeta), self.parameters, strict=True)
        }
        found = tapes.second_order(y_tensor, dy, weights)
        return found._replace(ds_dgamma=None if found.ds_dgamma is None else found.ds_dgamma.reshape(-1))

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        for variable, given in zip(self.parameters, (gamma, beta), strict=True):
            if variable is not None and given is not None:
                assign(variable, given)


def assign(variable: Any, value: Array) -> None:
    """Set a variable to a copy, because TensorFlow may keep the memory of an array as the variable's.

    A vector goes into a variable of more axes, too, such as (1, C, 1, 1).
    """
    copy = np.array(value)
    variable.assign(copy.reshape(variable.shape) if len(variable.shape) > copy.ndim else copy)
